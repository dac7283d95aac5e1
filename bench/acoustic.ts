/**
 * The cost of one 30 ms step of the network, form by form, interleaved in one run:
 *   node dist/bench/acoustic.js [--checkpoint FILE] [--rank N] [--rounds N]
 * hot: call after call, in CPU time, so that what else runs counts less; load time too. paced: one call of 4 steps each 120 ms, as when live, caches cold.
 * floor: what the factored 8-bit network, computed as it ships, could cost at best: its weights read once a step from memory, or its products at
 * the rate of a large 8-bit product, whichever is longer; the same with the weights in the processor's caches, where a hot
 * network has them. Measured in each round beside the network, and the ratio taken within the round.
 * A call that does nothing: the same tensors in and out, and no network between.
 * Memory: what a process of its own grows by when it loads the graph and runs it.
 * Weights are random, small enough that the recurrence is stable; --checkpoint gives their shapes.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setImmediate } from 'node:timers/promises';
import { parseArgs, promisify } from 'node:util';
import type { InferenceSession, Tensor } from 'onnxruntime-node';
import {
  readNetwork,
  tensorShapes,
  type NetworkCheckpoint,
  type Tensor as Weights,
} from '../src/compress/checkpoint.js';
import { randomFrom } from '../src/measure/evaluate/statistics.js';
import { buildGraph } from '../src/compress/graph/build.js';
import { activationNames } from '../src/compress/quantize/scales.js';
import { loadOnnxRuntime } from '../src/recognizer/index.js';
import { readIntegerNetwork } from '../src/recognizer/kernel/read-network.js';
import { StepKernel, type KernelState } from '../src/recognizer/kernel/step-kernel.js';
import { denseDynamicGraph } from './lib/dense-dynamic.js';
import { emptyGraph } from './lib/empty-graph.js';
import { ByteProducts, Floor, matrixWeights, middle, Reading, spread } from './lib/speed-floor.js';

const { values } = parseArgs({
  options: {
    checkpoint: { type: 'string' },
    rank: { type: 'string', default: '64' },
    rounds: { type: 'string', default: '11' },
    memory: { type: 'string' },
    form: { type: 'string', default: '' },
  },
});
const runtime = await loadOnnxRuntime();

const cpuUs = (since: NodeJS.CpuUsage): number => {
  const { user, system } = process.cpuUsage(since);
  return user + system;
};

/** A network and one utterance's state in it. */
abstract class Candidate {
  readonly hot = new Map<number, number[]>([
    [1, []],
    [4, []],
  ]);
  readonly paced: number[] = [];
  private readonly made = new Map<number, Float32Array>();

  protected constructor(
    readonly loadMs: number,
    protected readonly inputs: number,
  ) {}

  /** What `form` says of a network's file: how it is loaded. */
  static open(onnx: Uint8Array, form: string): Promise<Candidate> {
    return form === kernelForm ? KernelCandidate.load(onnx) : RuntimeCandidate.load(onnx);
  }

  protected abstract run(rows: Float32Array, steps: number): Promise<void>;

  /** Microseconds of one call. */
  async call(steps: number): Promise<number> {
    const rows = this.rows(steps);
    const begin = performance.now();
    await this.run(rows, steps);
    return (performance.now() - begin) * 1000;
  }

  /** Made once: 1,280 sines take a third of the time that a call of 4 steps takes. */
  private rows(steps: number): Float32Array {
    const length = steps * this.inputs;
    const made =
      this.made.get(steps) ?? Float32Array.from({ length }, (_, i) => Math.sin(i * 12.9));
    this.made.set(steps, made);
    return made;
  }

  async measureHot(steps: number, calls: number): Promise<void> {
    const begin = process.cpuUsage();
    for (let i = 0; i < calls; i++) await this.call(steps);
    this.hot.get(steps)?.push(cpuUs(begin) / calls / steps);
  }
}

class RuntimeCandidate extends Candidate {
  private state: Record<string, Tensor> = {};

