import { pino, type DestinationStream, type Logger } from 'pino';

export type Log = Logger;

/** syslog priorities by pino level, for journald. */
const priorities: Readonly<Record<number, number>> = { 10: 7, 20: 7, 30: 6, 40: 4, 50: 3, 60: 2 };

/**
 * Structured lines on stdout, written before the call returns, so that none is lost in a crash. Every
 * line has a stable `event`. Under journald each line begins with its priority.
 */
export function openLog(level: string, env: Readonly<Record<string, string | undefined>>): Log {
  const out = pino.destination({ dest: 1, sync: true });
  const destination: DestinationStream =
    env['JOURNAL_STREAM'] === undefined
      ? out
      : {
          write: (line: string) => {
            const found = /"level":(\d+)/.exec(line)?.[1];
            out.write(`<${priorities[Number(found ?? 30)] ?? 6}>${line}`);
          },
        };
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: { paths: ['password', '*.password', '*.key', '*.token'], censor: '[hidden]' },
    },
    destination,
  );
}
