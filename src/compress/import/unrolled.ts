import { createHash } from 'node:crypto';
import type { onnx as Onnx } from 'onnx-proto';
import { rebuild, type Change } from './assemble.js';
import { ForeignModel } from './model.js';
import { productMatrix } from './network.js';
import { Pieces } from './pieces.js';
import { attribute, int, ints, nameOf } from './proto.js';
import { freePrefix } from './rewrite.js';
import type { Scope } from './scope.js';
import type { Tensor } from '../safetensors.js';

/** A product with a constant matrix [outputs, inputs]. */
interface Term {
  readonly value: string;
  readonly weight: Tensor;
}

/** One step of an LSTM that an exporter wrote out in plain operators: gates in the order i, o, f, g. */
interface Step {
  readonly node: Onnx.INodeProto;
  readonly h: string;
  readonly c: string;
  readonly cBefore: string;
  readonly x: Term;
  /** Absent where h before was zero and the product with it folded away. */
  readonly hBefore?: Term;
  readonly bias: Float32Array;
  /** Of weights and biases, h's own apart. */
  readonly key: string;
  readonly recurrentKey: string;
}

/** What looks like a step and is none that is known, by the node at its end. */
export interface Unrecognised {
  readonly name: string;
  readonly why: string;
}

export interface Rolled {
  readonly model: ForeignModel;
  /** LSTM nodes that were made, and of how many steps each. */
  readonly made: readonly { readonly name: string; readonly steps: number }[];
  readonly unrecognised: readonly Unrecognised[];
}

/**
 * The model with LSTMs that stand there in plain operators (unrolled over time, or as the body of a Scan or
 * Loop) written as LSTM nodes: c' = f c + i g, h' = o tanh(c'), all four gates of one sum of products.
 */
export async function rolled(model: ForeignModel): Promise<Rolled> {
  const changes: Change[] = [];
  const made: { name: string; steps: number }[] = [];
  const unrecognised: Unrecognised[] = [];
  const prefix = `${freePrefix(model)}rolled.`;
  for (const scope of model.scopes) {
    const steps: Step[] = [];
    const at = new Map<string, Step>();
    for (const node of scope.nodes) {
      if (endsGru(scope, node)) {
        const why =
          'ends what looks like a step of a GRU; of what is unrolled only LSTMs are taken';
        unrecognised.push({ name: nameOf(node), why });
      }
      const found = await stepAt(model, scope, node, at);
      if (found === undefined) continue;
      if (typeof found === 'string') {
        const why = `ends what looks like a step of an LSTM, but ${found}`;
        unrecognised.push({ name: nameOf(node), why });
        continue;
      }
      steps.push(found);
      at.set(found.c, found);
    }
    if (steps.length === 0) continue;
    const part = new Pieces(model.opset, `${prefix}${changes.length}.`);
    const replaced = new Set<Onnx.INodeProto>();
    for (const chain of chainsOf(scope, steps, at)) {
      const name = await write(model, scope, part, chain, `${made.length}.`);
      for (const { node, c } of chain) {
        replaced.add(node);
        const sum = scope.producers.get(c);
        if (sum !== undefined) replaced.add(sum);
      }
      made.push({ name, steps: chain.length });
    }
    changes.push({ scope, replaced, nodes: part.nodes, initializers: part.initializers });
  }
  if (changes.length === 0) return { model, made, unrecognised };
  const bytes = rebuild(model, changes);
  const { proto, where } = ForeignModel.parse(bytes, model.where);
  return {
    model: ForeignModel.of(proto, bytes, where, model.origin),
    made,
    unrecognised,
  };
}

