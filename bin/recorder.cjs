'use strict';
// The recorders of node-record-lpcm16, which loads them by name or path, asked for short pieces of audio: left to
// themselves arecord gives 125 ms at once and sox half a second, and a command is noticed as much later.

/** @param {{ program: string, device?: string }} options with those of node-record-lpcm16 */
module.exports = (options) => {
  const { cmd, args, spawnOptions } = require(`node-record-lpcm16/recorders/${options.program}`)(
    options,
  );
  if (options.program === 'arecord')
    return { cmd, args: ['--period-time=30000', ...args], spawnOptions };
  const env = { SOX_OPTS: '--buffer 1024', ...process.env, ...spawnOptions?.env };
  // The package gives only `sox` its device.
  if (options.device) env.AUDIODEV = options.device;
  return { cmd, args, spawnOptions: { ...spawnOptions, env } };
};
