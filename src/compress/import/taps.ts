import type { onnx as Onnx } from 'onnx-proto';
import { rebuild, type Change } from './assemble.js';
import type { ForeignModel } from './model.js';
import { Pieces } from './pieces.js';
import { bodiesOf, DataType, int, ints, nameOf, refused } from './proto.js';
import type { Scope } from './scope.js';

const { FLOAT } = DataType;

/**
 * A model with further outputs, wherever in it their values are. Out of a branch of an If a value comes
 * as zeros when the other branch ran; out of a loop as the sum over its rounds.
 */
export class Taps {
  private readonly pieces = new Map<Scope, Pieces>();
  private readonly outputs = new Map<Scope, Onnx.IValueInfoProto[]>();
  private readonly edited = new Map<Onnx.INodeProto, Onnx.INodeProto>();
  private next = 0;

  constructor(
    private readonly model: ForeignModel,
    private readonly prefix = 'kikitori.tap.',
  ) {}

  /** Where nodes may be added to a graph. */
  in(scope: Scope): Pieces {
    let pieces = this.pieces.get(scope);
    if (pieces === undefined) {
      pieces = new Pieces(this.model.opset, `${this.prefix}${this.pieces.size}.`);
      this.pieces.set(scope, pieces);
    }
    return pieces;
  }

  /** The name of an output of a node, which gets one if it has none. */
  outputOf(node: Onnx.INodeProto, index: number): string {
    const now = this.edited.get(node) ?? node;
    const known = now.output?.[index] ?? '';
    if (known !== '') return known;
    const output = [...(now.output ?? [])];
    while (output.length <= index) output.push('');
    output[index] = `${this.prefix}of.${this.next++}`;
    this.edited.set(node, { ...now, output });
    return output[index] ?? '';
  }

  /** Makes a value of known shape an output of the model; returns the name it has there. */
  give(scope: Scope, value: string, shape: readonly number[]): string {
    const info = (name: string): Onnx.IValueInfoProto => ({
      name,
      type: {
        tensorType: { elemType: FLOAT, shape: { dim: shape.map((d) => ({ dimValue: d })) } },
      },
    });
    const { around } = scope;
    const pieces = this.in(scope);
    // A name of its own: a value may be an output already.
    const given = pieces.node('Identity', [value], `give.${this.next++}`);
    if (around === undefined) {
      this.addOutput(scope, info(given));
      return given;
    }
    const { node } = around;
    const type = node.opType ?? '';
    if (!['If', 'Loop', 'Scan'].includes(type)) {
      throw refused(
        this.model.where,
        `a recurrent node inside the ${type} node "${nameOf(node)}" cannot be watched`,
        'one inside If, Loop or Scan, or --method paper',
      );
    }
    const outside = this.outputOf(node, (this.edited.get(node) ?? node).output?.length ?? 0);
    if (type === 'If') {
      this.addOutput(scope, info(given));
      for (const { graph } of bodiesOf(node)) {
        const other = this.model.scopes.find((s) => s.graph === graph);
        if (other === undefined || other === scope) continue;
        const zeros = this.in(other).floats(`zeros.${this.next++}`, {
          shape,
          data: new Float32Array(shape.reduce((a, b) => a * b, 1)),
        });
        this.addOutput(
          other,
          info(this.in(other).node('Identity', [zeros], `none.${this.next++}`)),
        );
      }
      return this.give(around.scope, outside, shape);
    }
    this.addOutput(scope, info(given));
    if (type === 'Scan') this.addDirection(node);
    const outer = this.in(around.scope);
    const at = `sum.${this.next++}`;
    const sum =
      outer.opset < 13
        ? outer.node('ReduceSum', [outside], at, [ints('axes', [0]), int('keepdims', 0)])
        : outer.node('ReduceSum', [outside, outer.int64s(`${at}.axes`, [0])], at, [
            int('keepdims', 0),
          ]);
    return this.give(around.scope, sum, shape);
  }

  /** A Scan that says directions or axes of its outputs says them of all. */
  private addDirection(node: Onnx.INodeProto): void {
    const now = this.edited.get(node) ?? node;
    const attribute = (now.attribute ?? []).map((a) =>
      ['scan_output_directions', 'scan_output_axes'].includes(a.name ?? '')
        ? { ...a, ints: [...(a.ints ?? []).map(Number), 0] }
        : a,
    );
    this.edited.set(node, { ...now, attribute });
  }

  /** Makes a value of the main graph an output, whatever its shape. */
  keep(scope: Scope, value: string): string {
    const given = this.in(scope).node('Identity', [value], `keep.${this.next++}`);
    this.addOutput(scope, { name: given, type: { tensorType: { elemType: FLOAT } } });
    return given;
  }

  private addOutput(scope: Scope, output: Onnx.IValueInfoProto): void {
    this.outputs.set(scope, [...(this.outputs.get(scope) ?? []), output]);
  }

  bytes(): Uint8Array {
    const scopes = new Set([...this.pieces.keys(), ...this.outputs.keys()]);
    const changes = [...scopes].map((scope): Change => {
      const pieces = this.pieces.get(scope);
      return {
        scope,
        edited: this.edited,
        nodes: pieces?.nodes ?? [],
        initializers: pieces?.initializers ?? [],
        outputs: this.outputs.get(scope) ?? [],
      };
    });
    return rebuild(this.model, changes);
  }
}
