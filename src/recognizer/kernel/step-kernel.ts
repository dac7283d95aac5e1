import { rint } from '../../runtime/rint.js';
import { sigmoid, tanh } from './curves.js';
import {
  gateRow,
  grouped,
  matricesOf,
  PlacedNetwork,
  type PlacedLayer,
  type PlacedRows,
} from './placement.js';
import type { IntegerNetwork } from './read-network.js';
import { activationBytes, rowGroup, stepModule, stepsAtOnce, type Width } from './step-code.js';

/** What is carried from step to step: p of each layer on its grid as the kernel holds it, and its cells. */
export interface KernelState {
  readonly p: readonly Uint8Array[];
  readonly c: readonly Float32Array[];
}

/** The functions of `stepModule`. */
interface StepFunctions {
  accumulate(...addresses: Five): void;
  /** Where it is faster than one by one. */
  accumulateAll?(...addresses: Five): void;
  affine(...addresses: Five): void;
  project(sums: number, factors: number, out: number, end: number): void;
  quantise(values: number, scales: number, out: number, end: number): void;
  cells(...addresses: [...Five, number, number, number]): number;
}
type Five = [number, number, number, number, number];

/** How products are fastest on this processor. */
export const widthHere = (): Width => (process.arch === 'x64' ? 'wide' : 'narrow');

/**
 * A projected LSTM in 8 bits, computed in WebAssembly: the bits that ONNX Runtime gives for the same file. Weights and what
 * a group of steps makes lie in one piece of memory; what an utterance carries is copied in and out.
 */
export class StepKernel {
  /** How many steps had their cells rounded by hand. */
  corrected = 0;

  private constructor(
    private readonly placed: PlacedNetwork,
    private readonly code: StepFunctions,
    private readonly width: Width,
  ) {}

