import type { onnx as Onnx } from 'onnx-proto';
import type { Tensor } from '../checkpoint.js';
import { toTensor, transpose, type Mat } from '../factorize/matrix.js';
import type { Pieces } from './pieces.js';
import { DataType, int, ints } from './proto.js';
import type { Site } from './recurrent.js';

/** Readers of several vectors as one constant: [sum of their columns, rows]. */
export function above(readers: readonly (Mat | undefined)[]): Tensor {
  const parts = readers.map((m) => {
    if (m === undefined) throw new Error('no such matrix');
    return toTensor(transpose(m));
  });
  const data = new Float32Array(parts.reduce((sum, p) => sum + p.data.length, 0));
  let at = 0;
  for (const part of parts) {
    data.set(part.data, at);
    at += part.data.length;
  }
  const rows = parts.reduce((sum, p) => sum + (p.shape[0] ?? 0), 0);
  return { shape: [rows, parts[0]?.shape[1] ?? 0], data };
}

/** An initial state of a direction, [B, cells]; undefined where the node has none. */
export function stateOf(
  part: Pieces,
  { node, half, directions }: Site,
  d: number,
  input: number,
  name: string,
): string | undefined {
  const first = node.input?.[input] ?? '';
  if (first === '') return undefined;
  let state = half ? part.cast(first, DataType.FLOAT, `${name}.float`) : first;
  if (directions.length > 1) {
    const at = part.int64s(`${name}.at`, [d]);
    state = part.node('Gather', [state, at], `${name}.of`, [int('axis', 0)]);
  }
  return part.axes('Squeeze', state, 0, name);
}

/** [T, B, 1]: whether step t of a sequence is before its end. */
export function maskOf(part: Pieces, x: string, lengths: string): string {
  const shape = part.node('Shape', [x], 'mask.shape');
  const steps = part.node('Gather', [shape, part.scalar('mask.axis', 0)], 'mask.steps', [
    int('axis', 0),
  ]);
  const range = part.node(
    'Range',
    [part.scalar('mask.from', 0), steps, part.scalar('mask.by', 1)],
    'mask.range',
  );
  const column = part.axes('Unsqueeze', range, 1, 'mask.column');
  return part.axes('Unsqueeze', part.node('Less', [column, lengths], 'mask.flat'), 2, 'mask');
}

/** Zeros [batch, cells], where the batch is the second axis of x. */
export function zeroState(part: Pieces, x: string, cells: number, name: string): string {
  const shape = part.node('Shape', [x], `${name}.shape`);
  const batch = part.node('Gather', [shape, part.int64s(`${name}.one`, [1])], `${name}.batch`, [
    int('axis', 0),
  ]);
  const sizes = part.node(
    'Concat',
    [batch, part.int64s(`${name}.cells`, [cells])],
    `${name}.sizes`,
    [int('axis', 0)],
  );
  return part.node('ConstantOfShape', [sizes], name);
}

/** The nodes of a path on p; only a Reshape names the size of the last axis. */
export function again(
  part: Pieces,
  path: readonly Onnx.INodeProto[],
  from: string,
  width: number,
  name: string,
): string {
  let value = from;
  path.forEach((node, i) => {
    const output = `${part.prefix}${name}.${i}`;
    const copy: Onnx.INodeProto = {
      ...node,
      name: output,
      input: [value, ...(node.input ?? []).slice(1)],
      output: [output],
    };
    if (node.opType === 'Cast') {
      // p is float32 throughout.
      copy.opType = 'Identity';
      copy.attribute = [];
    }
    if (node.opType === 'Reshape')
      copy.input = [value, reshaped(part, node.input?.[1] ?? '', width, `${name}.${i}.shape`)];
    part.nodes.push(copy);
    value = output;
  });
  return value;
}

/** The shape input of a Reshape with its last entry replaced by the width. */
function reshaped(part: Pieces, shape: string, width: number, name: string): string {
  const front =
    part.opset < 10
      ? part.node('Slice', [shape], `${name}.front`, [ints('starts', [0]), ints('ends', [-1])])
      : part.node(
          'Slice',
          [
            shape,
            part.int64s(`${name}.start`, [0]),
            part.int64s(`${name}.end`, [-1]),
            part.int64s(`${name}.axis`, [0]),
          ],
          `${name}.front`,
        );
  return part.node('Concat', [front, part.int64s(`${name}.width`, [width])], name, [
    int('axis', 0),
  ]);
}
