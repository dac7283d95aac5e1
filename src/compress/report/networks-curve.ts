import { KikitoriError } from '../../runtime/errors.js';
import { fit } from '../factorize/budget.js';
import { parametersFor } from '../factorize/choose.js';
import { cutAt, prepare, type CompressOptions } from '../factorize/index.js';
import { chainOf, rewrite, type Feed, type Foreign } from '../import/index.js';
import type { NetworkSubject } from './networks.js';
import { weightsOf } from './weights.js';

export interface NetworksCurveOptions {
  readonly foreign: Foreign;
  readonly feeds: readonly Feed[];
  readonly outputs: readonly string[];
  readonly ratios: readonly number[];
  readonly multiple: number;
  readonly progress: (line: string) => void;
  readonly nowMs: () => number;
}

/** Networks of both methods at each ratio of recurrent parameters, before any fine-tuning. */
export async function networksCurveSubjects(o: NetworksCurveOptions): Promise<NetworkSubject[]> {
  const { foreign, feeds, outputs, multiple } = o;
  const network = chainOf(foreign);
  const subject = { foreign, ...(network === undefined ? {} : { network }) };
  const price = parametersFor(subject);
  const dense =
    price.fixed +
    price.weight * foreign.plan.matrices.reduce((s, m) => s + m.weight.data.length, 0);
  const found: NetworkSubject[] = [];
  for (const method of ['paper', 'data-aware'] as const) {
    const options: Omit<CompressOptions, 'target' | 'multiple'> = {
      method,
      feeds,
      outputs,
      loss: { scale: new Float64Array(network?.outputs ?? 0).fill(1) },
      progress: o.progress,
      nowMs: o.nowMs,
    };
    const { analysis } = await prepare(subject, options);
    for (const ratio of o.ratios) {
      const limit = dense / ratio;
      try {
        const { ranks, spent } = fit(analysis, { price, limit, multiple, plain: true });
        const bytes = rewrite(foreign, cutAt(analysis, ranks));
        const name = `${method} ${ratio}x`;
        const curve = { method, ratio: dense / spent };
        found.push({ name, bytes, weights: weightsOf(bytes), curve });
      } catch (error) {
        if (!(error instanceof KikitoriError)) throw error;
        o.progress(`${method}: no network is ${ratio} times smaller`);
      }
    }
  }
  return found;
}
