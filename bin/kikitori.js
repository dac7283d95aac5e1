#!/usr/bin/env node
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { givenArguments, isLong, runShort } from './long-arguments.js';

const argv = givenArguments();
process.exitCode = await (isLong() ? runShort(fileURLToPath(import.meta.url), argv) : run());

async function run() {
  const [name] = argv;
  // A daemon makes little garbage for ever: a young generation that does not grow saves 30 MB of memory, early collections and
  // code that nobody runs any more 6 (docs/adr/0013-change-in-one-process.md).
  if (['run', 'listen'].includes(name))
    for (const flag of ['semi-space-growth-factor=1', 'optimize-for-size', 'flush-baseline-code'])
      setFlagsFromString(`--${flag}`);

  // Whoever reads what a command says may stop reading ("| head"): it ends as SIGPIPE would end it, for its work may be
  // half done. A daemon's output is not to end.
  process.stdout.on('error', (error) => {
    if (name === 'run') return;
    if (error.code === 'EPIPE') process.exit(128 + 13);
    process.stderr.write(`kikitori: the output cannot be written: ${error.message}\n`);
    process.exit(1);
  });
  // Nobody can be told that nobody can be told.
  process.stderr.on('error', () => undefined);

  // Caught before all else is loaded: a daemon that is stopped while it starts has not crashed.
  let signals;
  if (name === 'run') signals = new (await import('../dist/src/runtime/signals.js')).Signals();

  const { main } = await import('../dist/src/cli/main.js');
  return main(argv, { signals });
}
