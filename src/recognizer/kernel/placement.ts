import type { ByteRows, IntegerLayer, IntegerNetwork } from './read-network.js';
import { activationBytes, rowGroup, stepsAtOnce, valueGroup, type Width } from './step-code.js';

const pageBytes = 65_536;
/** A line of the cache. */
const alignBytes = 64;
const zeroPoint = 128;

export const grouped = (count: number, group: number) => Math.ceil(count / group) * group;

/** Where row `gate` (0 to 3: i, f, o, g) of cell k lies: for each 4 cells, 4 values of each gate. */
export const gateRow = (gate: number, k: number) =>
  4 * rowGroup * Math.floor(k / rowGroup) + rowGroup * gate + (k % rowGroup);

/** A matrix in the kernel's memory. All numbers are addresses but for `rows`. */
export interface PlacedRows {
  readonly weights: number;
  /** One float32 for each row. */
  readonly factors: number;
  /** With those that fill the last group. */
  readonly rows: number;
  /** In bytes of an activation. */
  readonly columns: number;
}

export interface PlacedLayer {
  readonly cells: number;
  readonly fromBelow: PlacedRows;
  readonly bias: number;
  readonly recurrent: PlacedRows;
  readonly projection: PlacedRows;
  readonly hiddenScale: number;
  readonly h: number;
  /** The cells before a step, and after it. */
  cellsBefore: number;
  cellsAfter: number;
  readonly p: number;
  readonly pBytes: number;
}

/** The kernel's memory: one piece, which never grows. */
export class KernelMemory {
  readonly memory: WebAssembly.Memory;
  readonly floats: Float32Array;
  readonly bytes: Uint8Array;
  private used = alignBytes;

  constructor(bytes: number) {
    const pages = Math.ceil(bytes / pageBytes) + 1;
    this.memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    this.floats = new Float32Array(this.memory.buffer);
    this.bytes = new Uint8Array(this.memory.buffer);
  }

  take(bytes: number): number {
    const at = this.used;
    this.used = grouped(at + bytes, alignBytes);
    return at;
  }

  /** Of `count` float32 the first are these values. */
  place(values: ArrayLike<number>, count = values.length): number {
    const at = this.take(4 * count);
    this.floats.set(values, at / 4);
    return at;
  }

  /** A number in all four lanes. */
  splat(value: number): number {
    return this.place([value, value, value, value]);
  }

  floatsAt(at: number, count: number): Float32Array {
    return this.floats.subarray(at / 4, at / 4 + count);
  }
}

/** A network in the kernel's memory, and room for what a group of steps makes. */
export class PlacedNetwork {
  readonly memory: KernelMemory;
  readonly inputs: number;
  readonly outputs: number;
  readonly inputScale: number;
  readonly inputProjection: PlacedRows | null = null;
  readonly layers: readonly PlacedLayer[];
  readonly output: PlacedRows;
  readonly outputBias: number;
  /** Features of `stepsAtOnce` steps, float32, one after the other. */
  readonly values: number;
  readonly valuesBytes: number;
  /** Two sets of activations on their grids: what a layer takes and what it makes. */
  readonly codes: readonly [number, number];
  readonly codesBytes: number;
  /** Whole sums of one matrix, for each step; `belowBytes` from each other. */
  readonly sums: number;
  /** For each step: sums of gates from below, or logits. */
  readonly below: number;
  readonly belowBytes: number;

  constructor(
    network: IntegerNetwork,
    private readonly width: Width,
  ) {
    const { layers, output, inputProjection } = network;
    const matrices = matricesOf(network);
    const columns = Math.max(...matrices.map((m) => grouped(m.columns, valueGroup)));
    const rows = Math.max(...matrices.map((m) => grouped(m.rows, valueGroup)));
    this.inputs = network.inputs;
    this.outputs = output.rows;
    this.valuesBytes = 4 * grouped(network.inputs, valueGroup);
    this.codesBytes = grouped(Math.max(columns, rows) * activationBytes(width), alignBytes);
    this.belowBytes = 4 * rows;
    const memory = new KernelMemory(
      matrices.reduce((sum, m) => sum + matrixBytes(m), 0) +
        layers.reduce((sum, l) => sum + layerBytes(l), 0) +
        stepsAtOnce * (this.valuesBytes + 2 * this.codesBytes + 2 * this.belowBytes) +
        this.belowBytes +
        16 * alignBytes,
    );
    this.memory = memory;
    this.values = memory.take(stepsAtOnce * this.valuesBytes);
    this.codes = [
      memory.take(stepsAtOnce * this.codesBytes),
      memory.take(stepsAtOnce * this.codesBytes),
    ];
    this.sums = memory.take(stepsAtOnce * this.belowBytes);
    this.below = memory.take(stepsAtOnce * this.belowBytes);
    let scale = network.inputScale;
    this.inputScale = memory.splat(scale);
    if (inputProjection !== undefined) {
      const { matrix, scale: into } = inputProjection;
      this.inputProjection = this.placeRows(matrix, plain(matrix), scale, into);
      scale = into;
    }
    this.layers = layers.map((layer) => {
      const placed = this.placeLayer(layer, scale);
      scale = layer.carriedScale;
      return placed;
    });
    this.output = this.placeRows(output, plain(output), scale);
    this.outputBias = memory.place(network.outputBias, this.output.rows);
  }

