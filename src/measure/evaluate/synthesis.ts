import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { readAudioFile } from '../../audio/index.js';
import { codeOf, KikitoriError } from '../../runtime/errors.js';

const execute = promisify(execFile);
const synthesisTimeoutMs = 30_000;

/** A synthetic voice of a program that is installed. */
export interface Voice {
  readonly name: string;
  readonly program: 'espeak-ng' | 'flite' | 'text2wave';
  readonly voice: string;
}

/** English accents of espeak-ng with its own voice shapes; these come with every installation. */
const espeakVoices = [
  'en-us',
  'en-us+f2',
  'en-us+m3',
  'en-gb',
  'en-gb+f4',
  'en-gb-scotland',
  'en-gb-x-rp+m2',
  'en-029',
  'en-gb-x-gbcwmd+f3',
];
const festivalVoices = ['kal_diphone', 'ked_diphone', 'cmu_us_slt_arctic_hts'];

/** Every voice that answers on this machine. */
export async function installedVoices(): Promise<Voice[]> {
  const voices: Voice[] = [];
  if (await answers('espeak-ng', ['--version']))
    for (const voice of espeakVoices) voices.push(voiceOf('espeak-ng', voice));
  const listed = await output('flite', ['-lv']);
  for (const voice of new Set(/available:(.*)/.exec(listed)?.[1]?.trim().split(/\s+/) ?? []))
    if (!voice.includes('time')) voices.push(voiceOf('flite', voice));
  const festival = await output('festival', ['-b', '(print (voice.list))']);
  for (const voice of festivalVoices)
    if (festival.includes(voice)) voices.push(voiceOf('text2wave', voice));
  return voices;
}

const voiceOf = (program: Voice['program'], voice: string): Voice => ({
  name: `${program}/${voice}`,
  program,
  voice,
});

async function answers(program: string, args: readonly string[]): Promise<boolean> {
  return (await output(program, args)) !== '';
}

async function output(program: string, args: readonly string[]): Promise<string> {
  try {
    return (await execute(program, [...args], { timeout: synthesisTimeoutMs })).stdout;
  } catch {
    return '';
  }
}

/** Speaks one sentence. `wordsPerMinute` is obeyed by espeak-ng, roughly by the others. */
export async function speak(
  voice: Voice,
  text: string,
  { rateHz = 16_000, wordsPerMinute = 165 } = {},
): Promise<Float32Array> {
  const folder = await mkdtemp(join(tmpdir(), 'kikitori-say-'));
  const path = join(folder, 'said.wav');
  try {
    await run(voice, text, path, wordsPerMinute);
    return (await readAudioFile(path, { rateHz })).samples;
  } catch (error) {
    if (error instanceof KikitoriError) throw error;
    throw new KikitoriError(`${voice.name} did not speak`, {
      kind: 'device',
      where: voice.program,
      hint: codeOf(error) === 'ENOENT' ? `install ${voice.program}` : 'try it by hand',
      cause: error,
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function run(
  { program, voice }: Voice,
  text: string,
  path: string,
  wordsPerMinute: number,
): Promise<void> {
  const options = { timeout: synthesisTimeoutMs };
  if (program === 'espeak-ng') {
    await execute(
      program,
      ['-v', voice, '-s', String(wordsPerMinute), '-w', path, '--', text],
      options,
    );
  } else if (program === 'flite') {
    const stretch = `duration_stretch=${(165 / wordsPerMinute).toFixed(2)}`;
    await execute(program, ['-voice', voice, '--setf', stretch, '-t', text, '-o', path], options);
  } else {
    const speaking = execute(program, ['-eval', `(voice_${voice})`, '-o', path], options);
    speaking.child.stdin?.end(text);
    await speaking;
  }
}

/** Silence at both ends, as a recording has; a little noise so that it is not digital zero. */
export function padded(
  samples: Float32Array,
  rateHz: number,
  random: () => number,
  seconds = 0.4,
): Float32Array {
  const side = Math.round(rateHz * seconds);
  const out = Float32Array.from(
    { length: samples.length + 2 * side },
    () => 3e-4 * (random() - 0.5),
  );
  samples.forEach((v, i) => (out[side + i] = (out[side + i] ?? 0) + v));
  return out;
}
