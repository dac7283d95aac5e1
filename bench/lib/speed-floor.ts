/**
 * What no program beats on this processor, measured beside the networks: the rate at which one core reads bytes, and the rate
 * at which the runtime multiplies bytes in a product as large as it likes.
 */
import type { InferenceSession } from 'onnxruntime-node';
import { GraphBuilder, microsoft } from '../../src/compress/graph/onnx.js';
import type { NetworkCheckpoint } from '../../src/compress/checkpoint.js';
import { loadOnnxRuntime } from '../../src/recognizer/index.js';

/** Processor time of this process, microseconds. */
function cpuUs(since: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since);
  return user + system;
}

/** More than the caches of today hold. */
const memoryBytesDefault = 256e6;

/** Bytes a microsecond at which one core reads, from memory and, so many bytes over and over, from its caches. */
export class Reading {
  private readonly far: Buffer;
  private readonly near: Buffer;
  private at = 0;

  constructor(nearBytes: number, memoryBytes = memoryBytesDefault) {
    this.far = Buffer.alloc(memoryBytes, 1);
    this.near = Buffer.alloc(nearBytes, 1);
    read(this.near);
  }

  /** A tenth of the far buffer, another one each time. */
  memory(): number {
    const part = Math.floor(this.far.length / 10);
    const from = part * (this.at++ % 10);
    const piece = this.far.subarray(from, from + part);
    const begin = process.cpuUsage();
    read(piece);
    return part / cpuUs(begin);
  }

  caches(times = 400): number {
    const begin = process.cpuUsage();
    for (let i = 0; i < times; i++) read(this.near);
    return (times * this.near.length) / cpuUs(begin);
  }
}

/** A search for a byte that is not there (memchr): all are read, by the widest instructions there are. */
function read(bytes: Buffer): void {
  if (bytes.indexOf(0) >= 0) throw new Error('the bytes are all 1');
}

/** Rows, and the sides of the square matrix that they are multiplied with. */
const [rows, side] = [256, 1024];

/** Products of bytes a microsecond: the operator of the 8-bit graphs, in its best case. */
export class ByteProducts {
  private constructor(private readonly session: InferenceSession) {}

  static async open(): Promise<ByteProducts> {
    const g = new GraphBuilder();
    const x = g.input('x', [rows, side], 'uint8');
    const scale = g.constant('scale', [], Float32Array.of(0.01));
    const zero = g.bytes('zero', [], Uint8Array.of(128));
    const weights = Uint8Array.from({ length: side * side }, (_, i) => (i * 2_654_435_761) >>> 24);
    const w = g.bytes('w', [side, side], weights);
    const inputs = [x, w, scale, scale, zero, zero];
    g.node('MatMulIntegerToFloat', inputs, ['y'], {}, microsoft);
    g.output('y', [rows, side]);
    const runtime = await loadOnnxRuntime();
    const session = await runtime.InferenceSession.create(g.build('products'), {
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      executionMode: 'sequential',
      logSeverityLevel: 3,
    });
    return new ByteProducts(session);
  }

  async rate(times = 4): Promise<number> {
    const { Tensor } = await loadOnnxRuntime();
    const x = new Tensor('uint8', new Uint8Array(rows * side).fill(129), [rows, side]);
    await this.session.run({ x });
    const begin = process.cpuUsage();
    for (let i = 0; i < times; i++) await this.session.run({ x });
    return (times * rows * side * side) / cpuUs(begin);
  }
}

/** Weights of a network's matrices: each is read, and multiplied, once a step. */
export function matrixWeights({ tensors }: Pick<NetworkCheckpoint, 'tensors'>): number {
  let sum = 0;
  for (const { shape, data } of tensors.values()) if (shape.length === 2) sum += data.length;
  return sum;
}

/** One round: rates in bytes and products a microsecond, and what a step of the network took beside them. */
export interface FloorRound {
  readonly rates: { readonly caches: number; readonly memory: number; readonly products: number };
  readonly hotUs: number;
  readonly pacedUs: number;
}

/** What one step of so many weights of a byte cannot cost less than, beside what it did cost, round by round. */
export class Floor {
  private readonly rounds: FloorRound[] = [];

  constructor(private readonly weights: number) {}

  add(round: FloorRound): void {
    this.rounds.push(round);
  }

  /** How many times a floor a step cost: what reading takes from there, or multiplying where that takes longer. */
  times(round: FloorRound, from: 'memory' | 'caches'): { hot: number; paced: number } {
    const floorUs = this.weights / Math.min(round.rates[from], round.rates.products);
    return { hot: round.hotUs / floorUs, paced: round.pacedUs / floorUs };
  }

  table(name: string): string {
    const row = (what: string, unit: string, of: keyof FloorRound['rates']) => {
      const rates = this.rounds.map(({ rates }) => rates[of]);
      const us = rates.map((rate) => this.weights / rate);
      return `| ${what} | ${(middle(rates) / 1000).toFixed(1)} ${unit} | ${spread(us)} |`;
    };
    const times = (from: 'memory' | 'caches', what: 'hot' | 'paced') =>
      spread(
        this.rounds.map((round) => this.times(round, from)[what]),
        1,
      );
    return [
      `floor of ${name}: ${this.weights} weights, each read and multiplied once a step`,
      '',
      '| | a second | us a step |',
      '|---|--:|--:|',
      row('weights from memory', 'GB', 'memory'),
      row('weights from the caches', 'GB', 'caches'),
      row('products of bytes', 'thousand million', 'products'),
      '',
      '| times the floor, 4 steps a call | hot | paced |',
      '|---|--:|--:|',
      `| floor: from memory, or the products | ${times('memory', 'hot')} | ${times('memory', 'paced')} |`,
      `| from the caches, or the products | ${times('caches', 'hot')} | |`,
      '',
    ].join('\n');
  }
}

export const middle = (list: readonly number[]): number =>
  [...list].sort((a, b) => a - b)[list.length >> 1] ?? NaN;

/** Median and quartiles. */
export function spread(list: readonly number[], digits = 0): string {
  const sorted = [...list].sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.floor(share * (sorted.length - 1))] ?? NaN;
  const text = (value: number) => value.toFixed(digits);
  return `${text(middle(list))} (${text(at(0.25))}-${text(at(0.75))})`;
}