  private placeLayer(layer: IntegerLayer, scale: number): PlacedLayer {
    const { memory } = this;
    const { cells, carriedScale, hiddenScale, projection } = layer;
    const order = gates(cells);
    const bias = new Float32Array(order.rows);
    layer.bias.forEach((value, row) => (bias[order.of(row)] = value));
    const bytes = (count: number) => grouped(count, valueGroup) * activationBytes(this.width);
    const cellBytes = 4 * grouped(cells, rowGroup);
    return {
      cells,
      fromBelow: this.placeRows(layer.fromBelow, order, scale),
      bias: memory.place(bias),
      recurrent: this.placeRows(layer.recurrent, order, carriedScale),
      projection: this.placeRows(projection, plain(projection), hiddenScale, carriedScale),
      hiddenScale: memory.splat(hiddenScale),
      h: memory.take(bytes(cells)),
      cellsBefore: memory.take(cellBytes),
      cellsAfter: memory.take(cellBytes),
      p: memory.take(bytes(projection.rows)),
      pBytes: bytes(projection.rows),
    };
  }

  /**
   * Groups of 4 rows, in each of them groups of 16 columns, in each of these row after row. Factors are fl(s_a s_o), onto
   * a grid of scale `into` fl(fl(s_a s_o) / into).
   */
  private placeRows(
    { rows, columns, bytes, scales }: ByteRows,
    order: Order,
    scale: number,
    into?: number,
  ): PlacedRows {
    const { memory } = this;
    const { fround } = Math;
    const allColumns = grouped(columns, valueGroup);
    const weights = memory.take(order.rows * allColumns);
    const factors = new Float32Array(order.rows);
    const starts = new Int32Array(rows);
    for (let row = 0; row < rows; row++) {
      const at = order.of(row);
      const factor = fround(scale * (scales[row] ?? 0));
      factors[at] = into === undefined ? factor : fround(factor / into);
      const inGroup = at % rowGroup;
      starts[row] = weights + (at - inGroup) * allColumns + inGroup * valueGroup;
    }
    const target = memory.bytes;
    for (let k = 0; k < columns; k++) {
      const rest = k % valueGroup;
      const offset = (k - rest) * rowGroup + rest;
      for (let row = 0; row < rows; row++)
        target[(starts[row] ?? 0) + offset] = (bytes[k * rows + row] ?? zeroPoint) - zeroPoint;
    }
    return {
      weights,
      factors: memory.place(factors),
      rows: order.rows,
      columns: allColumns * activationBytes(this.width),
    };
  }
}

export const matricesOf = ({ inputProjection, layers, output }: IntegerNetwork): ByteRows[] => [
  ...(inputProjection === undefined ? [] : [inputProjection.matrix]),
  ...layers.flatMap((l) => [l.fromBelow, l.recurrent, l.projection]),
  output,
];

/** Where the rows of a matrix lie, and how many there are with those that fill the last group. */
interface Order {
  readonly rows: number;
  of(row: number): number;
}

const plain = ({ rows }: ByteRows): Order => ({
  rows: grouped(rows, valueGroup),
  of: (row) => row,
});
const gates = (cells: number): Order => ({
  rows: 4 * grouped(cells, rowGroup),
  of: (row) => gateRow(Math.floor(row / cells), row % cells),
});

const matrixBytes = ({ rows, columns }: ByteRows) =>
  grouped(rows, valueGroup) * (grouped(columns, valueGroup) + 4) + 2 * alignBytes;
/** Bias, h, p and cells, twice. */
const layerBytes = ({ cells, projection }: IntegerLayer) =>
  grouped(cells, valueGroup) * (4 * 4 + 2 + 2 * 4) +
  2 * grouped(projection.rows, valueGroup) +
  7 * alignBytes;
