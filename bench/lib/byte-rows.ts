/** Tables of bytes: weights in 8 and 4 bits, what they cost and what a bundle then stores; and what general compressors make of a file. */
import { brotliCompressSync, constants, deflateSync } from 'node:zlib';
import { Bundle } from '../../src/bundle/index.js';
import {
  parameterCount,
  readCheckpoint,
  type Checkpoint,
  type NetworkCheckpoint,
  type Tensor,
} from '../../src/compress/checkpoint.js';
import { storedBytesOf } from '../../src/compress/pack.js';
import { rowsAs, type IntegerFormat } from '../../src/compress/quantize/formats.js';
import { dequantizeRows, quantizeRows } from '../../src/compress/quantize/grid.js';
import { onNearest, roundNetwork } from '../../src/compress/quantize/least-squares.js';
import { graphInBytes } from '../../src/compress/quantize/mixed.js';
import { rateOf, type Part } from '../../src/measure/evaluate/paired.js';

export const print = (line: string): void => void process.stdout.write(`${line}\n`);

interface Shown {
  /** Of the rows that were kept. */
  readonly features: Checkpoint['features'];
  readonly pieces: () => Promise<readonly Float32Array[]>;
  readonly heardBy: (network: NetworkCheckpoint) => Promise<Part[]>;
  readonly pairs: (before: readonly Part[], after: readonly Part[]) => string;
  /** A network as name=FILE, or name=FILE=FILE: the second is the first trained on in 4 bits. */
  readonly networks: readonly string[];
}

const shipped = 'models/compressed/kikitori-en-2.07x-mild.safetensors';

export async function byteRows(s: Shown): Promise<void> {
  print(
    '| network | weights | model.onnx | as stored | times fewer | phone error | added, points |',
  );
  print('|---|---|--:|--:|--:|--:|--:|');
  const given = s.networks.length > 0 ? s.networks : [`kikitori-en 0.11.0=${shipped}`];
  for (const text of given) {
    const [name = '', path = '', trained] = text.split('=');
    await rowsOf(s, name, await readCheckpoint(path), trained);
  }
  if (s.networks.length === 0) await compressors();
}

async function rowsOf(
  { features, pieces, heardBy, pairs }: Shown,
  name: string,
  network: Checkpoint,
  trained: string | undefined,
): Promise<void> {
  if (JSON.stringify(network.features) !== JSON.stringify(features))
    throw new Error(`${name} hears other features`);
  const before = await heardBy(network);
  const float = 4 * parameterCount(network);
  const row = async (how: string, made: Checkpoint, format: IntegerFormat | 'float32') => {
    const { file, stored } =
      format === 'float32' ? { file: float, stored: float } : sizes(made, format);
    const parts = await heardBy(format === 'float32' ? made : rounded(made, format));
    const added = made === network && format === 'float32' ? '' : pairs(before, parts);
    const count = [file, stored].map((v) => v.toLocaleString('en'));
    print(
      `| ${name} | ${how} | ${count.join(' | ')} | ${(float / stored).toFixed(1)} | ${(100 * rateOf(parts)).toFixed(1)} % | ${added} |`,
    );
  };
  await row('float32', network, 'float32');
  await row('8 bits', network, 'uint8');
  await row('4 bits, nearest', onNearest(network), 'int4');
  await row('4 bits, least squares', await roundNetwork(network, await pieces()), 'int4');
  if (trained !== undefined) await row('4 bits, trained', await readCheckpoint(trained), 'int4');
}

/** The network file, and what a bundle stores of it. */
function sizes(network: Checkpoint, format: IntegerFormat): { file: number; stored: number } {
  const onnx = graphInBytes(network, format);
  return { file: onnx.length, stored: storedBytesOf(onnx) };
}

const matrices = (network: NetworkCheckpoint) =>
  [...network.tensors].filter(([, tensor]) => tensor.shape.length === 2);

/** What the integers stand for, as a network in float. */
function rounded(network: Checkpoint, format: IntegerFormat): Checkpoint {
  const tensors = new Map<string, Tensor>(network.tensors);
  for (const [name, w] of matrices(network))
    tensors.set(name, dequantizeRows(rowsAs(format, name, w)));
  return { ...network, tensors };
}

/** The bytes of a network as its file has them, and in other orders, by what Node brings. */
async function compressors(): Promise<void> {
  const network = await readCheckpoint(shipped);
  const bundle = await Bundle.open('models/kikitori-en');
  const orders: [string, Uint8Array][] = [
    ['model.onnx of the bundle, 8 bits', bundle.file('model.onnx')],
    ['8-bit weights, row by row', weightsAs(network, (q) => q)],
    ['8-bit weights, column by column', weightsAs(network, turned)],
    ['8-bit weights, each less the one before', weightsAs(network, differences)],
    ['the whole bundle', bundleBytes(bundle)],
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

const bundleBytes = (bundle: Bundle): Uint8Array =>
  Buffer.concat(
    ['manifest.json', 'model.onnx', 'lexicon', 'selftest.wav'].map((file) => bundle.file(file)),
  );
