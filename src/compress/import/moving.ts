import type { onnx as Onnx } from 'onnx-proto';
import type { ForeignModel } from './model.js';
import { attribute, DataType } from './proto.js';
import type { Scope } from './scope.js';

/**
 * The axes of a value on its way from a recurrent node. `H` holds the cells of one direction, `D` the
 * directions, `DH` the cells of both, forward first; what else there is does not matter.
 */
export type Axes = readonly string[];

/** Y [T, D, B, H] and Y_h [D, B, H] of a node. */
export const axesOf = (output: number, directions: number): Axes => {
  const d = directions === 2 ? 'D' : '?';
  return output === 0 ? ['?', d, '?', 'H'] : [d, '?', 'H'];
};

/**
 * The axes after a node that only moves values and leaves the cells last; undefined for any other
 * node, and where that cannot be told.
 */
export async function moved(
  model: ForeignModel,
  scope: Scope,
  node: Onnx.INodeProto,
  axes: Axes,
  cells: number,
): Promise<Axes | undefined> {
  const values = async (index: number, name: string): Promise<number[] | undefined> => {
    const inline = attribute(node, name);
    if (Array.isArray(inline)) return inline.map(Number);
    if (typeof inline === 'number') return [inline];
    const input = node.input?.[index] ?? '';
    const constant = input === '' ? undefined : await model.constant(input, scope);
    return constant === undefined ? undefined : [...constant.data];
  };
  const rank = axes.length;
  const last = rank - 1;
  const at = (axis: number, among: number) => (axis < 0 ? axis + among : axis);
  switch (node.opType) {
    case 'Identity':
      return axes;
    case 'Cast':
      return [DataType.FLOAT, DataType.FLOAT16].includes(Number(attribute(node, 'to')))
        ? axes
        : undefined;
    case 'Dropout':
      return (node.output ?? []).filter((o) => o !== '').length === 1 ? axes : undefined;
    case 'Squeeze': {
      const gone = (await values(1, 'axes'))?.map((a) => at(a, rank));
      // Two directions cannot be squeezed away.
      if (gone?.every((a) => a >= 0 && a < last && axes[a] !== 'D') !== true) return undefined;
      return axes.filter((_, i) => !gone.includes(i));
    }
    case 'Unsqueeze': {
      const made = await values(1, 'axes');
      if (made === undefined) return undefined;
      const places = new Set(made.map((a) => at(a, rank + made.length)));
      const left = [...axes];
      const out = Array.from({ length: rank + made.length }, (_, i) =>
        places.has(i) ? '?' : (left.shift() ?? '?'),
      );
      return places.has(out.length - 1) ? undefined : out;
    }
    case 'Transpose': {
      const perm = await values(-1, 'perm');
      if (perm?.length !== rank || perm[last] !== last) return undefined;
      return perm.map((a) => axes[a] ?? '?');
    }
    case 'Reshape':
      return reshaped(axes, await values(1, 'shape'), cells, node);
    case 'Gather': {
      const axis = at(Number(attribute(node, 'axis') ?? 0), rank);
      const index = await model.constant(node.input?.[1] ?? '', scope);
      if (index === undefined || axis >= last || axes[axis] === 'D') return undefined;
      return [...axes.slice(0, axis), ...index.dims.map(() => '?'), ...axes.slice(axis + 1)];
    }
    case 'Slice': {
      const cut = (await values(3, 'axes'))?.map((a) => at(a, rank));
      return cut?.every((a) => a >= 0 && a < last && axes[a] !== 'D') === true ? axes : undefined;
    }
    default:
      return undefined;
  }
}

/** Only a Reshape names the size of the last axis; with two directions it may make one of them and the cells. */
function reshaped(
  axes: Axes,
  shape: readonly number[] | undefined,
  cells: number,
  node: Onnx.INodeProto,
): Axes | undefined {
  const wanted = shape?.at(-1);
  if (shape === undefined || wanted === undefined || shape.length < 1) return undefined;
  if (Number(attribute(node, 'allowzero') ?? 0) !== 0) return undefined;
  const front = shape.slice(0, -1).map((size, i) => (size === 0 ? (axes[i] ?? '?') : '?'));
  const ends = axes.at(-1) ?? '';
  if (wanted === 0) return shape.length === axes.length ? [...front, ends] : undefined;
  if (axes.includes('D')) {
    const beside = axes.at(-2) === 'D';
    const merges = wanted === 2 * cells || (wanted === -1 && shape.length === axes.length - 1);
    return beside && merges && !front.includes('D') ? [...front, 'DH'] : undefined;
  }
  const size = ends === 'DH' ? 2 * cells : cells;
  return wanted === size || wanted === -1 ? [...front, ends] : undefined;
}
