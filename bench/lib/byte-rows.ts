/** Tables of bytes: weights in 4 bits before any training, and what general compressors make of the file. */
import { brotliCompressSync, constants, deflateSync } from 'node:zlib';
import { Bundle } from '../../src/bundle/index.js';
import {
  parameterCount,
  readCheckpoint,
  tensorOf,
  type Checkpoint,
  type NetworkCheckpoint,
  type Tensor,
} from '../../src/compress/checkpoint.js';
import {
  fromTensor,
  identity,
  timesInverse,
  toTensor,
  type Mat,
} from '../../src/compress/factorize/matrix.js';
import { calibrationOf, hear } from '../../src/compress/factorize/hearing.js';
import { delayed, Products, type Rows } from '../../src/compress/factorize/rows.js';
import { quantizeRows } from '../../src/compress/quantize/grid.js';
import { rateOf, type Part } from '../../src/measure/evaluate/paired.js';
import { adaptive, gridOf, groupOf, nearest } from './four-bits.js';

export const print = (line: string): void => void process.stdout.write(`${line}\n`);

interface Shown {
  /** Of the rows that were kept. */
  readonly features: Checkpoint['features'];
  readonly pieces: () => Promise<readonly Float32Array[]>;
  readonly heardBy: (network: NetworkCheckpoint) => Promise<Part[]>;
  readonly pairs: (before: readonly Part[], after: readonly Part[]) => string;
}

const files = [
  ['3.28x, as fine-tuned (0.4.0)', 'models/compressed/kikitori-en-3.28x.safetensors'],
  ['0.9.0', 'models/compressed/kikitori-en-3.28x-rivals.safetensors'],
  ['the one that ships (0.10.0)', 'models/compressed/kikitori-en-3.28x-mild.safetensors'],
] as const;

export async function byteRows({ features, pieces, heardBy, pairs }: Shown): Promise<void> {
  print('| network | weights | bytes of the weights | phone error | added, points |');
  print('|---|---|--:|--:|--:|');
  const data = await pieces();
  for (const [name, path] of files) {
    const network = await readCheckpoint(path);
    if (JSON.stringify(network.features) !== JSON.stringify(features))
      throw new Error(`${path} hears other features`);
    const before = await heardBy(network);
    const row = (how: string, bytes: number, parts: readonly Part[]) =>
      print(
        `| ${name} | ${how} | ${Math.ceil(bytes).toLocaleString('en')} | ${(100 * rateOf(parts)).toFixed(1)} % | ${parts === before ? '' : pairs(before, parts)} |`,
      );
    const size = sizes(network);
    row('float32', 4 * parameterCount(network), before);
    row('8 bits a weight, a scale a row', size.eight, await heardBy(mapped(network, inEight)));
    const four = mapped(network, (w) => nearest(w, gridOf(w)));
    row(`4 bits, groups of ${groupOf}, nearest`, size.four, await heardBy(four));
    row('the same, by least squares', size.four, await heardBy(await fitted(network, data)));
  }
  await compressors();
}

const matrices = (network: NetworkCheckpoint) =>
  [...network.tensors].filter(([, tensor]) => tensor.shape.length === 2);

function mapped(
  network: NetworkCheckpoint,
  round: (w: Mat, name: string) => Mat,
): NetworkCheckpoint {
  const tensors = new Map<string, Tensor>(network.tensors);
  for (const [name, tensor] of matrices(network))
    tensors.set(name, toTensor(round(fromTensor(tensor), name)));
  return { ...network, tensors };
}

function inEight(w: Mat): Mat {
  const { q, scales } = quantizeRows(toTensor(w));
  return {
    ...w,
    data: w.data.map((_, i) => (scales[Math.floor(i / w.cols)] ?? 0) * ((q[i] ?? 0) - 128)),
  };
}

/** Bytes of all weights, their scales and the biases. */
function sizes(network: NetworkCheckpoint): { readonly eight: number; readonly four: number } {
  let [eight, four] = [0, 0];
  for (const [, { shape, data }] of network.tensors) {
    const [rows = 0, cols = 0] = shape;
    const matrix = shape.length === 2;
    eight += matrix ? data.length + 4 * rows : 4 * data.length;
    // Half a byte a weight, a byte for each group's multiple, four for each row's scale.
    four += matrix
      ? data.length / 2 + rows * Math.ceil(cols / groupOf) + 4 * rows
      : 4 * data.length;
  }
  return { eight, four };
}

