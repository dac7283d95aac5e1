// onnxruntime-node 1.30 reads the command line of its process, and dies of one beyond some 30 kB (measured: 28 kB is
// heard, 31 kB is not). So a long one is given to a second process in its environment, before ONNX Runtime is loaded.
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { deflateRawSync, inflateRawSync } from 'node:zlib';

const bytesMax = 16 * 1024;
const prefix = 'KIKITORI_LONG_ARGUMENTS_';
/** Linux takes no variable of more than 128 kB. */
const pieceBytes = 100_000;
/** What was sent to this process is meant for the other. */
const passedOn = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR2', 'SIGCONT'];

/** The arguments of this process, wherever they are. */
export function givenArguments() {
  const names = Object.keys(process.env).filter((name) => name.startsWith(prefix));
  if (names.length === 0) return process.argv.slice(2);
  const packed = names.map((_, i) => process.env[`${prefix}${i}`] ?? '').join('');
  // No process that is begun from here is to find them.
  for (const name of names) delete process.env[name];
  return JSON.parse(inflateRawSync(Buffer.from(packed, 'base64')).toString());
}

/** Whether this process was begun with too long a command line. */
export function isLong() {
  const words = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  return words.reduce((bytes, word) => bytes + Buffer.byteLength(word) + 1, 0) > bytesMax;
}

/** Runs the same command with a short command line; resolves to its status, or ends by the signal that ended it. */
export function runShort(script, argv) {
  const packed = deflateRawSync(JSON.stringify(argv)).toString('base64');
  const env = { ...process.env };
  for (let i = 0; i * pieceBytes < packed.length; i++)
    env[`${prefix}${i}`] = packed.slice(i * pieceBytes, (i + 1) * pieceBytes);
  return new Promise((resolve) => {
    // A group of its own: what a terminal sends to all would reach it twice.
    const child = spawn(process.execPath, [...process.execArgv, script], {
      env,
      stdio: 'inherit',
      detached: true,
    });
    for (const signal of passedOn) process.on(signal, () => child.kill(signal));
    child.on('error', (error) => {
      process.stderr.write(
        `kikitori: the command line is too long (${error.code ?? error.message}); name a folder, or a list with --files-from\n`,
      );
      resolve(1);
    });
    child.on('close', (status, signal) => {
      if (signal === null) return resolve(status);
      for (const name of passedOn) process.removeAllListeners(name);
      process.kill(process.pid, signal);
      // A signal that does not end this process ends it as a shell would say it.
      setTimeout(() => resolve(128 + constants.signals[signal]), 1000);
    });
  });
}
