import { Message, varints } from '../protobuf.js';

/** A matrix as the network's file holds it: unsigned bytes around 128, one scale a row. */
export interface ByteRows {
  readonly rows: number;
  readonly columns: number;
  /** [columns, rows] */
  readonly bytes: Uint8Array;
  readonly scales: Float32Array;
}

/** One layer. Rows of gates: i, f, o, g, each of `cells`. */
export interface IntegerLayer {
  readonly cells: number;
  readonly fromBelow: ByteRows;
  readonly bias: Float32Array;
  readonly recurrent: ByteRows;
  readonly projection: ByteRows;
  readonly hiddenScale: number;
  readonly carriedScale: number;
}

/** A projected LSTM in 8 bits (docs/quantization.md), as `model pack` writes it into `model.onnx`. */
export interface IntegerNetwork {
  readonly inputs: number;
  readonly inputScale: number;
  readonly inputProjection?: { readonly matrix: ByteRows; readonly scale: number };
  readonly layers: readonly IntegerLayer[];
  readonly output: ByteRows;
  readonly outputBias: Float32Array;
}

/**
 * The network of a file, if the file is node for node what `networkGraph` makes of a projected LSTM in 8 bits; else null. So
 * whatever is computed by the kernel is what the file says.
 */
export function readIntegerNetwork(file: Uint8Array): IntegerNetwork | null {
  try {
    return network(new Reading(parseModel(file)));
  } catch (error) {
    if (error instanceof Unlike) return null;
    throw error;
  }
}

class Unlike extends Error {}

function demand(condition: boolean): asserts condition {
  if (!condition) throw new Unlike('another graph');
}

const integerProduct = 'com.microsoft.MatMulIntegerToFloat';
/** Names of the carried tensors of layer l. */
const carriedNames = (l: number) => ({ p: `p${l}`, c: `c${l}` });

function network(g: Reading): IntegerNetwork {
  const squeeze = g.take('Squeeze', ['features', null]);
  demand(isOne(g.integers(squeeze.input(1))));
  const entered = g.take('QuantizeLinear', [squeeze.output, null, null]);
  const inputScale = g.scale(entered, 1);
  let x = entered.output;
  let scale = inputScale;
  /** Values of x; of the features only the first matrix says it. */
  let width: number | undefined;
  let inputs = 0;
  const takes = (matrix: ByteRows) => {
    demand(matrix.rows > 0 && matrix.columns > 0);
    if (width === undefined) inputs = matrix.columns;
    else demand(matrix.columns === width);
  };
  let inputProjection: IntegerNetwork['inputProjection'];
  if (g.nextIs('QLinearMatMul')) {
    const projected = projection(g, x, scale);
    inputProjection = projected;
    takes(projected.matrix);
    x = projected.output;
    scale = projected.scale;
    width = projected.matrix.rows;
  }
  const layers: IntegerLayer[] = [];
  const stateAfter: string[] = [];
  const stateBefore: string[] = [];
  for (;;) {
    const product = integerRows(g, x, scale);
    takes(product.matrix);
    const add = g.take('Add', [product.output, null]);
    const bias = g.floats(add.input(1));
    demand(bias.length === product.matrix.rows);
    if (g.nextIs('Unsqueeze')) {
      const last = g.take('Unsqueeze', [add.output, null]);
      demand(isOne(g.integers(last.input(1))) && last.output === 'logits' && g.atEnd);
      demand(same(g.inputs, ['features', ...stateBefore]));
      demand(same(g.outputs, ['logits', ...stateAfter]) && layers.length > 0);
      return {
        ...{ inputs, inputScale, layers, output: product.matrix, outputBias: bias },
        ...(inputProjection === undefined ? {} : { inputProjection }),
      };
    }
    const names = carriedNames(layers.length);
    const before = g.take('QuantizeLinear', [names.p, null, null]);
    const carriedScale = g.scale(before, 1);
    const scan = g.take('Scan', [before.output, names.c, add.output], { num_scan_inputs: 1 });
    demand(scan.outputs.length === 3);
    const [lastCarried = '', lastCells = '', all = ''] = scan.outputs;
    const left = g.take('DequantizeLinear', [lastCarried, null, null]);
    demand(g.scale(left, 1) === carriedScale && left.output === `${names.p}_out`);
    demand(g.take('Identity', [lastCells]).output === `${names.c}_out`);
    const layer = step(g.body(scan), carriedScale);
    demand(layer.recurrent.rows === product.matrix.rows);
    layers.push({ ...layer, fromBelow: product.matrix, bias });
    stateBefore.push(names.p, names.c);
    stateAfter.push(`${names.p}_out`, `${names.c}_out`);
    x = all;
    scale = carriedScale;
    width = layer.projection.rows;
  }
}