  private constructor(
    private readonly session: InferenceSession,
    loadMs: number,
    inputs: number,
  ) {
    super(loadMs, inputs);
    for (const meta of session.inputMetadata) {
      if (meta.name === 'features' || !meta.isTensor) continue;
      const shape = meta.shape.map(Number);
      const zeros = new Float32Array(shape.reduce((a, b) => a * b, 1));
      this.state[meta.name] = new runtime.Tensor('float32', zeros, shape);
    }
  }

  static async load(onnx: Uint8Array): Promise<RuntimeCandidate> {
    const begin = process.cpuUsage();
    const session = await runtime.InferenceSession.create(onnx, {
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      executionMode: 'sequential',
      logSeverityLevel: 3,
    });
    const loadMs = cpuUs(begin) / 1000;
    const features = session.inputMetadata.find((m) => m.name === 'features');
    const inputs = features?.isTensor === true ? Number(features.shape[2]) : 0;
    return new RuntimeCandidate(session, loadMs, inputs);
  }

  protected async run(rows: Float32Array, steps: number): Promise<void> {
    const features = new runtime.Tensor('float32', rows, [steps, 1, this.inputs]);
    const out = await this.session.run({ features, ...this.state });
    for (const name of Object.keys(this.state)) this.state[name] = out[`${name}_out`] as Tensor;
  }
}

/** As it ships: with the turn that it gives to whatever waits. */
class KernelCandidate extends Candidate {
  private readonly state: KernelState;

  private constructor(
    private readonly kernel: StepKernel,
    loadMs: number,
    inputs: number,
  ) {
    super(loadMs, inputs);
    this.state = kernel.zeroState();
  }

  static load(onnx: Uint8Array): Promise<KernelCandidate> {
    const begin = process.cpuUsage();
    const network = readIntegerNetwork(onnx);
    const kernel = network === null ? null : StepKernel.of(network);
    if (network === null || kernel === null) throw new Error('the kernel does not take it');
    return Promise.resolve(new KernelCandidate(kernel, cpuUs(begin) / 1000, network.inputs));
  }

  protected async run(rows: Float32Array): Promise<void> {
    await setImmediate();
    this.kernel.run(rows, this.state);
  }
}

function randomWeights(shape: Omit<NetworkCheckpoint, 'tensors' | 'training'>): NetworkCheckpoint {
  const random = randomFrom(1);
  const tensors = new Map<string, Weights>();
  for (const [name, dims] of tensorShapes(shape)) {
    const size = 2 / Math.sqrt(dims[1] ?? 400);
    const length = dims.reduce((a, b) => a * b, 1);
    const data = Float32Array.from({ length }, () => size * (random() - 0.5));
    tensors.set(name, { shape: dims, data });
  }
  const network = { ...shape, tensors, training: {} };
  const activations = Object.fromEntries(activationNames(network).map((n) => [n, 1 / 127]));
  return { ...network, quantization: { weights: 'uint8', activations } };
}

const bytesForm = 'factored 8 bit, ONNX Runtime';
const kernelForm = 'factored 8 bit, own kernel';

async function graphs(): Promise<{ all: Map<string, Uint8Array>; weights: number }> {
  const layers = [500, 500, 500, 500, 500];
  const rank = Number(values.rank);
  const sizes = { inputs: 320, outputs: 40 };
  const given = values.checkpoint === undefined ? undefined : await readNetwork(values.checkpoint);
  const dense = randomWeights({
    ...{ kind: 'lstm', ranks: [], inputRank: 0, layers: given?.layers ?? layers, ...sizes },
    ...(given === undefined ? {} : { inputs: given.inputs, outputs: given.outputs }),
  });
  const factored =
    given?.kind === 'lstmp'
      ? randomWeights(given)
      : randomWeights({
          ...dense,
          kind: 'lstmp',
          ranks: dense.layers.map(() => rank),
          inputRank: rank,
        });
  const all = new Map([
    ['dense float32', buildGraph(dense, 'float32').onnx],
    ['dense 8 bit (dynamic)', denseDynamicGraph(dense)],
    ['dense 8 bit (static)', buildGraph(dense, 'uint8').onnx],
    ['factored float32', buildGraph(factored, 'float32').onnx],
    [bytesForm, buildGraph(factored, 'uint8').onnx],
    [kernelForm, buildGraph(factored, 'uint8').onnx],
    ['a call that does nothing', emptyGraph(factored)],
  ]);
  return { all, weights: matrixWeights(factored) };
}

