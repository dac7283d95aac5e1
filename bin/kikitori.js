#!/usr/bin/env node
import { setFlagsFromString } from 'node:v8';

// A daemon makes little garbage for ever: a young generation that does not grow saves 30 MB of memory.
if (['run', 'listen'].includes(process.argv[2])) setFlagsFromString('--semi-space-growth-factor=1');

const { main } = await import('../dist/src/cli/main.js');
process.exitCode = await main(process.argv.slice(2));
