import { KikitoriError } from '../../runtime/errors.js';
import type { NetworkCheckpoint } from '../checkpoint.js';
import { floatArithmetic } from '../graph/arithmetic.js';
import { networkGraph } from '../graph/network.js';
import { GraphSession } from '../graph/session.js';
import { activationMax } from './grid.js';
import { Histogram } from './histogram.js';
import { activationNames, hiddenScale, namedScale } from './scales.js';

/** How a scale is chosen from what was seen: least mean squared error, a quantile of sizes, or the largest. */
export type ScaleRule = 'mse' | 'max' | { readonly quantile: number };

/** Fewer steps (30 ms each) say too little about a network. */
const stepsMin = 100;

/** Sizes of every activation of a network over calibration audio: rows of features, one array a clip. */
export async function observe(
  network: NetworkCheckpoint,
  clips: readonly Float32Array[],
): Promise<Map<string, Histogram>> {
  const steps = clips.reduce((sum, rows) => sum + rows.length, 0) / network.inputs;
  if (steps < stepsMin) {
    throw new KikitoriError(`the calibration audio gives ${Math.floor(steps)} steps of 30 ms`, {
      kind: 'input',
      expected: `at least ${stepsMin}; a minute or more of speech like what will be heard`,
    });
  }
  const names = activationNames(network);
  const seen = new Map(names.map((name) => [name, new Histogram()]));
  const graph = networkGraph(network, floatArithmetic('float32'), { taps: true });
  const session = await GraphSession.open(graph, network.inputs);
  for (const rows of clips) {
    if (rows.length === 0) continue;
    const out = await session.run(rows);
    for (const name of names)
      seen.get(name)?.add(name === 'input' ? rows : (out.get(`tap.${name}`) ?? []));
  }
  await session.release();
  for (const [name, histogram] of seen) {
    if (histogram.largest > 0 && Number.isFinite(histogram.largest)) continue;
    throw new KikitoriError(`${name} is ${histogram.largest} throughout the calibration audio`, {
      kind: 'input',
      expected: 'audio with speech in it',
      hint: 'a silent recording calibrates nothing',
    });
  }
  return seen;
}

/** A static scale for each activation; `named` ones (of a trainer) are kept as they are. */
export function chooseScales(
  seen: ReadonlyMap<string, Histogram>,
  rule: ScaleRule,
  named: Readonly<Record<string, number>> = {},
): Record<string, number> {
  const scales: Record<string, number> = {};
  for (const [name, histogram] of seen) {
    const chosen = namedScale(named, name) ?? scaleFor(histogram, rule);
    // |h| < 1 whatever is said: a larger grid would only be coarser.
    scales[name] = Math.fround(name.startsWith('h.') ? Math.min(chosen, hiddenScale) : chosen);
  }
  return scales;
}

function scaleFor(histogram: Histogram, rule: ScaleRule): number {
  const largest = histogram.largest / activationMax;
  if (rule === 'max') return largest;
  if (rule !== 'mse') return histogram.quantile(rule.quantile) / activationMax;
  let best = largest;
  let least = histogram.gridError(best, activationMax);
  for (let share = 0.98; share > 0.02; share -= 0.02) {
    const error = histogram.gridError(share * largest, activationMax);
    if (error < least) [best, least] = [share * largest, error];
  }
  return best;
}
