import { mixAtSnr, readAudioFile, soundFilesOf } from '../../audio/index.js';
import type { Interval } from '../../measure/evaluate/statistics.js';
import { defaultModelPath } from '../../runtime/paths.js';
import { numberOption, usageError } from '../shared/command.js';

/** What every way of measuring takes. */
export const commonOptions = {
  model: { type: 'string', default: defaultModelPath },
  limit: { type: 'string' },
  channel: { type: 'string' },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

/** Noise to mix in, and at which levels. */
export const noiseOptions = {
  noise: { type: 'string', multiple: true, default: [] },
  snr: { type: 'string', multiple: true, default: [] },
} as const satisfies Record<string, { type: 'string'; multiple: true; default: string[] }>;

/** One pass over the recordings: as they are, or in a noise. */
export interface Condition {
  readonly name: string;
  readonly noiseFile: string | null;
  readonly snrDb: number | null;
  /** From a place in the noise that `random` chooses. */
  readonly mixed: (samples: Float32Array, random: () => number) => Float32Array;
}

/** As they are first, then each noise at each level; of a folder each clip gets one of its noises by chance. */
export async function conditionsOf(
  values: { readonly noise: readonly string[]; readonly snr: readonly string[] },
  rateHz: number,
  usage: string,
): Promise<Condition[]> {
  const snrs = values.snr.flatMap((v) => v.split(',')).map((v) => numberOption('snr', v) ?? 0);
  if ((values.noise.length === 0) !== (snrs.length === 0))
    throw usageError('--noise and --snr go together', usage);
  const conditions: Condition[] = [
    { name: 'clean', noiseFile: null, snrDb: null, mixed: (samples) => samples },
  ];
  for (const noiseFile of values.noise) {
    const noises: Float32Array[] = [];
    for (const file of await soundFilesOf(noiseFile))
      noises.push((await readAudioFile(file, { rateHz })).samples);
    for (const snrDb of snrs)
      conditions.push({
        name: `${snrDb} dB of ${noiseFile.replace(/\/+$/, '').split('/').at(-1) ?? ''}`,
        noiseFile,
        snrDb,
        mixed: (samples, random) => {
          const noise =
            noises.length > 1 ? noises[Math.floor(random() * noises.length)] : noises[0];
          if (noise === undefined) return samples;
          return mixAtSnr(samples, noise, snrDb, Math.floor(random() * noise.length));
        },
      });
  }
  return conditions;
}

export const percent = ({ value, low, high }: Interval) =>
  `${(100 * value).toFixed(1)} % (95 %: ${(100 * low).toFixed(1)} to ${(100 * high).toFixed(1)})`;
