import { tensorOf, type NetworkCheckpoint, type Tensor } from '../checkpoint.js';
import { basisOf, projection, type Reader } from './basis.js';
import type { Costs } from './factorize.js';
import { calibrationOf, hear, projectedOf } from './hearing.js';
import { add, fromTensor, multiply, timesInverse, toTensor, zeros, type Mat } from './matrix.js';
import { metricOf, MomentSums } from './moments.js';
import { beside, delayed, ones, Products, rowsIn, weighted, type Rows } from './rows.js';
import { blankShift, phonesIn, withBlank } from './blank.js';
import { fitSoftmax, meanDivergence, ridged, softmaxOf } from './softmax-fit.js';

export interface RefitOptions {
  /** What an error in a pre-activation costs: the projections are chosen anew with it. Absent: they stay. */
  readonly costs?: Costs;
  /** Times that each layer hears itself and is fitted to what it heard. */
  readonly rounds?: number;
  /** What a squared weight costs, in squared errors a step: keeps chance out. */
  readonly ridge?: number;
  /** Every step counts as much. */
  readonly unweighted?: boolean;
  /** The blank's bias is left as the posteriors want it, though fewer phones are heard so. */
  readonly calmBlank?: boolean;
  readonly progress?: (line: string) => void;
}

export interface Refitted {
  readonly network: NetworkCheckpoint;
  readonly steps: number;
  /** From the dense network's posteriors on the calibration data, nats a step. */
  readonly divergence: number;
  /** What was added to the blank's bias. */
  readonly blank: number;
}

/**
 * A factored network of speech fitted again, layer after layer, to what it hears itself: linear regression, no
 * back-propagation. Its factors hold on the dense network's activations. Behind layers that were cut already, and behind
 * its own recurrent state, a layer hears others. From the bottom up:
 *
 *     P of the layer: as data-aware, the moments of h weighted by how much each step matters
 *     once on the dense network's h, then `rounds` times on what the layer gives on the factored layers below:
 *     [Z_x Z_h b] = argmin sum_t s_t |Z_x p_t(l-1) + Z_h p_{t-1}(l) + b - a_t|^2 + ridge |Z|^2
 *
 * a_t is the dense network's pre-activation at the same step of the same data, s_t the weight of the step. So errors of
 * the layers below, and of a moment ago, are made good. At last the output layer, by divergence from the dense posteriors;
 * and the bias of the blank, so that as many phones are heard as the dense network hears: who is less sure says nothing
 * more often.
 *
 * `pieces`: calibration data, [steps, inputs] each, heard from zero state.
 */
export async function refit(
  dense: NetworkCheckpoint,
  factored: NetworkCheckpoint,
  pieces: readonly Float32Array[],
  options: RefitOptions = {},
): Promise<Refitted> {
  const {
    costs,
    rounds = 2,
    ridge = 3e-3,
    unweighted = false,
    calmBlank = false,
    progress,
  } = options;
  const { input, starts } = calibrationOf(pieces, dense.inputs);
  const steps = rowsIn(input);
  const products = await Products.open();
  try {
    progress?.(`hearing the dense network on ${steps} steps`);
    const wanted = await hear(dense, { input, starts });
    const posteriors = softmaxOf(wanted.logits);
    const matters = unweighted ? new Float64Array(steps).fill(1) : importance(posteriors, starts);
    const tensors = new Map(factored.tensors);
    const own = { ...factored, tensors };
    let below =
      own.inputRank === 0
        ? input
        : await products.through(input, fromTensor(tensorOf(own, 'input.projection')));
    for (const [l, h] of wanted.h.entries()) {
      progress?.(`fitting layer ${l} to what it hears`);
      if (costs !== undefined)
        tensors.set(
          `lstm.${l}.projection`,
          await directions(dense, own, l, h, costs, matters, products),
        );
      const projected = fromTensor(tensorOf(own, `lstm.${l}.projection`));
      const before = { x: l === 0 ? input : (wanted.h[l - 1] ?? input), h: delayed(h, starts) };
      let p = await products.through(h, projected);
      for (let round = 0; round <= rounds; round++) {
        const seen = beside(below, delayed(p, starts), ones(steps));
        const all = weighted(seen, matters);
        // sum a u^T = W_x sum x u^T + W_h sum h u^T + b sum u^T: no row of a is ever made.
        const target = [
          multiply(matrixOf(dense, l, 'weight_ih'), await products.sum(before.x, all)),
          multiply(matrixOf(dense, l, 'weight_hh'), await products.sum(before.h, all)),
          multiply(matrixOf(dense, l, 'bias'), await products.sum(ones(steps), all)),
        ].reduce(add);
        const gram = ridged(await products.sum(seen, all), ridge * steps);
        const fitted = timesInverse(target, gram);
        const width = below.cols + projected.rows;
        tensors.set(`lstm.${l}.weight_ih`, toTensor(columnsOf(fitted, 0, below.cols)));
        tensors.set(`lstm.${l}.weight_hh`, toTensor(columnsOf(fitted, below.cols, width)));
        tensors.set(`lstm.${l}.bias`, biasOf(fitted));
        p = await projectedOf(own, l, below, starts);
      }
      below = p;
    }
    progress?.('fitting the outputs');
    // Near the end already: steps of the softmax are short.
    const seen = beside(below, ones(steps));
    const all = weighted(seen, matters);
    const target = add(
      multiply(
        fromTensor(tensorOf(dense, 'output.weight')),
        await products.sum(wanted.h.at(-1) ?? input, all),
      ),
      multiply(fromTensor(tensorOf(dense, 'output.bias')), await products.sum(ones(steps), all)),
    );
    const begin = timesInverse(target, ridged(await products.sum(seen, all), ridge * steps));
    // Logits are large, and few weights see many steps: any pull to smaller ones costs more than chance.
    const output = await fitSoftmax(products, below, posteriors, { ridge: 1e-6, begin });
    tensors.set('output.weight', toTensor(columnsOf(output, 0, below.cols)));
    const logits = await products.through(seen, output);
    const calm = meanDivergence(posteriors, softmaxOf(logits));
    const shift = calmBlank ? 0 : blankShift(logits, phonesIn(wanted.logits, starts), starts);
    const moved = meanDivergence(posteriors, softmaxOf(withBlank(logits, shift)));
    // Where units lie side by side, counting them says nothing.
    const blank = moved <= dearest * calm ? shift : 0;
    const bias = biasOf(output);
    bias.data[0] = (bias.data[0] ?? 0) + blank;
    tensors.set('output.bias', bias);
    return {
      network: { ...own, quantization: undefined },
      ...{ steps, blank, divergence: blank === 0 ? calm : moved },
    };
  } finally {
    await products.close();
  }
}

