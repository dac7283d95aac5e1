import { pino } from 'pino';
import { cleanArgument } from './clean-fields.js';
import { LineSink } from './line-sink.js';
import type { LogEvent, LogLevel } from './log-events.js';

/** A line names its event; what else it has is its own affair. */
type Say = (
  line: { readonly event: LogEvent; readonly [field: string]: unknown },
  what: string,
) => void;

/** pino, with the names of events checked by the compiler. */
export interface Log extends Readonly<Record<LogLevel, Say>> {
  child(bindings: Readonly<Record<string, unknown>>): Log;
}

/** syslog priorities by pino level, for journald. */
const priorities: Readonly<Record<number, number>> = { 10: 7, 20: 7, 30: 6, 40: 4, 50: 3, 60: 2 };
const warn = 40;

/** The line that tells of others that could not be written. */
function droppedLine(lines: number, why: string): string {
  const event: LogEvent = 'log.dropped';
  const content = { level: warn, time: new Date().toISOString(), event, lines, why };
  return `${JSON.stringify({ ...content, msg: 'lines of the log could not be written' })}\n`;
}

/**
 * Structured lines, written before the call returns, so that none is lost in a crash. Every line has a
 * stable `event`. Under journald each line begins with its priority. What cannot be written is dropped and
 * counted by the sink.
 */
export function openLog(
  level: string,
  env: Readonly<Record<string, string | undefined>>,
  sink = new LineSink(),
): Log {
  const mark = (line: string) =>
    env['JOURNAL_STREAM'] === undefined ? line : `<${priorityOf(line)}>${line}`;
  const destination = {
    write: (line: string) => sink.write(mark(line), (lines, why) => mark(droppedLine(lines, why))),
  };
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      hooks: {
        // Before pino looks at it: it makes lines of an error's own text and fields.
        logMethod(args, method) {
          method.apply(this, args.map(cleanArgument) as typeof args);
        },
      },
    },
    destination,
  );
}

function priorityOf(line: string): number {
  const found = /"level":(\d+)/.exec(line)?.[1];
  return priorities[Number(found ?? 30)] ?? 6;
}
