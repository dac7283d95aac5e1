import { setFlagsFromString } from 'node:v8';

/**
 * For a process that makes a little garbage for ever: a young generation that does not grow saves 30 MB of memory, early
 * collections and code that nobody runs any more 6 (docs/adr/0013-change-in-one-process.md). Before anything large is loaded.
 */
export function keepSmall(): void {
  for (const flag of ['semi-space-growth-factor=1', 'optimize-for-size', 'flush-baseline-code'])
    setFlagsFromString(`--${flag}`);
}