/** How many times the divergence the right number of phones may cost. */
const dearest = 1.1;

/** Steps ahead in which an error of now is still heard: 180 ms. */
const reach = 6;
const least = 0.1;

/**
 * How much a step matters, 1 on average: how undecided the posteriors are then and in the next steps (1 - sum y^2, the
 * trace of the second derivative of their divergence), and a tenth more. In silence nothing can go wrong.
 */
export function importance({ cols, data }: Rows, starts: Uint8Array): Float64Array {
  const steps = starts.length;
  const open = Float64Array.from({ length: steps }, (_, t) =>
    data.subarray(t * cols, (t + 1) * cols).reduce((rest, y) => rest - y * y, 1),
  );
  const ahead = open.map((_, t) => {
    let [sum, count] = [0, 0];
    for (let k = t; k < Math.min(steps, t + reach); k++) {
      if (k > t && starts[k] === 1) break;
      sum += open[k] ?? 0;
      count++;
    }
    return sum / count;
  });
  const mean = ahead.reduce((a, b) => a + b, 0) / Math.max(steps, 1);
  return ahead.map((v) => (mean > 0 ? (v / mean + least) / (1 + least) : 1));
}

/** P of a layer by weighted moments of the dense network's h; see basisOf. */
async function directions(
  dense: NetworkCheckpoint,
  { ranks }: NetworkCheckpoint,
  l: number,
  h: Rows,
  costs: Costs,
  matters: Float64Array,
  products: Products,
): Promise<Tensor> {
  const sums = new MomentSums(h.cols);
  const all = weighted(h, matters);
  const sum = await products.sum(ones(rowsIn(h)), all);
  sums.add(rowsIn(h), sum.data, (await products.sum(h, all)).data);
  const top = l + 1 === dense.layers.length;
  const readers: Reader[] = [
    { weight: matrixOf(dense, l, 'weight_hh'), rowCosts: costs.layers[l] ?? [] },
    top
      ? { weight: fromTensor(tensorOf(dense, 'output.weight')), rowCosts: costs.output }
      : { weight: matrixOf(dense, l + 1, 'weight_ih'), rowCosts: costs.layers[l + 1] ?? [] },
  ];
  const basis = basisOf(readers, metricOf(sums.moments(), `layer ${l}`));
  return toTensor(projection(basis, ranks[l] ?? 0));
}

const matrixOf = (network: NetworkCheckpoint, l: number, name: string): Mat =>
  fromTensor(tensorOf(network, `lstm.${l}.${name}`));

function columnsOf({ rows, cols, data }: Mat, from: number, to: number): Mat {
  const out = zeros(rows, to - from);
  for (let i = 0; i < rows; i++)
    out.data.set(data.subarray(i * cols + from, i * cols + to), i * (to - from));
  return out;
}

const biasOf = (fitted: Mat): Tensor => ({
  shape: [fitted.rows],
  data: Float32Array.from(columnsOf(fitted, fitted.cols - 1, fitted.cols).data),
});
