#!/usr/bin/env node
import { fileURLToPath } from 'node:url';
import { givenArguments, isLong, runShort } from './long-arguments.js';

const argv = givenArguments();
process.exitCode = await (isLong() ? runShort(fileURLToPath(import.meta.url), argv) : run());

async function run() {
  const [name] = argv;
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
  if (['run', 'listen'].includes(name))
    (await import('../dist/src/runtime/v8-flags.js')).keepSmall();

  const { main } = await import('../dist/src/cli/main.js');
  return main(argv, { signals });
}
