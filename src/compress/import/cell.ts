import onnxProto from 'onnx-proto';
import type { onnx as Onnx } from 'onnx-proto';
import { Pieces } from './pieces.js';
import { DataType, int, ints } from './proto.js';
import { gatesOf, type Cell } from './recurrent.js';

const { GRAPH } = onnxProto.onnx.AttributeProto.AttributeType;
const { FLOAT, BOOL } = DataType;

/** A cell over time, its recurrent matrix factored or not. */
export interface CellGraph {
  readonly cell: Pick<Cell, 'kind' | 'cells' | 'linearBeforeReset' | 'squash'>;
  /** Time runs backwards. */
  readonly reverse: boolean;
  /** [T, B, gates cells]: the input side with its bias. */
  readonly fromBelow: string;
  /** [T, B, 1], false where a sequence has ended; absent: all are as long. */
  readonly mask?: string;
  /** Before the first step: [B, cells] of h and, for an LSTM, c. */
  readonly h: string;
  readonly c?: string;
  /** Constants. P [cells, rank]; absent: p is h itself. Z [rank, gates cells]. */
  readonly projection?: string;
  readonly rank: number;
  readonly recurrent: string;
  /** [cells], of a GRU whose reset gate follows the product: the bias within it. */
  readonly resetBias?: string;
  /** [cells] each: i, f, o. */
  readonly peepholes?: readonly string[];
  /** Also gives h of every step, and after the last. */
  readonly carryH: boolean;
}

export interface CellValues {
  /** After the last step; h only if it was asked for. */
  readonly p: string;
  readonly h: string;
  readonly c: string;
  /** Of every step, [T, B, ..]. */
  readonly pSteps: string;
  readonly hSteps: string;
}

/**
 * One `Scan`, in float. Everything that does not wait for the step before is outside.
 *
 *     LSTM  g = x + Z p;  c' = f c + i g;  h' = o tanh(c');             p' = P h'
 *     GRU   n = tanh(x + r (Z p + b));     h' = (1 - z) n + z h;        p' = P h'
 *           or, reset first, n = tanh(x + Z P (r h))
 *     RNN   h' = tanh(x + Z p)
 */
export function scanCell(pieces: Pieces, graph: CellGraph): CellValues {
  const body = new Pieces(pieces.opset, `${pieces.prefix}step.`);
  const { prefix } = body;
  const { kind } = graph.cell;
  const projected = graph.projection !== undefined;
  // What is carried from step to step; without a projection p is h.
  const carried = [
    ...(projected ? ['p'] : []),
    ...(kind === 'lstm' ? ['c'] : []),
    ...(!projected || kind === 'gru' || graph.carryH ? ['h'] : []),
  ];
  const before = (name: string) => prefix + name;
  const next = stepOf(pieces, body, graph, {
    p: before(projected ? 'p' : 'h'),
    h: before('h'),
    c: before('c'),
    x: before('x'),
  });
  const mask = graph.mask === undefined ? undefined : before('mask');
  const zero = mask === undefined ? '' : pieces.once('zero', zeroTensor);
  const kept = (name: string) => {
    const value = next[name] ?? '';
    if (mask === undefined) return value;
    return body.node('Where', [mask, value, before(name)], `${name}.kept`);
  };
  const given = [...(projected ? ['p'] : []), ...(!projected || graph.carryH ? ['h'] : [])];
  const shown = (name: string) => {
    const value = next[name] ?? '';
    if (mask === undefined) return body.node('Identity', [value], `${name}.out`);
    return body.node('Where', [mask, value, zero], `${name}.out`);
  };
  const widthOf = (name: string) => (name === 'p' ? graph.rank : graph.cell.cells);
  const states = carried.map(kept);
  const steps = given.map(shown);
  const graphOf: Onnx.IGraphProto = {
    name: `${prefix}body`,
    node: body.nodes,
    initializer: body.initializers,
    input: [
      ...carried.map((name) => valueOf(before(name), FLOAT, widthOf(name))),
      valueOf(before('x'), FLOAT, gatesOf(kind) * graph.cell.cells),
      ...(mask === undefined ? [] : [valueOf(mask, BOOL, 1)]),
    ],
    output: [
      ...states.map((n, i) => valueOf(n, FLOAT, widthOf(carried[i] ?? ''))),
      ...steps.map((n, i) => valueOf(n, FLOAT, widthOf(given[i] ?? ''))),
    ],
  };
  const outer = (name: string) => pieces.prefix + name;
  const initial: Readonly<Record<string, string>> = {
    h: graph.h,
    c: graph.c ?? '',
    p:
      graph.projection === undefined
        ? ''
        : pieces.node('MatMul', [graph.h, graph.projection], 'p.first'),
  };
  const scanned = mask === undefined ? 1 : 2;
  pieces.nodes.push({
    opType: 'Scan',
    name: outer('scan'),
    input: [
      ...carried.map((name) => initial[name] ?? ''),
      graph.fromBelow,
      ...(graph.mask === undefined ? [] : [graph.mask]),
    ],
    output: [...carried.map(outer), ...given.map((name) => outer(`${name}.steps`))],
    attribute: [
      { name: 'body', type: GRAPH, g: graphOf },
      int('num_scan_inputs', scanned),
      ...(graph.reverse
        ? [
            ints('scan_input_directions', Array<number>(scanned).fill(1)),
            ints(
              'scan_output_directions',
              given.map(() => 1),
            ),
          ]
        : []),
    ],
  });
  const p = projected ? 'p' : 'h';
  return {
    p: outer(p),
    h: outer('h'),
    c: outer('c'),
    pSteps: outer(`${p}.steps`),
    hSteps: outer('h.steps'),
  };
}

