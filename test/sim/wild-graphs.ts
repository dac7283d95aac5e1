import type { onnx as Onnx } from 'onnx-proto';
import type { Recurrence } from '../../src/compress/reference/recurrence.js';
import { randomFrom } from '../../src/measure/evaluate/statistics.js';
import {
  attributes,
  DataType,
  encode,
  floats,
  info,
  int64s,
  node,
  randomRecurrence,
  recurrentNode,
} from './recurrent-graph.js';

export const shapeless = (
  name: string,
  elemType: number = DataType.FLOAT,
): Onnx.IValueInfoProto => ({
  name,
  type: { tensorType: { elemType } },
});

export const small = randomRecurrence(
  { kind: 'lstm', direction: 'forward', inputs: 4, cells: 6 },
  1,
);
export const other = randomRecurrence(
  { kind: 'gru', direction: 'forward', inputs: 4, cells: 6 },
  2,
);
export const both = randomRecurrence(
  { kind: 'lstm', direction: 'bidirectional', inputs: 4, cells: 6 },
  3,
);
export const top = randomRecurrence({ kind: 'gru', direction: 'forward', inputs: 12, cells: 5 }, 4);

/** If: an LSTM whose weights stand outside, or a GRU whose weights stand inside, within a second If. */
export function branches(): Uint8Array {
  const lstm = recurrentNode(small, 'one', { outputs: ['y.one', 'h.one'] });
  const gru = recurrentNode(other, 'two', { outputs: ['y.two'] });
  const inner: Onnx.IGraphProto = {
    name: 'inner',
    node: [gru.node, node('Identity', ['y.two'], ['inner.out'])],
    initializer: gru.initializer,
    output: [shapeless('inner.out')],
  };
  const nothing: Onnx.IGraphProto = {
    name: 'nothing',
    node: [
      node('Unsqueeze', ['x', 'axis'], ['wide']),
      node('Concat', ['wide', 'half'], ['nothing.out'], [attributes.int('axis', 3)]),
    ],
    output: [shapeless('nothing.out')],
  };
  return encode({
    node: [
      node(
        'If',
        ['first'],
        ['chosen'],
        [
          attributes.graph('then_branch', {
            name: 'then',
            node: [lstm.node, node('Identity', ['y.one'], ['then.out'])],
            output: [shapeless('then.out')],
          }),
          attributes.graph('else_branch', {
            name: 'else',
            node: [
              node(
                'If',
                ['second'],
                ['else.out'],
                [attributes.graph('then_branch', inner), attributes.graph('else_branch', nothing)],
              ),
            ],
            output: [shapeless('else.out')],
          }),
        ],
      ),
      node('Mul', ['chosen', 'two'], ['out']),
    ],
    initializer: [
      ...lstm.initializer,
      floats('two', [1], [2]),
      int64s('axis', [1]),
      floats('half', [3, 1, 2, 2], new Float32Array(12).fill(0.5)),
    ],
    input: [
      info('x', [3, 2, 4]),
      info('first', [], DataType.BOOL),
      info('second', [], DataType.BOOL),
    ],
    output: [shapeless('out')],
  });
}

/** Loop: each round runs an LSTM from the state before; Scan: each row of series goes through a GRU. */
export function rounds(): Uint8Array {
  const lstm = recurrentNode(small, 'looped', {
    h: 'h.in',
    c: 'c.in',
    outputs: ['y', 'h.out', 'c.out'],
  });
  const gru = recurrentNode(other, 'scanned', { x: 'row', outputs: ['row.y', 'row.h'] });
  const loop: Onnx.IGraphProto = {
    name: 'round',
    node: [node('Identity', ['go'], ['go.on']), lstm.node, node('Identity', ['h.out'], ['seen'])],
    input: [
      info('i', [], DataType.INT64),
      info('go', [], DataType.BOOL),
      info('h.in', [1, 2, 6]),
      info('c.in', [1, 2, 6]),
    ],
    output: [
      info('go.on', [], DataType.BOOL),
      info('h.out', [1, 2, 6]),
      info('c.out', [1, 2, 6]),
      info('seen', [1, 2, 6]),
    ],
  };
  const scan: Onnx.IGraphProto = {
    name: 'each',
    node: [gru.node, node('Identity', ['row.h'], ['last'])],
    input: [info('row', [3, 2, 4])],
    output: [info('last', [1, 2, 6])],
  };
  return encode({
    node: [
      node(
        'Loop',
        ['count', 'yes', 'h0', 'c0'],
        ['h', 'c', 'all'],
        [attributes.graph('body', loop)],
      ),
      node(
        'Scan',
        ['series'],
        ['lasts'],
        [attributes.graph('body', scan), attributes.int('num_scan_inputs', 1)],
      ),
    ],
    initializer: [
      ...lstm.initializer,
      ...gru.initializer,
      { ...int64s('count', [4]), dims: [] },
      { name: 'yes', dims: [], dataType: DataType.BOOL, rawData: Uint8Array.of(1) },
    ],
    input: [
      info('x', [3, 2, 4]),
      info('h0', [1, 2, 6]),
      info('c0', [1, 2, 6]),
      info('series', [5, 3, 2, 4]),
    ],
    output: [shapeless('h'), shapeless('c'), shapeless('all'), shapeless('lasts')],
  });
}