/** The step that ends in this node; undefined if it is no such end, words if it is one that is not known. */
async function stepAt(
  model: ForeignModel,
  scope: Scope,
  node: Onnx.INodeProto,
  before: ReadonlyMap<string, Step>,
): Promise<Step | string | undefined> {
  const from = (value: string | undefined) => scope.producers.get(value ?? '');
  const factors = (n: Onnx.INodeProto | undefined) => {
    if (n?.opType !== 'Mul') return undefined;
    const [a, b] = (n.input ?? []).map((value) => ({ value, node: from(value) }));
    if (a?.node?.opType === 'Sigmoid') return { gate: a.node, other: b };
    return b?.node?.opType === 'Sigmoid' ? { gate: b.node, other: a } : undefined;
  };
  const end = factors(node);
  const squash = end?.other?.node;
  if (end === undefined || squash?.opType !== 'Tanh') return undefined;
  const sum = from(squash.input?.[0]);
  if (sum?.opType !== 'Add') return undefined;
  const parts = (sum.input ?? []).map((v) => factors(from(v)));
  const written = parts.find((p) => p?.other?.node?.opType === 'Tanh');
  const kept = parts.find((p) => p !== undefined && p !== written);
  if (written === undefined || kept === undefined) return undefined;
  const pre = [written.gate, end.gate, kept.gate, written.other?.node].map(
    (n) => n?.input?.[0] ?? '',
  );
  const split = from(pre[0]);
  if (split?.opType !== 'Split' || split.output?.length !== 4)
    return 'its gates are no four parts of one sum';
  const order = pre.map((value) => (split.output ?? []).indexOf(value));
  if (new Set(order).size !== 4 || order.includes(-1))
    return 'its gates are no four parts of one sum';
  const terms: Term[] = [];
  const biases: Float32Array[] = [];
  const fault = await addends(model, scope, split.input?.[0] ?? '', terms, biases);
  if (fault !== undefined) return fault;
  const rows = terms[0]?.weight.shape[0] ?? 0;
  const cells = rows / 4;
  if (!Number.isInteger(cells) || terms.some((p) => p.weight.shape[0] !== rows))
    return 'its products have different sizes';
  if (biases.some((b) => b.length !== rows))
    return 'its biases have another size than its products';
  const previous = before.get(kept.other?.value ?? '');
  const own = terms.findIndex((p) =>
    previous === undefined ? p.weight.shape[1] === cells : p.value === previous.h,
  );
  if (terms.length > 2 || terms.length === 0)
    return `its gates are a sum of ${terms.length} products; expected two, of an input and of h`;
  if (terms.length === 2 && own < 0) return 'neither of its products reads h of the step before';
  if (terms.length === 1 && previous !== undefined) return 'it does not read h of the step before';
  const hBefore = terms.length === 2 ? terms[own] : undefined;
  const x = terms.find((p) => p !== hBefore);
  if (x === undefined) return 'it reads no input';
  const bias = new Float32Array(rows);
  for (const one of biases) one.forEach((v, i) => (bias[i] = (bias[i] ?? 0) + v));
  const ordered = (data: Float32Array, width: number) => {
    const out = new Float32Array(data.length);
    order.forEach((block, to) =>
      out.set(
        data.subarray(block * cells * width, (block + 1) * cells * width),
        to * cells * width,
      ),
    );
    return out;
  };
  const term = ({ value, weight }: Term): Term => ({
    value,
    weight: { shape: weight.shape, data: ordered(weight.data, weight.shape[1] ?? 0) },
  });
  const [ownX, ownH] = [term(x), hBefore && term(hBefore)];
  return {
    node,
    h: node.output?.[0] ?? '',
    c: sum.output?.[0] ?? '',
    cBefore: kept.other?.value ?? '',
    x: ownX,
    ...(ownH === undefined ? {} : { hBefore: ownH }),
    bias: ordered(bias, 1),
    key: digest([ownX.weight.data]),
    recurrentKey: digest([ownH?.weight.data ?? new Float32Array(0)]),
  };
}