/** Each matrix rounded by what it reads in this network on calibration data. */
async function fitted(
  network: NetworkCheckpoint,
  pieces: readonly Float32Array[],
): Promise<NetworkCheckpoint> {
  const data = calibrationOf(pieces, network.inputs);
  const heard = await hear(network, data);
  const products = await Products.open();
  const inverses = new Map<string, Mat>();
  const second = async (rows: Rows): Promise<Mat> => {
    const gram = await products.sum(rows, rows);
    const n = gram.rows;
    let trace = 0;
    for (let i = 0; i < n; i++) trace += gram.data[i * n + i] ?? 0;
    for (let i = 0; i < n; i++)
      gram.data[i * n + i] = (gram.data[i * n + i] ?? 0) + (0.01 * trace) / n;
    return timesInverse(identity(n), gram);
  };
  let below = data.input;
  if (network.inputRank > 0) {
    inverses.set('input.projection', await second(below));
    below = await products.through(below, fromTensor(tensorOf(network, 'input.projection')));
  }
  for (const [l, h] of heard.h.entries()) {
    const p = await products.through(h, fromTensor(tensorOf(network, `lstm.${l}.projection`)));
    inverses.set(`lstm.${l}.weight_ih`, await second(below));
    inverses.set(`lstm.${l}.weight_hh`, await second(delayed(p, data.starts)));
    inverses.set(`lstm.${l}.projection`, await second(h));
    below = p;
  }
  inverses.set('output.weight', await second(below));
  await products.close();
  return mapped(network, (w, name) =>
    adaptive(w, gridOf(w), inverses.get(name) ?? identity(w.cols)),
  );
}

/** The bytes of a network as its file has them, and in other orders, by what Node brings. */
async function compressors(): Promise<void> {
  const network = await readCheckpoint(files[1][1]);
  const shipped = await Bundle.open('models/kikitori-en');
  const orders: [string, Uint8Array][] = [
    ['model.onnx of the bundle, 8 bits', shipped.file('model.onnx')],
    ['8-bit weights, row by row', weightsAs(network, (q) => q)],
    ['8-bit weights, column by column', weightsAs(network, turned)],
    ['8-bit weights, each less the one before', weightsAs(network, differences)],
    ['4-bit weights, two a byte, without scales', fourBits(network)],
    ['the whole bundle', bundleBytes(shipped)],
  ];
  print('\n| what | bytes | deflate -9 | brotli -11 | of 0-order entropy |');
  print('|---|--:|--:|--:|--:|');
  for (const [name, bytes] of orders) {
    const brotli = brotliCompressSync(bytes, {
      params: {
        [constants.BROTLI_PARAM_QUALITY]: 11,
        [constants.BROTLI_PARAM_LGWIN]: 24,
        [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
      },
    }).length;
    const deflate = deflateSync(bytes, { level: 9 }).length;
    const all = [bytes.length, deflate, brotli, Math.ceil(entropyBytes(bytes))];
    print(`| ${name} | ${all.map((v) => v.toLocaleString('en')).join(' | ')} |`);
  }
}

function entropyBytes(bytes: Uint8Array): number {
  const counts = new Float64Array(256);
  for (const b of bytes) counts[b] = (counts[b] ?? 0) + 1;
  return counts.reduce((sum, c) => (c === 0 ? sum : sum - c * Math.log2(c / bytes.length)), 0) / 8;
}

type Order = (q: Uint8Array, rows: number, cols: number) => Uint8Array;

const turned: Order = (q, rows, cols) =>
  q.map((_, i) => q[(i % rows) * cols + Math.floor(i / rows)] ?? 0);
const differences: Order = (q) => q.map((v, i) => (v - (q[i - 1] ?? 0)) & 0xff);

function weightsAs(network: NetworkCheckpoint, order: Order): Uint8Array {
  return Buffer.concat(
    matrices(network).map(([, tensor]) => {
      const [rows = 0, cols = 0] = tensor.shape;
      return order(quantizeRows(tensor).q, rows, cols);
    }),
  );
}

function fourBits(network: NetworkCheckpoint): Uint8Array {
  const nibbles = matrices(network).flatMap(([, tensor]) => {
    const w = fromTensor(tensor);
    const grid = gridOf(w);
    const near = nearest(w, grid);
    return [...near.data].map(
      (v, i) => 8 + Math.round(v / grid.step(Math.floor(i / w.cols), i % w.cols)),
    );
  });
  return Uint8Array.from(
    { length: Math.ceil(nibbles.length / 2) },
    (_, i) => (nibbles[2 * i] ?? 8) | ((nibbles[2 * i + 1] ?? 8) << 4),
  );
}

const bundleBytes = (bundle: Bundle): Uint8Array =>
  Buffer.concat(
    ['manifest.json', 'model.onnx', 'lexicon', 'selftest.wav'].map((file) => bundle.file(file)),
  );
