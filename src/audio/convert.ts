/** Sound files of other kinds, through ffmpeg or sox where there is one. */
import { spawn } from 'node:child_process';
import { KikitoriError } from '../runtime/errors.js';
import type { SoundKind } from './kind.js';
import { parseWav, type Wav } from './wav.js';

const converterTimeoutMs = 120_000;

/**
 * Any sound file as WAV of the given rate, all its channels. What a damaged file gave before it broke is
 * given, and said to be truncated. `kind`: what it is, if its first bytes say it.
 */
export async function convert(
  path: string,
  rateHz: number,
  bytesMax: number,
  kind: SoundKind | undefined,
): Promise<Wav> {
  const refused: string[] = [];
  for (const [program, args] of converters(path, rateHz, kind)) {
    const result = await runConverter(program, args, bytesMax);
    if (result === 'missing') continue;
    if (result === 'too long')
      throw new KikitoriError('there is more audio in it than is read at once', {
        kind: 'input',
        where: path,
        expected: `at most ${Math.round(bytesMax / 1e6)} MB of 16 bits at ${rateHz} Hz`,
      });
    const wav = audioOf(result.output, path);
    if (wav !== undefined)
      return { ...wav, truncated: result.status !== 0 || result.errors.trim() !== '' };
    refused.push(`${program} cannot read it: ${reason(result.errors, path)}`);
  }
  const what = kind === undefined ? 'a sound file' : `a whole ${kind.name} file`;
  if (refused.length > 0)
    throw new KikitoriError(refused.join('; '), { kind: 'input', where: path, expected: what });
  throw new KikitoriError(
    `${kind === undefined ? 'this is no WAV file' : `this is ${kind.name}`}, and only WAV is read without help`,
    { kind: 'input', where: path, hint: 'install a converter: sudo apt-get install ffmpeg' },
  );
}

function converters(path: string, rateHz: number, kind: SoundKind | undefined) {
  const local = path.startsWith('-') ? `./${path}` : path;
  const rate = String(rateHz);
  // prettier-ignore
  const ffmpeg = ['-v', 'error', '-nostdin', '-protocol_whitelist', 'file,pipe', '-i', `file:${path}`,
    '-vn', '-f', 'wav', '-c:a', 'pcm_s16le', '-ar', rate, '-'];
  const type = kind === undefined ? [] : ['-t', kind.sox];
  // prettier-ignore
  const sox = ['-V1', ...type, local, '-t', 'wav', '-e', 'signed', '-b', '16', '-r', rate, '-'];
  return [
    ['ffmpeg', ffmpeg],
    ['sox', sox],
  ] as const;
}

function audioOf(output: Buffer, path: string): Wav | undefined {
  try {
    return parseWav(output, path);
  } catch {
    return undefined;
  }
}

/** The last line of what a converter said, without the name of the file before it. */
function reason(errors: string, path: string): string {
  const last = errors.trim().split('\n').at(-1) ?? '';
  return last.replace(`file:${path}: `, '') || 'there is no audio in it';
}

type Result = 'missing' | 'too long' | { status: number | null; output: Buffer; errors: string };

function runConverter(program: string, args: readonly string[], bytesMax: number): Promise<Result> {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      // Not `timeout`: for a program that is missing its timer would hold this process open.
      signal: AbortSignal.timeout(converterTimeoutMs),
      killSignal: 'SIGKILL',
    });
    const parts: Buffer[] = [];
    let size = 0;
    let errors = '';
    child.on('error', (error) => {
      if (error.name !== 'AbortError') resolve('missing');
      else
        resolve({
          status: null,
          output: Buffer.alloc(0),
          errors: `not done within ${converterTimeoutMs} ms`,
        });
    });
    child.stdout.on('data', (part: Buffer) => {
      size += part.length;
      if (size > bytesMax) {
        child.kill('SIGKILL');
        resolve('too long');
      } else parts.push(part);
    });
    child.stderr.on('data', (part: Buffer) => {
      errors = (errors + part.toString()).slice(-4096);
    });
    child.on('close', (status) => resolve({ status, output: Buffer.concat(parts), errors }));
  });
}