/** What a loop repeats. */
function step(b: Reading, carriedScale: number): Omit<IntegerLayer, 'fromBelow' | 'bias'> {
  demand(b.inputs.length === 3 && b.outputs.length === 3);
  const [before = '', cell = '', gates = ''] = b.inputs;
  const recurrent = integerRows(b, before, carriedScale);
  const sums = b.take('Add', [recurrent.output, gates]);
  const cells = recurrent.matrix.rows / 4;
  demand(Number.isInteger(cells) && cells > 0 && recurrent.matrix.columns > 0);
  const split = b.take('Split', [sums.output, null], { axis: 0 });
  demand(same(b.integers(split.input(1)), [3 * cells, cells]) && split.outputs.length === 2);
  const [open = '', fresh = ''] = split.outputs;
  const opened = b.take('Sigmoid', [open]);
  const each = b.take('Split', [opened.output, null], { axis: 0 });
  demand(same(b.integers(each.input(1)), [cells, cells, cells]) && each.outputs.length === 3);
  const [i = '', f = '', o = ''] = each.outputs;
  const kept = b.take('Mul', [f, cell]);
  const added = b.take('Mul', [i, b.take('Tanh', [fresh]).output]);
  const c = b.take('Add', [kept.output, added.output]);
  const h = b.take('Mul', [o, b.take('Tanh', [c.output]).output]);
  const hidden = b.take('QuantizeLinear', [h.output, null, null]);
  const hiddenScale = b.scale(hidden, 1);
  const p = projection(b, hidden.output, hiddenScale);
  demand(p.scale === carriedScale && p.matrix.columns === cells);
  demand(recurrent.matrix.columns === p.matrix.rows);
  const out = b.take('Identity', [p.output]);
  demand(b.atEnd && same(b.outputs, [p.output, c.output, out.output]));
  return {
    ...{ cells, recurrent: recurrent.matrix, projection: p.matrix },
    ...{ hiddenScale, carriedScale },
  };
}

/** x W^T in float32 */
function integerRows(g: Reading, x: string, scale: number): { matrix: ByteRows; output: string } {
  const node = g.take(integerProduct, [x, null, null, null, null, null]);
  demand(g.constantScale(node.input(2)) === scale);
  demand(g.isZeroPoint(node.input(4), 1) && g.isZeroPoint(node.input(5), 1));
  return { matrix: g.matrix(node.input(1), node.input(3)), output: node.output };
}

/** x W^T on a grid */
function projection(
  g: Reading,
  x: string,
  scale: number,
): { matrix: ByteRows; scale: number; output: string } {
  const node = g.take('QLinearMatMul', [x, null, null, null, null, null, null, null]);
  demand(g.constantScale(node.input(1)) === scale && g.isZeroPoint(node.input(2), 1));
  const matrix = g.matrix(node.input(3), node.input(4));
  demand(g.isZeroPoint(node.input(5), matrix.rows) && g.isZeroPoint(node.input(7), 1));
  return { matrix, scale: g.constantScale(node.input(6)), output: node.output };
}

const same = <T>(a: readonly T[], b: readonly T[]) =>
  a.length === b.length && a.every((v, i) => v === b[i]);
const isOne = (values: readonly number[]) => same(values, [1]);

interface Constant {
  readonly dims: readonly number[];
  readonly type: number;
  readonly raw: Uint8Array;
}

interface Node {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, number | Graph>;
}

interface Graph {
  readonly nodes: readonly Node[];
  readonly constants: ReadonlyMap<string, Constant>;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

class Taken {
  constructor(readonly node: Node) {}
  input(index: number): string {
    return this.node.inputs[index] ?? '';
  }
  get outputs(): readonly string[] {
    return this.node.outputs;
  }
  get output(): string {
    demand(this.outputs.length === 1);
    return this.outputs[0] ?? '';
  }
}

/** Element types of ONNX. */
const [float, uint8, int64] = [1, 2, 7];

/** The nodes of a graph, one after the other. */
class Reading {
  private at = 0;
  constructor(
    private readonly graph: Graph,
    private readonly around?: Reading,
  ) {}

  get inputs(): readonly string[] {
    return this.graph.inputs;
  }
  get outputs(): readonly string[] {
    return this.graph.outputs;
  }
  get atEnd(): boolean {
    return this.at === this.graph.nodes.length;
  }

  nextIs(op: string): boolean {
    return this.graph.nodes[this.at]?.op === op;
  }

  /** The next node, which must be this one; null: an input that is a constant. */
  take(
    op: string,
    inputs: readonly (string | null)[],
    attributes: Readonly<Record<string, number>> = {},
  ): Taken {
    const node = this.graph.nodes[this.at++];
    demand(node?.op === op && node.inputs.length === inputs.length);
    demand(inputs.every((name, i) => name === null || name === node.inputs[i]));
    const numbers = [...node.attributes].filter(([, value]) => typeof value === 'number');
    demand(numbers.length === Object.keys(attributes).length);
    demand(numbers.every(([name, value]) => attributes[name] === value));
    demand(node.attributes.size === numbers.length + (op === 'Scan' ? 1 : 0));
    return new Taken(node);
  }

  body({ node }: Taken): Reading {
    const body = node.attributes.get('body');
    demand(body !== undefined && typeof body !== 'number');
    return new Reading(body, this);
  }