  /**
   * null where it cannot be computed so: no WebAssembly with SIMD (x86 without SSE 4.1, or a Node that makes no code), or
   * weights of -128, which `model quantize` never writes: sums of two products would not fit.
   */
  static of(network: IntegerNetwork, width = widthHere()): StepKernel | null {
    if (!('WebAssembly' in globalThis)) return null;
    if (matricesOf(network).some((m) => m.bytes.includes(0))) return null;
    const placed = new PlacedNetwork(network, width);
    const code = stepModule(width, { codes: placed.codesBytes, sums: placed.belowBytes });
    if (!WebAssembly.validate(code)) return null;
    const env = { memory: placed.memory.memory };
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(code), { env });
    return new StepKernel(placed, exports as unknown as StepFunctions, width);
  }

  zeroState(): KernelState {
    const { layers } = this.placed;
    return {
      p: layers.map(({ pBytes }) => new Uint8Array(pBytes)),
      c: layers.map(({ cells }) => new Float32Array(cells)),
    };
  }

  /** Features [steps, inputs], any number of steps; returns logits [steps, outputs] and changes the state. */
  run(features: Float32Array, state: KernelState): Float32Array {
    const { inputs, outputs, memory, below, belowBytes, layers } = this.placed;
    const steps = features.length / inputs;
    const logits = new Float32Array(steps * outputs);
    layers.forEach(({ p, cellsBefore }, l) => {
      memory.bytes.set(state.p[l] ?? [], p);
      memory.floats.set(state.c[l] ?? [], cellsBefore / 4);
    });
    for (let from = 0; from < steps; from += stepsAtOnce) {
      const count = Math.min(stepsAtOnce, steps - from);
      this.group(features.subarray(from * inputs, (from + count) * inputs), count);
      for (let t = 0; t < count; t++)
        logits.set(memory.floatsAt(below + t * belowBytes, outputs), (from + t) * outputs);
    }
    layers.forEach(({ p, pBytes, cells, cellsBefore }, l) => {
      state.p[l]?.set(memory.bytes.subarray(p, p + pBytes));
      state.c[l]?.set(memory.floatsAt(cellsBefore, cells));
    });
    return logits;
  }

  /** Logits of up to `stepsAtOnce` steps, left in `below`. */
  private group(features: Float32Array, count: number): void {
    const { placed } = this;
    const { inputProjection, codesBytes, sums, below, belowBytes, output, outputBias } = placed;
    let [x, next] = placed.codes;
    this.enter(features, count, x);
    if (inputProjection !== null) {
      this.accumulateAll(inputProjection, x, count);
      for (let t = 0; t < count; t++)
        this.project(inputProjection, next + t * codesBytes, sums + t * belowBytes);
      [x, next] = [next, x];
    }
    for (const layer of placed.layers) {
      this.affine(layer.fromBelow, x, count, layer.bias);
      let carried = layer.p;
      for (let t = 0; t < count; t++) {
        this.accumulate(layer.recurrent, carried);
        this.cells(layer, below + t * belowBytes);
        carried = next + t * codesBytes;
        this.accumulate(layer.projection, layer.h);
        this.project(layer.projection, carried, sums);
      }
      placed.memory.bytes.copyWithin(layer.p, carried, carried + layer.pBytes);
      [x, next] = [next, x];
    }
    this.affine(output, x, count, outputBias);
  }

  private enter(features: Float32Array, count: number, x: number): void {
    const { memory, inputs, values, valuesBytes, codesBytes, inputScale } = this.placed;
    for (let t = 0; t < count; t++) {
      const at = values + t * valuesBytes;
      memory.floats.set(features.subarray(t * inputs, (t + 1) * inputs), at / 4);
      const out = x + t * codesBytes;
      this.code.quantise(at, inputScale, out, out + (valuesBytes / 4) * this.bytesEach);
    }
  }

  private get bytesEach(): number {
    return activationBytes(this.width);
  }

  private accumulate({ weights, columns, rows }: PlacedRows, x: number, out?: number): void {
    const sums = out ?? this.placed.sums;
    this.code.accumulate(weights, x, columns, sums, sums + 4 * rows);
  }

  private accumulateAll(matrix: PlacedRows, x: number, count: number): void {
    const { sums, codesBytes, belowBytes } = this.placed;
    const { weights, columns, rows } = matrix;
    if (count === stepsAtOnce && this.code.accumulateAll !== undefined)
      this.code.accumulateAll(weights, x, columns, sums, sums + 4 * rows);
    else
      for (let t = 0; t < count; t++)
        this.accumulate(matrix, x + t * codesBytes, sums + t * belowBytes);
  }

  private affine(matrix: PlacedRows, x: number, count: number, biases: number): void {
    const { sums, below, belowBytes } = this.placed;
    this.accumulateAll(matrix, x, count);
    for (let t = 0; t < count; t++) {
      const out = below + t * belowBytes;
      const from = sums + t * belowBytes;
      this.code.affine(from, matrix.factors, biases, out, out + 4 * matrix.rows);
    }
  }

  private project(matrix: PlacedRows, out: number, sums: number): void {
    this.code.project(sums, matrix.factors, out, out + matrix.rows * this.bytesEach);
  }

  private cells(layer: PlacedLayer, below: number): void {
    const { sums } = this.placed;
    const { cellsBefore, cellsAfter, recurrent, hiddenScale, h } = layer;
    const end = h + grouped(layer.cells, rowGroup) * this.bytesEach;
    const { factors } = recurrent;
    if (this.code.cells(sums, factors, below, cellsBefore, hiddenScale, cellsAfter, h, end) !== 0)
      this.cellsByHand(layer, below);
    layer.cellsBefore = cellsAfter;
    layer.cellsAfter = cellsBefore;
  }

  /** The same in plain numbers, each rounding exact: `cells` could not tell how one of its own is to be done. */
  private cellsByHand(layer: PlacedLayer, below: number): void {
    this.corrected++;
    const { memory, sums } = this.placed;
    const { cells, recurrent, hiddenScale, h } = layer;
    const { fround } = Math;
    const { buffer } = memory.memory;
    const whole = new Int32Array(buffer, sums, recurrent.rows);
    const factors = memory.floatsAt(recurrent.factors, recurrent.rows);
    const fromBelow = memory.floatsAt(below, recurrent.rows);
    const before = memory.floatsAt(layer.cellsBefore, cells);
    const after = memory.floatsAt(layer.cellsAfter, cells);
    const scale = memory.floatsAt(hiddenScale, 1)[0] ?? 1;
    const codes =
      this.width === 'wide' ? new Int16Array(buffer, h, cells) : new Int8Array(buffer, h, cells);
    for (let k = 0; k < cells; k++) {
      const gate = (which: number) => {
        const row = gateRow(which, k);
        return fround(fround((whole[row] ?? 0) * (factors[row] ?? 0)) + (fromBelow[row] ?? 0));
      };
      const kept = fround(sigmoid(gate(1)) * (before[k] ?? 0));
      const c = fround(kept + fround(sigmoid(gate(0)) * tanh(gate(3))));
      after[k] = c;
      const code = rint(fround(fround(sigmoid(gate(2)) * tanh(c)) / scale));
      codes[k] = Math.min(127, Math.max(-128, code));
    }
  }
}
