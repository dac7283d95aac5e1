#!/usr/bin/env node
import { setFlagsFromString } from 'node:v8';

// A daemon makes little garbage for ever: a young generation that does not grow saves 30 MB of memory.
if (['run', 'listen'].includes(process.argv[2])) setFlagsFromString('--semi-space-growth-factor=1');

// Whoever reads what a command says may stop reading ("| head"): it ends as SIGPIPE would end it, for its work may be
// half done. A daemon's output is not to end.
process.stdout.on('error', (error) => {
  if (process.argv[2] === 'run') return;
  if (error.code === 'EPIPE') process.exit(128 + 13);
  process.stderr.write(`kikitori: the output cannot be written: ${error.message}\n`);
  process.exit(1);
});
// Nobody can be told that nobody can be told.
process.stderr.on('error', () => undefined);

// Caught before all else is loaded: a daemon that is stopped while it starts has not crashed.
let signals;
if (process.argv[2] === 'run')
  signals = new (await import('../dist/src/runtime/signals.js')).Signals();

const { main } = await import('../dist/src/cli/main.js');
process.exitCode = await main(process.argv.slice(2), { signals });