  integers(name: string): number[] {
    const { raw } = this.constant(name, int64, 1);
    return Array.from({ length: raw.length / 8 }, (_, i) =>
      Number(view(raw).getBigInt64(8 * i, true)),
    );
  }

  /** Numbers all of them: what a network does with others is not this file's to say. */
  floats(name: string): Float32Array {
    const values = floatsOf(this.constant(name, float, 1));
    demand(values.every(Number.isFinite));
    return values;
  }

  /** The scale of what a node makes, whose zero point follows it. */
  scale(taken: Taken, index: number): number {
    demand(this.isZeroPoint(taken.input(index + 1), 1));
    return this.constantScale(taken.input(index));
  }

  constantScale(name: string): number {
    const [scale = 0] = floatsOf(this.constant(name, float, 0));
    demand(scale > 0 && Number.isFinite(scale));
    return scale;
  }

  isZeroPoint(name: string, length: number): boolean {
    const { raw } = this.constant(name, uint8, length === 1 ? undefined : 1);
    return raw.length === length && raw.every((byte) => byte === 128);
  }

  matrix(name: string, scale: string): ByteRows {
    const { dims, raw } = this.constant(name, uint8, 2);
    const [columns = 0, rows = 0] = dims;
    const scales = this.floats(scale);
    demand(scales.length === rows);
    return { rows, columns, bytes: raw, scales };
  }

  private constant(name: string, type: number, dimensions?: number): Constant {
    const found = this.graph.constants.get(name);
    if (found === undefined) {
      demand(this.around !== undefined);
      return this.around.constant(name, type, dimensions);
    }
    demand(found.type === type && (dimensions ?? found.dims.length) === found.dims.length);
    return found;
  }
}

const view = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
/** Little-endian, as every processor here. A copy: they need not lie on whole words in the file. */
const floatsOf = ({ raw }: Constant) => new Float32Array(Uint8Array.from(raw).buffer);
const textOf = (bytes: Uint8Array) => Buffer.from(bytes).toString('utf8');

/** Fields of a message (onnx.proto of ONNX 1.17) as bytes or numbers, by their numbers. */
function fields(bytes: Uint8Array): { number: number; value: Uint8Array | number }[] {
  const message = new Message(bytes);
  const found = [];
  for (let field = message.next(); field !== null; field = message.next()) {
    demand(field !== 'damaged');
    if (field.value !== null) found.push({ number: field.number, value: field.value });
  }
  return found;
}

const parts = (bytes: Uint8Array, number: number) =>
  fields(bytes).flatMap((f) =>
    f.number === number && typeof f.value !== 'number' ? [f.value] : [],
  );
const texts = (bytes: Uint8Array, number: number) => parts(bytes, number).map(textOf);

function parseModel(file: Uint8Array): Graph {
  const opsets = parts(file, 8).map((set) => {
    const version = fields(set).find((f) => f.number === 2)?.value;
    return `${texts(set, 1)[0] ?? ''} ${typeof version === 'number' ? version : ''}`;
  });
  demand(same(opsets, [' 17', 'com.microsoft 1']));
  const [graph] = parts(file, 7);
  demand(graph !== undefined);
  return parseGraph(graph);
}

function parseGraph(bytes: Uint8Array): Graph {
  const names = (number: number) => parts(bytes, number).map((info) => texts(info, 1)[0] ?? '');
  return {
    nodes: parts(bytes, 1).map(parseNode),
    constants: new Map(parts(bytes, 5).map(parseConstant)),
    inputs: names(11),
    outputs: names(12),
  };
}

function parseNode(bytes: Uint8Array): Node {
  const domain = texts(bytes, 7)[0] ?? '';
  const op = texts(bytes, 4)[0] ?? '';
  return {
    op: domain === '' ? op : `${domain}.${op}`,
    inputs: texts(bytes, 1),
    outputs: texts(bytes, 2),
    attributes: new Map(parts(bytes, 5).map(parseAttribute)),
  };
}

function parseAttribute(bytes: Uint8Array): [string, number | Graph] {
  const name = texts(bytes, 1)[0] ?? '';
  const [body] = parts(bytes, 6);
  if (body !== undefined) return [name, parseGraph(body)];
  const whole = fields(bytes).find((f) => f.number === 3)?.value;
  demand(typeof whole === 'number' || whole === undefined);
  return [name, whole ?? 0];
}

function parseConstant(bytes: Uint8Array): [string, Constant] {
  const all = fields(bytes);
  const dims = all.flatMap(({ number, value }) =>
    number !== 1 ? [] : typeof value === 'number' ? [value] : varints(value),
  );
  const type = all.find((f) => f.number === 2)?.value;
  const [raw] = parts(bytes, 9);
  demand(typeof type === 'number' && raw !== undefined);
  const size = { [float]: 4, [uint8]: 1, [int64]: 8 }[type];
  demand(size !== undefined && raw.length === size * dims.reduce((a, b) => a * b, 1));
  return [texts(bytes, 8)[0] ?? '', { dims, type, raw }];
}