/** h' = n + z (h - n), n = tanh(..), z = sigmoid(..) */
function endsGru(scope: Scope, node: Onnx.INodeProto): boolean {
  const from = (value: string) => scope.producers.get(value);
  const typesOf = (n: Onnx.INodeProto | undefined) => (n?.input ?? []).map((v) => from(v)?.opType);
  if (node.opType !== 'Add' || !typesOf(node).includes('Tanh')) return false;
  const product = (node.input ?? []).map(from).find((n) => n?.opType === 'Mul');
  const difference = (product?.input ?? []).map(from).find((n) => n?.opType === 'Sub');
  return typesOf(product).includes('Sigmoid') && typesOf(difference).includes('Tanh');
}

const digest = (parts: readonly Float32Array[]): string => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
};

/** Takes a sum apart into products with constant matrices and constants; words where it is something else. */
async function addends(
  model: ForeignModel,
  scope: Scope,
  value: string,
  terms: Term[],
  biases: Float32Array[],
): Promise<string | undefined> {
  const node = scope.producers.get(value);
  if (node?.opType === 'Add') {
    for (const input of node.input ?? []) {
      const fault = await addends(model, scope, input, terms, biases);
      if (fault !== undefined) return fault;
    }
    return undefined;
  }
  const weight = node && (await productMatrix(model, scope, node));
  if (node !== undefined && weight !== undefined) {
    if (weight.half) return 'its matrices are in half precision';
    terms.push({ value: node.input?.[0] ?? '', weight });
    const c = node.opType === 'Gemm' ? (node.input?.[2] ?? '') : '';
    if (c === '') return undefined;
    if (Number(attribute(node, 'beta') ?? 1) !== 1) return 'its Gemm scales its bias';
    return addends(model, scope, c, terms, biases);
  }
  const constant = await model.constant(value, scope);
  if (constant === undefined) return `"${value}" in its gates is no product with a constant matrix`;
  const width = constant.dims.at(-1) ?? 1;
  const first = constant.data.slice(0, width);
  if (!constant.data.every((v, i) => v === first[i % width]))
    return `"${value}" in its gates is no bias`;
  biases.push(first);
  return undefined;
}

/** Steps that follow each other with the same weights; each alone where more hangs between them than h and c. */
function chainsOf(
  scope: Scope,
  steps: readonly Step[],
  at: ReadonlyMap<string, Step>,
): readonly (readonly Step[])[] {
  const next = new Map<Step, Step>();
  for (const step of steps) {
    const previous = at.get(step.cBefore);
    if (previous === undefined || previous.key !== step.key) continue;
    const same = previous.bias.every((b, i) => Math.abs(b - (step.bias[i] ?? NaN)) < 1e-6);
    const first = previous.hBefore === undefined;
    if (!same || (!first && previous.recurrentKey !== step.recurrentKey)) continue;
    next.set(previous, step);
  }
  const later = new Set(next.values());
  const chains: Step[][] = [];
  for (const step of steps) {
    if (later.has(step)) continue;
    const chain = [step];
    for (let s = next.get(step); s !== undefined; s = next.get(s)) chain.push(s);
    // Without the matrix that read h, a step stands only before others that have it.
    if (chain.length === 1 && step.hBefore === undefined) continue;
    const apart = chain.length > 1 && !together(scope, chain);
    if (!apart) chains.push(chain);
    else for (const one of chain) if (one.hBefore !== undefined) chains.push([one]);
  }
  return chains;
}

/** Whether no input of a later step comes from an earlier one, and nothing else reads c in between. */
function together(scope: Scope, chain: readonly Step[]): boolean {
  const inside = chain.slice(0, -1).every(({ c }) => {
    const readers = scope.readers.get(c) ?? [];
    return (
      !scope.outputs.includes(c) && readers.every((n) => ['Tanh', 'Mul'].includes(n.opType ?? ''))
    );
  });
  const from = new Set<string>();
  const left = chain.map((s) => s.h);
  for (let value = left.pop(); value !== undefined; value = left.pop()) {
    if (from.has(value)) continue;
    from.add(value);
    for (const node of scope.readers.get(value) ?? []) left.push(...(node.output ?? []));
  }
  return inside && chain.every(({ x }) => !from.has(x.value));
}

