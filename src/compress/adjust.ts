import { KikitoriError } from '../runtime/errors.js';
import { tensorOf, tensorShapes, type Checkpoint, type NetworkCheckpoint } from './checkpoint.js';

/**
 * The same network with the floor of its log energies raised by `db` decibels. What is quieter than the floor drowns
 * in it, above all the noise between words. No weight changes, nor does the cost (docs/adr/0031-log-floor.md).
 *
 * log(g E + f) = log g + log(E + f / g). So a floor raised by 1 / g, with the means moved by -log g, equals audio made
 * quieter by g before the old floor.
 */
export function withRaisedFloor(c: Checkpoint, db: number): Checkpoint {
  const factor = 10 ** (db / 10);
  const { logFloor, mean } = c.features;
  const moved = Math.log(factor);
  return {
    ...c,
    features: { ...c.features, logFloor: logFloor * factor, mean: mean.map((m) => m + moved) },
  };
}

/**
 * Weight averaging: (1 - share) of each weight of `from`, and `share` of `to`, its fine-tuning. The networks in between
 * keep more of what `from` knew of other voices and noises. They are often better than both (Wortsman et al., Robust
 * fine-tuning of zero-shot models, 2022). Features, units and notes on training are `to`'s. Scales of activations are
 * left out: they hold for one network.
 */
export function blended<T extends NetworkCheckpoint>(from: T, to: T, share: number): T {
  const faults = differences(from, to);
  if (faults.length > 0)
    throw new KikitoriError(`the two are not one network before and after: ${faults.join('; ')}`, {
      kind: 'input',
      expected: 'the same shape, features and units',
    });
  const tensors = new Map(
    [...tensorShapes(to).keys()].map((name) => {
      const [a, b] = [tensorOf(from, name).data, tensorOf(to, name)];
      return [
        name,
        { shape: b.shape, data: b.data.map((v, i) => (1 - share) * (a[i] ?? 0) + share * v) },
      ];
    }),
  );
  const training = { ...to.training, blend: { share } };
  return { ...to, tensors, training, quantization: undefined };
}

function differences(a: NetworkCheckpoint, b: NetworkCheckpoint): string[] {
  const faults: string[] = [];
  const compare = (name: string, x: unknown, y: unknown) => {
    const [one, two] = [JSON.stringify(x), JSON.stringify(y)];
    if (one !== two) faults.push(`${name} ${shown(one)} and ${shown(two)}`);
  };
  for (const key of ['kind', 'layers', 'ranks', 'inputRank', 'inputs', 'outputs', 'units'] as const)
    compare(key, a[key], b[key]);
  compare('features', a.features, b.features);
  return faults;
}

const shown = (text: string | undefined) =>
  text === undefined ? 'none' : text.length > 60 ? `${text.slice(0, 57)}...` : text;
