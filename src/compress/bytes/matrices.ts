import type { onnx as Onnx } from 'onnx-proto';
import type { Tensor } from '../safetensors.js';
import { attribute, constantNode, DataType, nameOf } from '../import/proto.js';
import { productMatrix } from '../import/network.js';
import type { ForeignModel } from '../import/model.js';
import type { Scope } from '../import/scope.js';

/** One product with a constant matrix: x W^T, wherever it stands. */
export interface Product {
  readonly scope: Scope;
  readonly node: Onnx.INodeProto;
}

/**
 * A constant matrix and all products with it. They share one scale of what they read: the same product
 * before the first step and inside the loop must give the same bits.
 */
export interface Matrix {
  readonly name: string;
  /** The graph that has the constant. */
  readonly giver: Scope;
  /** [outputs, inputs] */
  readonly weight: Tensor;
  readonly products: readonly Product[];
}

/** A constant that only convolutions read: a weight for each output channel, whatever follows. */
export interface Kernel {
  readonly name: string;
  readonly giver: Scope;
  readonly dims: readonly number[];
  readonly data: Float32Array;
  /** Of the output channels. */
  readonly axis: number;
}

/** A node with weights that stay in float, and why. */
export interface InFloat {
  readonly name: string;
  readonly why: string;
  readonly weights: number;
}

export interface Found {
  readonly matrices: readonly Matrix[];
  readonly kernels: readonly Kernel[];
  readonly inFloat: readonly InFloat[];
}

/** Smaller constants are not worth the nodes that would unpack them. */
const leastKernel = 256;

/** What of a network can be held in bytes; nodes of `keep` stay as they are. */
export async function findMatrices(
  model: ForeignModel,
  keep: ReadonlySet<string> = new Set(),
): Promise<Found> {
  const matrices = new Map<string, Matrix & { readonly products: Product[] }>();
  const kernels = new Map<string, Kernel>();
  const inFloat: InFloat[] = [];
  const places = new Map(model.scopes.map((scope, i) => [scope, i]));
  const unknown = new Set(keep);
  const stays = (node: Onnx.INodeProto, why: string, weights: number) =>
    inFloat.push({ name: nameOf(node), why, weights });
  for (const scope of model.scopes) {
    const around = scope.line.flatMap((s) => s.around?.node.opType ?? []);
    const odd = around.find((type) => !['If', 'Loop', 'Scan'].includes(type));
    for (const node of scope.nodes) {
      const type = node.opType ?? '';
      const name = node.input?.[1] ?? '';
      const kept = keep.has(nameOf(node));
      unknown.delete(nameOf(node));
      if (['LSTM', 'GRU', 'RNN'].includes(type)) {
        const weights = await sizeOf(model, scope, node);
        stays(node, `this ${type} is not written out`, weights);
      } else if (type === 'Conv' || type === 'ConvTranspose') {
        const kernel = await kernelOf(model, scope, node);
        if (kernel === undefined) continue;
        if (kept) stays(node, 'it was asked for', kernel.data.length);
        else kernels.set(`${places.get(kernel.giver) ?? 0} ${name}`, kernel);
      } else if (type === 'MatMul' || type === 'Gemm') {
        const found = await productMatrix(model, scope, node);
        const giver = scope.giver(name);
        if (found === undefined || giver === undefined) continue;
        const why = kept
          ? 'it was asked for'
          : found.half
            ? 'its matrix is in half precision'
            : odd === undefined
              ? undefined
              : `it stands inside a ${odd}`;
        if (why !== undefined) {
          stays(node, why, found.data.length);
          continue;
        }
        const turned = type === 'Gemm' ? 'Gemm ' : '';
        const key = `${places.get(giver) ?? 0} ${turned}${name}`;
        const known = matrices.get(key);
        if (known !== undefined) known.products.push({ scope, node });
        else {
          const { shape, data } = found;
          const products = [{ scope, node }];
          matrices.set(key, { name, giver, weight: { shape, data }, products });
        }
      }
    }
  }
  for (const name of unknown) inFloat.push({ name, why: 'no node has this name', weights: NaN });
  return { matrices: [...matrices.values()], kernels: readByConvolutionsAlone(kernels), inFloat };
}

async function sizeOf(model: ForeignModel, scope: Scope, node: Onnx.INodeProto): Promise<number> {
  const each = [1, 2].map(async (i) => (await model.constant(node.input?.[i] ?? '', scope))?.data);
  return (await Promise.all(each)).reduce((sum, data) => sum + (data?.length ?? 0), 0);
}

/** The weight of a convolution that lies in the file as it is, in float32. */
async function kernelOf(
  model: ForeignModel,
  scope: Scope,
  node: Onnx.INodeProto,
): Promise<Kernel | undefined> {
  const name = node.input?.[1] ?? '';
  const giver = scope.giver(name);
  const tensor = giver?.initializers.get(name) ?? constantNode(giver?.producers.get(name));
  if (giver === undefined || tensor?.dataType !== DataType.FLOAT) return undefined;
  const constant = await model.constant(name, scope);
  if (constant === undefined || constant.data.length < leastKernel) return undefined;
  if (!constant.data.every(Number.isFinite)) return undefined;
  const { dims, data } = constant;
  return { name, giver, dims, data, axis: node.opType === 'Conv' ? 0 : 1 };
}

/** A matrix as something that is only stored in bytes, where it lies in the file as it is and nothing else reads it. */
export async function asKernel(
  model: ForeignModel,
  { name, giver, products }: Matrix,
): Promise<Kernel | undefined> {
  if (!giver.initializers.has(name) || giver.outputs.includes(name)) return undefined;
  const own = new Set(products.map((p) => p.node));
  const others = model.scopes.some((scope) =>
    scope.nodes.some((n) => !own.has(n) && (n.input ?? []).includes(name)),
  );
  const constant = await model.constant(name, giver);
  if (others || constant === undefined || constant.data.length < leastKernel) return undefined;
  // [inputs, outputs] of a MatMul; of a Gemm perhaps the other way about.
  const axes = products.map(({ node }) => (Number(attribute(node, 'transB') ?? 0) === 1 ? 0 : 1));
  const [axis = 1] = axes;
  const { dims, data } = constant;
  return axes.every((a) => a === axis) ? { name, giver, dims, data, axis } : undefined;
}

function readByConvolutionsAlone(kernels: ReadonlyMap<string, Kernel>): Kernel[] {
  const within = (scope: Scope, name: string): boolean =>
    !scope.outputs.includes(name) &&
    (scope.readers.get(name) ?? []).every((node) =>
      ['Conv', 'ConvTranspose'].includes(node.opType ?? '')
        ? (node.input ?? []).lastIndexOf(name) === 1
        : !(node.input ?? []).includes(name),
    );
  return [...kernels.values()].filter(({ giver, name }) => within(giver, name));
}
