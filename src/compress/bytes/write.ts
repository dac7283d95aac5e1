import type { onnx as Onnx } from 'onnx-proto';
import { transposed } from '../graph/arithmetic.js';
import { microsoft } from '../graph/onnx.js';
import { rebuild, type Change } from '../import/assemble.js';
import { encodeModel } from '../import/layout.js';
import { ForeignModel } from '../import/model.js';
import { Pieces } from '../import/pieces.js';
import { DataType, attribute } from '../import/proto.js';
import { freePrefix } from '../import/rewrite.js';
import type { Scope } from '../import/scope.js';
import { quantizeRows, zeroPoint } from '../quantize/grid.js';
import type { Kernel, Matrix } from './matrices.js';

/** The model with ONNX Runtime's own operators allowed: `MatMulIntegerToFloat` is one of them. */
export function withIntegerProducts(model: ForeignModel): ForeignModel {
  const { proto, where } = model;
  if ((proto.opsetImport ?? []).some((o) => o.domain === microsoft)) return model;
  const opsetImport = [...(proto.opsetImport ?? []), { domain: microsoft, version: 1 }];
  const allowed: Onnx.IModelProto = { ...proto, opsetImport };
  return ForeignModel.of(allowed, encodeModel(allowed), where);
}

/**
 * The model with its matrices in bytes (docs/adr/0045-foreign-bytes.md). What a product reads is rounded
 * to its scale's grid, multiplied in integers and comes out in float. Kernels of convolutions are only
 * stored in bytes: ONNX Runtime unpacks them once, when it loads the file.
 */
export function writeBytes(
  model: ForeignModel,
  matrices: readonly Matrix[],
  scales: readonly (number | undefined)[],
  kernels: readonly Kernel[],
): Uint8Array {
  const writer = new Writer(model);
  matrices.forEach((matrix, m) => {
    const scale = scales[m];
    if (scale !== undefined) writer.matrix(matrix, scale, `${m}.`);
  });
  kernels.forEach((kernel, k) => writer.kernel(kernel, `kernel.${k}`));
  return rebuild(model, writer.changes());
}

class Writer {
  private readonly prefix: string;
  private readonly parts = new Map<Scope, Pieces>();
  private readonly replaced = new Set<Onnx.INodeProto>();
  private readonly dropped = new Map<Scope, Set<string>>();
  /** Values on a grid: two products that read one value with one scale round it once. */
  private readonly rounded = new Map<Scope, Map<string, string>>();

  constructor(private readonly model: ForeignModel) {
    this.prefix = freePrefix(model);
  }

  private in(scope: Scope): Pieces {
    let part = this.parts.get(scope);
    if (part === undefined) {
      part = new Pieces(this.model.opset, `${this.prefix}${this.parts.size}.`);
      this.parts.set(scope, part);
    }
    return part;
  }

  changes(): readonly Change[] {
    return [...this.parts].map(([scope, part]) => ({
      scope,
      replaced: this.replaced,
      dropped: this.dropped.get(scope) ?? new Set(),
      nodes: part.nodes,
      initializers: part.initializers,
    }));
  }

  matrix({ giver, weight, products }: Matrix, scale: number, name: string): void {
    const { shape, q, scales } = quantizeRows(weight);
    const [rows = 0, columns = 0] = shape;
    // A loop is faster with its weights inside; those of several graphs stand where the float ones stood.
    const scopes = new Set(products.map((p) => p.scope));
    const [only] = scopes;
    const holder = this.in(scopes.size === 1 && only !== undefined ? only : giver);
    const turned = transposed(shape, q, new Uint8Array(q.length));
    const bytes = holder.bytes(`${name}w`, [columns, rows], turned);
    const each = holder.floats(`${name}w.scale`, { shape: [rows], data: scales });
    const own = holder.floats(`${name}scale`, { shape: [], data: Float32Array.of(scale) });
    const zero = this.zero(holder);
    for (const { scope, node } of products) {
      const part = this.in(scope);
      const x = this.round(part, scope, node.input?.[0] ?? '', own, scale, zero);
      const out = node.output?.[0] ?? '';
      const inputs = [x, bytes, own, each, zero, zero];
      const bias = node.opType === 'Gemm' ? this.biasOf(part, node) : '';
      const product = (as?: string) =>
        part.node('MatMulIntegerToFloat', inputs, `of.${out}`, [], as, microsoft);
      if (bias === '') product(out);
      else part.node('Add', [product(), bias], `sum.${out}`, [], out);
      this.replaced.add(node);
    }
  }

  private zero(part: Pieces): string {
    const name = `${part.prefix}zero`;
    const known = part.initializers.some((i) => i.name === name);
    return known ? name : part.bytes('zero', [], Uint8Array.of(zeroPoint));
  }

  private round(
    part: Pieces,
    scope: Scope,
    value: string,
    own: string,
    scale: number,
    zero: string,
  ): string {
    const known = this.rounded.get(scope) ?? new Map<string, string>();
    this.rounded.set(scope, known);
    const key = `${scale} ${value}`;
    const name =
      known.get(key) ?? part.node('QuantizeLinear', [value, own, zero], `q.${known.size}`);
    known.set(key, name);
    return name;
  }

  private biasOf(part: Pieces, node: Onnx.INodeProto): string {
    const c = node.input?.[2] ?? '';
    const beta = Number(attribute(node, 'beta') ?? 1);
    if (c === '' || beta === 1) return c;
    const by = part.once(`beta.${beta}`, () => ({ shape: [1], data: Float32Array.of(beta) }));
    return part.node('Mul', [c, by], `scaled.${node.output?.[0] ?? ''}`);
  }

  /** Under the name that it had: float = scale (byte - 128), a scale for each output channel. */
  kernel({ giver, name, dims, data, axis }: Kernel, as: string): void {
    const part = this.in(giver);
    const rows = dims[axis] ?? 1;
    const inner = dims.slice(axis + 1).reduce((a, b) => a * b, 1);
    const channel = (i: number) => Math.floor(i / inner) % rows;
    const most = new Float32Array(rows);
    data.forEach((v, i) => {
      most[channel(i)] = Math.max(most[channel(i)] ?? 0, Math.abs(v));
    });
    const scales = most.map((m) => Math.fround(m / 127) || 1);
    const bytes = Uint8Array.from(
      data,
      (v, i) => zeroPoint + Math.round(v / (scales[channel(i)] ?? 1)),
    );
    const wide = dims.map((_, d) => (d === axis ? rows : 1));
    const stored = part.bytes(as, dims, bytes);
    const float = part.cast(stored, DataType.FLOAT, `${as}.float`);
    const zero = part.once('zero.float', () => ({ shape: [1], data: Float32Array.of(zeroPoint) }));
    const centred = part.node('Sub', [float, zero], `${as}.centred`);
    const by = part.floats(`${as}.scale`, { shape: wide, data: scales });
    part.node('Mul', [centred, by], `${as}.value`, [], name);
    const producer = giver.producers.get(name);
    if (producer !== undefined) this.replaced.add(producer);
    const dropped = this.dropped.get(giver) ?? new Set<string>();
    this.dropped.set(giver, dropped.add(name));
  }
}
