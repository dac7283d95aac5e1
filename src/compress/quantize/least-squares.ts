/**
 * Weights in 4 bits for a network that was not trained so: each matrix rounded by what it reads on calibration data.
 * Column after column, each error made good by the columns that are not rounded yet, by least squares (optimal brain
 * quantisation in fixed order; Frantar et al., GPTQ, 2022).
 */
import { nibbleGroup, nibbleMax } from '../../bundle/index.js';
import { tensorOf, type NetworkCheckpoint, type Tensor } from '../checkpoint.js';
import { calibrationOf, hear } from '../factorize/hearing.js';
import { fromTensor, identity, timesInverse, toTensor, type Mat } from '../factorize/matrix.js';
import { delayed, Products, type Rows } from '../factorize/rows.js';
import { inNibbles, rowsAs } from './formats.js';
import { dequantizeRows } from './grid.js';
import { nearestNibble, nibbleGrid } from './nibble-grid.js';

/** Of the mean square of what a matrix reads, added to each: directions that are never heard stay bounded. */
const ridge = 0.01;

/** Rounds a matrix; `inverse`: of the second moments of its inputs. The result is on the grid of 4 bits. */
export function roundedByReading(w: Tensor, inverse: Mat): Tensor {
  const [rows = 0, cols = 0] = w.shape;
  const groups = Math.ceil(cols / nibbleGroup);
  const { scales, multiples, pinned } = nibbleGrid(w);
  const { data } = fromTensor(w);
  const h = inverse.data.slice();
  for (let k = 0; k < cols; k++) {
    const pivot = h[k * cols + k] ?? 1;
    for (let o = 0; o < rows; o++) {
      const v = data[o * cols + k] ?? 0;
      const step = (scales[o] ?? 1) * (multiples[o * groups + Math.floor(k / nibbleGroup)] ?? 1);
      const free = nearestNibble(v, step);
      const q = pinned[o] === k ? nibbleMax * Math.sign(w.data[o * cols + k] ?? 0) : free;
      data[o * cols + k] = step * q;
      const error = (v - step * q) / pivot;
      for (let j = k + 1; j < cols; j++)
        data[o * cols + j] = (data[o * cols + j] ?? 0) - error * (h[k * cols + j] ?? 0);
    }
    // The inverse of what is left.
    for (let i = k + 1; i < cols; i++) {
      const share = (h[i * cols + k] ?? 0) / pivot;
      for (let j = k + 1; j < cols; j++)
        h[i * cols + j] = (h[i * cols + j] ?? 0) - share * (h[k * cols + j] ?? 0);
    }
  }
  return toTensor({ rows, cols, data });
}

/** How weights get to the grid when no trainer put them there. */
export type Rounding = 'least-squares' | 'nearest';
export const isRounding = (v: string): v is Rounding => v === 'least-squares' || v === 'nearest';

/** Every matrix that is stored in 4 bits, rounded to nearest. */
export function onNearest<T extends NetworkCheckpoint>(network: T): T {
  const tensors = new Map(network.tensors);
  for (const [name, w] of tensors)
    if (inNibbles(name, w)) tensors.set(name, dequantizeRows(rowsAs('int4', name, w)));
  return { ...network, tensors };
}

/** Every matrix that is stored in 4 bits, rounded by what it reads in this network. `pieces`: rows of features, one array a clip. */
export async function roundNetwork<T extends NetworkCheckpoint>(
  network: T,
  pieces: readonly Float32Array[],
): Promise<T> {
  const tensors = new Map(network.tensors);
  const products = await Products.open();
  try {
    const inverses = await inversesOf(network, pieces, products);
    for (const [name, tensor] of tensors) {
      if (!inNibbles(name, tensor)) continue;
      const inverse = inverses.get(name);
      if (inverse === undefined) throw new Error(`nobody knows what ${name} reads`);
      tensors.set(name, roundedByReading(tensor, inverse));
    }
  } finally {
    await products.close();
  }
  return { ...network, tensors };
}

async function inversesOf(
  network: NetworkCheckpoint,
  pieces: readonly Float32Array[],
  products: Products,
): Promise<Map<string, Mat>> {
  const data = calibrationOf(pieces, network.inputs);
  const heard = await hear(network, data);
  const inverses = new Map<string, Mat>();
  let below = data.input;
  if (network.inputRank > 0) {
    inverses.set('input.projection', await inverseOf(below, products));
    below = await products.through(below, fromTensor(tensorOf(network, 'input.projection')));
  }
  for (const [l, h] of heard.h.entries()) {
    let p = h;
    if (network.kind === 'lstmp') {
      const name = `lstm.${l}.projection`;
      inverses.set(name, await inverseOf(h, products));
      p = await products.through(h, fromTensor(tensorOf(network, name)));
    }
    inverses.set(`lstm.${l}.weight_ih`, await inverseOf(below, products));
    inverses.set(`lstm.${l}.weight_hh`, await inverseOf(delayed(p, data.starts), products));
    below = p;
  }
  return inverses;
}

async function inverseOf(rows: Rows, products: Products): Promise<Mat> {
  const gram = await products.sum(rows, rows);
  const n = gram.rows;
  let trace = 0;
  for (let i = 0; i < n; i++) trace += gram.data[i * n + i] ?? 0;
  for (let i = 0; i < n; i++)
    gram.data[i * n + i] = (gram.data[i * n + i] ?? 0) + (ridge * trace) / n;
  return timesInverse(identity(n), gram);
}