interface StepInputs {
  readonly p: string;
  readonly h: string;
  readonly c: string;
  readonly x: string;
}

/** One step: what comes after p, h and c. */
function stepOf(
  pieces: Pieces,
  body: Pieces,
  graph: CellGraph,
  from: StepInputs,
): Readonly<Record<string, string>> {
  const { kind } = graph.cell;
  const states =
    kind === 'lstm'
      ? lstmStep(pieces, body, graph, from)
      : kind === 'gru'
        ? gruStep(pieces, body, graph, from)
        : { h: rnnStep(body, graph, from) };
  if (graph.projection === undefined) return states;
  return { ...states, p: body.node('MatMul', [states.h, graph.projection], 'p.next') };
}

function lstmStep(
  pieces: Pieces,
  body: Pieces,
  { cell, recurrent, peepholes }: CellGraph,
  { p, c, x }: StepInputs,
) {
  const product = body.node('MatMul', [p, recurrent], 'product');
  const sum = body.node('Add', [product, x], 'gates');
  const [preI = '', preF = '', preG = '', preO = ''] = split(pieces, body, sum, cell.cells, 4);
  const [peepI, peepF, peepO] = peepholes ?? [];
  const peeped = (pre: string, weight: string | undefined, state: string, name: string) => {
    if (weight === undefined) return pre;
    return body.node(
      'Add',
      [pre, body.node('Mul', [state, weight], `peep.${name}`)],
      `pre2.${name}`,
    );
  };
  const i = body.node('Sigmoid', [peeped(preI, peepI, c, 'i')], 'i');
  const f = body.node('Sigmoid', [peeped(preF, peepF, c, 'f')], 'f');
  const kept = body.node('Mul', [f, c], 'kept');
  const written = body.node('Mul', [i, body.node('Tanh', [preG], 'g')], 'written');
  const nextC = body.node('Add', [kept, written], 'c.next');
  const o = body.node('Sigmoid', [peeped(preO, peepO, nextC, 'o')], 'o');
  const h = body.node('Mul', [o, body.node('Tanh', [nextC], 'squashed')], 'h.next');
  return { h, c: nextC };
}

function gruStep(
  pieces: Pieces,
  body: Pieces,
  { cell, recurrent, resetBias, projection }: CellGraph,
  { p, h, x }: StepInputs,
) {
  const { cells } = cell;
  const [xR = '', xZ = '', xN = ''] = split(pieces, body, x, cells, 3, 'x');
  const gate = (a: string, b: string, name: string) =>
    body.node('Sigmoid', [body.node('Add', [a, b], `pre.${name}`)], name);
  let inner: string;
  let z: string;
  if (cell.linearBeforeReset) {
    const product = body.node('MatMul', [p, recurrent], 'product');
    const [rR = '', rZ = '', rN = ''] = split(pieces, body, product, cells, 3, 'r');
    const r = gate(xR, rR, 'reset');
    z = gate(xZ, rZ, 'update');
    const biased = resetBias === undefined ? rN : body.node('Add', [rN, resetBias], 'biased');
    inner = body.node('Mul', [r, biased], 'inner');
  } else {
    // The last block of rows reads r h: a product of its own, through the same projection.
    const [zR = '', zZ = '', zN = ''] = split(pieces, pieces, recurrent, cells, 3, 'recurrent');
    const r = gate(xR, body.node('MatMul', [p, zR], 'product.r'), 'reset');
    z = gate(xZ, body.node('MatMul', [p, zZ], 'product.z'), 'update');
    const open = body.node('Mul', [r, h], 'open');
    const seen =
      projection === undefined ? open : body.node('MatMul', [open, projection], 'open.p');
    inner = body.node('MatMul', [seen, zN], 'inner');
  }
  const n = body.node('Tanh', [body.node('Add', [xN, inner], 'pre.n')], 'n');
  // (1 - z) n + z h
  const change = body.node('Mul', [z, body.node('Sub', [h, n], 'away')], 'change');
  return { h: body.node('Add', [n, change], 'h.next') };
}

function rnnStep(body: Pieces, { cell, recurrent }: CellGraph, { p, x }: StepInputs): string {
  const product = body.node('MatMul', [p, recurrent], 'product');
  return body.node(cell.squash, [body.node('Add', [product, x], 'pre')], 'h.next');
}

/** Equal parts of the last axis. */
function split(
  constants: Pieces,
  into: Pieces,
  value: string,
  size: number,
  count: number,
  name = 'pre',
): string[] {
  const parts = Array.from({ length: count }, (_, i) => `${into.prefix}${name}.part.${i}`);
  const sizes = parts.map(() => size);
  const node: Onnx.INodeProto = {
    opType: 'Split',
    name: `${into.prefix}${name}.split`,
    input: [value],
    output: parts,
    attribute: [int('axis', -1)],
  };
  if (constants.opset < 13) node.attribute?.push(ints('split', sizes));
  else node.input?.push(constants.int64s(`${name}.split.sizes`, sizes));
  into.nodes.push(node);
  return parts;
}

const zeroTensor = () => ({ shape: [1], data: new Float32Array(1) });

/** [B, width]: inside other bodies ONNX Runtime asks for the shapes of a body's outputs. */
const valueOf = (name: string, elemType: number, width: number): Onnx.IValueInfoProto => ({
  name,
  type: {
    tensorType: {
      elemType,
      shape: { dim: [{ dimParam: 'kikitori.batch' }, { dimValue: width }] },
    },
  },
});