/** Two chains side by side: a bidirectional LSTM under a GRU under a matrix, and a GRU alone. */
export function chains(): Uint8Array {
  const random = randomFrom(5);
  const lower = recurrentNode(both, 'lower', { outputs: ['lower.y'] });
  const upper = recurrentNode(top, 'upper', { x: 'joined', outputs: ['upper.y', 'upper.h'] });
  const alone = recurrentNode(other, 'alone', { outputs: ['alone.y', 'alone.h'] });
  return encode({
    node: [
      lower.node,
      node('Transpose', ['lower.y'], ['turned'], [attributes.ints('perm', [0, 2, 1, 3])]),
      node('Reshape', ['turned', 'shape'], ['joined']),
      upper.node,
      node('Squeeze', ['upper.y', 'one'], ['flat']),
      node('MatMul', ['flat', 'head'], ['out']),
      alone.node,
    ],
    initializer: [
      ...lower.initializer,
      ...upper.initializer,
      ...alone.initializer,
      int64s('shape', [0, 0, -1]),
      int64s('one', [1]),
      floats(
        'head',
        [5, 3],
        Float32Array.from({ length: 15 }, () => 2 * random() - 1),
      ),
    ],
    input: [info('x', ['T', 2, 4])],
    output: [shapeless('out'), shapeless('alone.h')],
  });
}

/** A detector as it is used: sound and a state in, a score and the next state out, the LSTM inside an If. */
export function detector(): Uint8Array {
  const r = randomRecurrence({ kind: 'lstm', direction: 'forward', inputs: 10, cells: 8 }, 6);
  const lstm = recurrentNode(r, 'lstm', { x: 'steps', h: 'h', c: 'c', outputs: ['y', 'hn', 'cn'] });
  const body: Onnx.IGraphProto = {
    name: 'then',
    node: [
      node('Unsqueeze', ['sound', 'front'], ['steps']),
      node('Split', ['state'], ['h', 'c'], [attributes.int('axis', 0)]),
      lstm.node,
      node('Concat', ['hn', 'cn'], ['next'], [attributes.int('axis', 0)]),
      node(
        'ReduceMean',
        ['hn'],
        ['mean'],
        [attributes.ints('axes', [0, 2]), attributes.int('keepdims', 0)],
      ),
    ],
    output: [shapeless('mean'), shapeless('next')],
  };
  const other: Onnx.IGraphProto = {
    name: 'else',
    node: [
      node(
        'ReduceMean',
        ['sound'],
        ['silent'],
        [attributes.ints('axes', [1]), attributes.int('keepdims', 0)],
      ),
      node('Identity', ['state'], ['same']),
    ],
    output: [shapeless('silent'), shapeless('same')],
  };
  return encode({
    node: [
      node('Equal', ['rate', 'known'], ['is']),
      node(
        'If',
        ['is'],
        ['score', 'stateN'],
        [attributes.graph('then_branch', body), attributes.graph('else_branch', other)],
      ),
    ],
    initializer: [
      ...lstm.initializer,
      int64s('front', [0]),
      { ...int64s('known', [16000]), dims: [] },
    ],
    input: [info('sound', ['n', 10]), info('state', [2, 'n', 8]), info('rate', [], DataType.INT64)],
    output: [shapeless('score'), shapeless('stateN')],
  });
}

/** x, and the state before, in; a matrix over h, and the state after, out. */
export function streaming(r: Recurrence, seed = 9): Uint8Array {
  const values = randomFrom(seed);
  const lstm = r.kind === 'lstm';
  const { node: cells, initializer } = recurrentNode(r, 'cells', {
    h: 'h0',
    c: 'c0',
    outputs: ['y', 'hn', 'cn'],
  });
  return encode({
    node: [
      cells,
      node('Squeeze', ['y', 'one'], ['flat']),
      node('MatMul', ['flat', 'head'], ['out']),
    ],
    initializer: [
      ...initializer,
      int64s('one', [1]),
      floats(
        'head',
        [r.cells, 2],
        Float32Array.from({ length: 2 * r.cells }, () => 2 * values() - 1),
      ),
    ],
    input: [
      info('x', ['T', 1, r.inputs]),
      info('h0', [1, 1, r.cells]),
      ...(lstm ? [info('c0', [1, 1, r.cells])] : []),
    ],
    output: [shapeless('out'), shapeless('hn'), ...(lstm ? [shapeless('cn')] : [])],
  });
}