const residentMb = () => process.memoryUsage().rss / 1e6;
/** In a process of its own: MB that a graph adds, the file read included, and its load time. */
async function memoryOf(path: string, form: string): Promise<void> {
  await RuntimeCandidate.load(
    await readFile(new URL(import.meta.url)).catch(() => new Uint8Array()),
  ).catch(() => undefined); // the library itself is not the graph's cost
  global.gc?.();
  const before = residentMb();
  const candidate = await Candidate.open(await readFile(path), form);
  for (let i = 0; i < 60; i++) await candidate.call(4);
  global.gc?.();
  const addedMb = residentMb() - before;
  process.stdout.write(JSON.stringify({ addedMb, loadMs: candidate.loadMs }));
}

async function main(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'kikitori-bench-'));
  const { all, weights } = await graphs();
  const candidates = new Map<string, Candidate>();
  const memory = new Map<string, { addedMb: number[]; loadMs: number[] }>();
  for (const [name, onnx] of all) {
    candidates.set(name, await Candidate.open(onnx, name));
    const path = join(folder, 'graph.onnx');
    await writeFile(path, onnx);
    const seen = { addedMb: [] as number[], loadMs: [] as number[] };
    for (let i = 0; i < 3; i++) {
      const self = fileURLToPath(import.meta.url);
      const { stdout } = await promisify(execFile)(process.execPath, [
        '--expose-gc',
        self,
        '--memory',
        path,
        '--form',
        name,
      ]);
      const got = JSON.parse(stdout) as { addedMb: number; loadMs: number };
      seen.addedMb.push(got.addedMb);
      seen.loadMs.push(got.loadMs);
    }
    memory.set(name, seen);
  }
  await rm(folder, { recursive: true });
  const floor = new Floor(weights);
  const reading = new Reading(weights);
  const products = await ByteProducts.open();
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const candidate of candidates.values()) {
      await candidate.measureHot(1, 24);
      await candidate.measureHot(4, 12);
    }
    for (const candidate of candidates.values()) {
      await new Promise((resolve) => setTimeout(resolve, 120));
      candidate.paced.push((await candidate.call(4)) / 4);
    }
    const measured = candidates.get(kernelForm);
    floor.add({
      rates: {
        caches: reading.caches(),
        memory: reading.memory(),
        products: await products.rate(),
      },
      hotUs: measured?.hot.get(4)?.at(-1) ?? NaN,
      pacedUs: measured?.paced.at(-1) ?? NaN,
    });
  }
  const load = loadavg()
    .map((v) => v.toFixed(1))
    .join(' ');
  process.stdout.write(
    `load ${load}; us per 30 ms step (hot: CPU, paced: wall), median (quartiles)\n\n`,
  );
  process.stdout.write(
    '| form | MB file | MB added | load ms | hot, 1 step a call | hot, 4 steps | paced, 4 steps |\n|---|--:|--:|--:|--:|--:|--:|\n',
  );
  for (const [name, onnx] of all) {
    const candidate = candidates.get(name);
    const seen = memory.get(name);
    if (candidate === undefined || seen === undefined) continue;
    const cells = [
      (onnx.length / 1e6).toFixed(2),
      middle(seen.addedMb).toFixed(1),
      middle(seen.loadMs).toFixed(0),
      spread(candidate.hot.get(1) ?? []),
      spread(candidate.hot.get(4) ?? []),
      spread(candidate.paced),
    ];
    process.stdout.write(`| ${name} | ${cells.join(' | ')} |\n`);
  }
  process.stdout.write(`\n${floor.table(kernelForm)}`);
}

if (values.memory !== undefined) await memoryOf(values.memory, values.form);
else await main();
