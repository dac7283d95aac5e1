import { pino, type Logger } from 'pino';

type Line = Readonly<Record<string, unknown>>;

/** A real log whose lines are kept. */
export class LinesLog {
  readonly lines: Line[] = [];
  readonly log: Logger = pino(
    { level: 'trace', base: null },
    { write: (line: string) => void this.lines.push(JSON.parse(line) as Line) },
  );

  with(event: string): Line[] {
    return this.lines.filter((line) => line['event'] === event);
  }
}
