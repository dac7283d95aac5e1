import type { Manifest } from '../../src/bundle/index.js';
import type { Acoustic } from '../../src/recognizer/index.js';
import { features, units } from './tiny-checkpoint.js';

/** A network that reads its answer from its input: value 0 of a step is the unit that is spoken in it. */
export const spokenNetwork: Acoustic = {
  units: units.length,
  dim: 2,
  begin: () => {
    let pending: number[] = [];
    const answer = (said: number[]) => ({
      steps: said.length,
      data: Float32Array.from(
        said.flatMap((u) =>
          units.map((_, k) => Math.log(k === u ? 0.97 : 0.03 / (units.length - 1))),
        ),
      ),
    });
    return {
      feed: (rows) => {
        for (let i = 0; i < rows.length; i += 2) pending.push(rows[i] ?? 0);
        const whole = pending.length - (pending.length % 4);
        const now = pending.slice(0, whole);
        pending = pending.slice(whole);
        return Promise.resolve(answer(now));
      },
      finish: () => Promise.resolve(answer(pending.splice(0))),
    };
  },
};

/** What a recogniser needs of a manifest. */
export const listenerManifest = {
  units,
  features,
  decoding: { priorWeight: 0, logPrior: units.map(() => 0), blankBias: 0 },
  confidence: { bias: 3, weights: { llrMean: 1, llrWorstWord: 0.5, outside: -6 }, threshold: 0.5 },
  endpoint: { finalMs: 300, prefixMs: 900, nothingMs: 1500, maxUtteranceMs: 6000, preRollMs: 500 },
} as unknown as Manifest;