/** An LSTM node of the chain, and h and c of the steps under the names that they had; the node's name. */
async function write(
  model: ForeignModel,
  scope: Scope,
  part: Pieces,
  chain: readonly Step[],
  as: string,
): Promise<string> {
  const [first] = chain;
  const last = chain.at(-1);
  const recurrent = chain.find((s) => s.hBefore !== undefined)?.hBefore;
  if (first === undefined || last === undefined || recurrent === undefined)
    throw new Error('a chain has a step that reads h');
  const { weight } = first.x;
  const [rows = 0] = weight.shape;
  const wide = ({ shape, data }: Tensor): Tensor => ({ shape: [1, ...shape], data });
  const bias = new Float32Array(2 * rows);
  bias.set(last.bias);
  const name = `${part.prefix}${as}lstm`;
  const c = await model.constant(first.cBefore, scope);
  const zero = c?.data.every((v) => v === 0) === true;
  part.nodes.push({
    opType: 'LSTM',
    name,
    input: [
      await inputsOf(model, scope, part, chain, as),
      part.floats(`${as}w`, wide(weight)),
      part.floats(`${as}r`, wide(recurrent.weight)),
      part.floats(`${as}b`, { shape: [1, 2 * rows], data: bias }),
      '',
      first.hBefore === undefined ? '' : part.axes('Unsqueeze', first.hBefore.value, 0, `${as}h`),
      zero ? '' : part.axes('Unsqueeze', first.cBefore, 0, `${as}c`),
    ],
    output: [`${name}.y`, '', `${name}.c`],
    attribute: [int('hidden_size', rows / 4)],
  });
  chain.forEach(({ h }, t) => {
    const index = part.scalar(`${as}${t}.at`, t);
    const one = part.node('Gather', [`${name}.y`, index], `${as}${t}.y`, [int('axis', 0)]);
    part.axes('Squeeze', one, 0, `${as}${t}.h`, h);
  });
  part.axes('Squeeze', `${name}.c`, 0, `${as}c.last`, last.c);
  return name;
}

/** [steps, batch, inputs]: taken out of one series where all steps come from one, else laid side by side. */
async function inputsOf(
  model: ForeignModel,
  scope: Scope,
  part: Pieces,
  chain: readonly Step[],
  as: string,
): Promise<string> {
  const taken = await Promise.all(
    chain.map(async ({ x }) => {
      const node = scope.producers.get(x.value);
      const index =
        node?.opType === 'Gather' ? await model.constant(node.input?.[1] ?? '', scope) : undefined;
      return index?.dims.length === 0
        ? {
            series: node?.input?.[0] ?? '',
            axis: Number((node && attribute(node, 'axis')) ?? 0),
            index: index.data[0] ?? 0,
          }
        : undefined;
    }),
  );
  const [first] = taken;
  if (
    first !== undefined &&
    [0, 1].includes(first.axis) &&
    taken.every((t) => t?.series === first.series && t.axis === first.axis)
  ) {
    const indices = part.int64s(
      `${as}indices`,
      taken.map((t) => t?.index ?? 0),
    );
    const series = part.node('Gather', [first.series, indices], `${as}series`, [
      int('axis', first.axis),
    ]);
    return first.axis === 0
      ? series
      : part.node('Transpose', [series], `${as}turned`, [ints('perm', [1, 0, 2])]);
  }
  const each = chain.map(({ x }, t) => part.axes('Unsqueeze', x.value, 0, `${as}${t}.x`));
  return each.length === 1
    ? (each[0] ?? '')
    : part.node('Concat', each, `${as}x`, [int('axis', 0)]);
}
