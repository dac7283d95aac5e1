import { basename, join } from 'node:path';
import { readAudioFile, soundFilesOf, type ReadOptions } from '../../audio/index.js';
import { wordsOf, type GrammarDetails, type Interpretation } from '../../recognizer/index.js';
import { KikitoriError, messageOf } from '../../runtime/errors.js';
import type { Label } from '../evaluate/labels.js';

export interface SiteClip {
  readonly file: string;
  readonly meaning: Interpretation;
  readonly samples: Float32Array;
}

export interface SiteRecordings {
  readonly commands: readonly SiteClip[];
  readonly noise: readonly Float32Array[];
  /** The wake phrase, said alone. */
  readonly wake: readonly Float32Array[];
}

export const commandsMin = 5;
const wakeMin = 3;
const noiseSecondsMin = 10;
/** Quieter than this is a recording of nothing. */
const silencePeak = 0.003;

/** turn_on-the_light-2.wav -> turn on the light */
export function sentenceOf(file: string): string {
  return basename(file)
    .replace(/\.[^.]+$/, '')
    .replace(/[_-]+/g, ' ')
    .replace(/\s+\d+$/, '')
    .trim()
    .toLowerCase();
}

/**
 * A site's recordings, checked: files named like noise are its noise, those named by the wake phrase are that, all
 * others are commands, named by their sentence or by a table of labels. Every fault is told at once.
 */
export async function readSite(
  folder: string,
  grammar: GrammarDetails,
  read: ReadOptions & { readonly rateHz: number },
  labels?: readonly Label[],
  wakePhrase?: string,
): Promise<SiteRecordings> {
  const faults: string[] = [];
  const commands: SiteClip[] = [];
  const noise: Float32Array[] = [];
  const wake: Float32Array[] = [];
  const texts = new Map(labels?.map((l) => [basename(l.file), l.text ?? '']));
  for (const file of await soundFilesOf(folder)) {
    const name = basename(file);
    try {
      const { samples } = await readAudioFile(file, read);
      const peak = samples.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
      if (/^noise/i.test(name)) {
        noise.push(samples);
        continue;
      }
      const said = labels === undefined ? sentenceOf(file) : (texts.get(name) ?? '');
      if (labels !== undefined && !texts.has(name)) faults.push(`${name}: not in the labels`);
      else if (peak < silencePeak)
        faults.push(`${name}: silence (loudest sample ${peak.toFixed(4)} of 1)`);
      else if (wakePhrase !== undefined && wordsOf(said).join(' ') === wakePhrase)
        wake.push(samples);
      else {
        const meaning = grammar.understand(said);
        if (meaning === null) faults.push(`${name}: the grammar does not allow "${said}"`);
        else commands.push({ file: name, meaning, samples });
      }
    } catch (error) {
      if (!(error instanceof KikitoriError)) throw error;
      faults.push(messageOf(error));
    }
  }
  const seconds = noise.reduce((s, n) => s + n.length, 0) / read.rateHz;
  if (commands.length < commandsMin && faults.length === 0)
    faults.push(`only ${commands.length} commands; at least ${commandsMin} are needed`);
  if (wake.length > 0 && wake.length < wakeMin)
    faults.push(
      `only ${wake.length} recordings of "${wakePhrase ?? ''}"; at least ${wakeMin} are needed, or none`,
    );
  if (seconds < noiseSecondsMin)
    faults.push(
      `${seconds.toFixed(0)} s of noise; at least ${noiseSecondsMin} s are needed, a minute is good`,
    );
  if (faults.length > 0)
    throw new KikitoriError(`nothing was changed:\n  ${faults.join('\n  ')}`, {
      kind: 'input',
      where: folder,
      expected: `${join(folder, 'turn_on_the_light.wav')}, ... and noise.wav`,
      hint: 'name each recording by what is said in it, or give --labels',
    });
  return { commands, noise, wake };
}
