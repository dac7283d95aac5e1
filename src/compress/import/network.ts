import { createHash } from 'node:crypto';
import type { onnx as Onnx } from 'onnx-proto';
import { KikitoriError } from '../../runtime/errors.js';
import type { Tensor } from '../checkpoint.js';
import type { Plan, PlanMatrix, PlanVector } from '../factorize/plan.js';
import type { ForeignModel } from './model.js';
import { axesOf, moved, type Axes } from './moving.js';
import { attribute, isDamage, nameOf } from './proto.js';
import { gatesOf, kindOf, readSite, type Cell, type Kind, type Site } from './recurrent.js';
import type { Scope } from './scope.js';

/** From an output of a recurrent node (0: Y, 1: Y_h) through nodes that only move values. */
export interface Path {
  readonly from: Site;
  readonly output: 0 | 1;
  readonly nodes: readonly Onnx.INodeProto[];
}

/**
 * A recurrent layer: weights, and every node that has them. Exporters write one layer several times
 * (with and without a state given, in both branches of an If); it is factored once.
 */
export interface Layer {
  readonly name: string;
  readonly kind: Kind;
  readonly sites: readonly Site[];
  readonly inputs: number;
  readonly cells: number;
  readonly directions: readonly Cell[];
  /** The layer whose h is this one's input, at every site; else the input is a vector of its own. */
  readonly source?: Layer;
  /** Vectors of the plan: those that it reads from below, and h of each direction. */
  readonly below: readonly number[];
  readonly h: readonly number[];
  /** Matrices of the plan: of each direction, one for each vector from below; and the recurrent ones. */
  readonly ih: readonly (readonly number[])[];
  readonly hh: readonly number[];
}

/** A matrix product with a constant that reads h of a layer. */
export interface Head {
  readonly scope: Scope;
  readonly node: Onnx.INodeProto;
  readonly path: Path;
  readonly layer: Layer;
  /** [outputs, cells of all directions] */
  readonly weight: Tensor;
  /** Matrices of the plan, one for each direction. */
  readonly matrices: readonly number[];
}

/** A recurrent node that stays as it is, and why. */
export interface Left {
  readonly scope: Scope;
  readonly node: Onnx.INodeProto;
  readonly why: string;
  /** It means nothing, rather than something that is not taken. */
  readonly damaged: boolean;
}

/** What was found in somebody else's file, and what of it is factored. */
export interface Foreign {
  readonly model: ForeignModel;
  /** Each after the one that it reads. */
  readonly layers: readonly Layer[];
  readonly heads: readonly Head[];
  readonly left: readonly Left[];
  /** How the input of a site is reached from a site below. */
  readonly paths: ReadonlyMap<Site, Path>;
  readonly layerOf: ReadonlyMap<Site, Layer>;
  readonly plan: Plan;
}

/** Finds the recurrent nodes of every graph of a model, what they share and what reads them. */
export async function readForeign(model: ForeignModel): Promise<Foreign> {
  const sites: Site[] = [];
  const left: Left[] = [];
  for (const scope of model.scopes) {
    for (const node of scope.nodes) {
      if (kindOf(node) === undefined) continue;
      try {
        sites.push(await readSite(model, scope, node));
      } catch (error) {
        if (!(error instanceof KikitoriError)) throw error;
        left.push({ scope, node, why: whyOf(error), damaged: isDamage(error) });
      }
    }
  }
  const found = await readersOf(model, sites);
  const groups = groupsOf(sites);
  const sources = sourcesOf(groups, found.paths);
  return planned(model, groups, sources, found, left);
}

/** What is wrong and what was expected, without the file's name. */
const whyOf = (error: KikitoriError): string => error.message.replace(`${error.where ?? ''}: `, '');

interface FoundHead {
  readonly scope: Scope;
  readonly node: Onnx.INodeProto;
  readonly path: Path;
  readonly weight: Tensor;
}

/** What each site's h reaches through nodes that only move values: inputs of others, and constant matrices. */
async function readersOf(model: ForeignModel, sites: readonly Site[]) {
  const paths = new Map<Site, Path>();
  const heads: FoundHead[] = [];
  const at = new Map(sites.map((s) => [s.node, s]));
  for (const from of sites) {
    const { scope, cells, directions } = from;
    const walk = async (name: string, axes: Axes, path: Path): Promise<void> => {
      const width = axes.at(-1) === 'DH' ? 2 * cells : cells;
      for (const node of scope.readers.get(name) ?? []) {
        if ((node.input ?? []).lastIndexOf(name) !== 0) continue;
        const apart = axes.includes('D');
        const above = at.get(node);
        if (above !== undefined) {
          if (!apart && axes.length === 3 && above.inputs === width) paths.set(above, path);
          continue;
        }
        const weight = apart ? undefined : await productMatrix(model, scope, node);
        if (weight?.shape[1] === width) {
          heads.push({ scope, node, path, weight });
          continue;
        }
        if (path.nodes.length >= 20) continue;
        const next = await moved(model, scope, node, axes, cells);
        if (next !== undefined)
          await walk(node.output?.[0] ?? '', next, { ...path, nodes: [...path.nodes, node] });
      }
    };
    for (const output of [0, 1] as const) {
      const name = from.node.output?.[output] ?? '';
      if (name !== '')
        await walk(name, axesOf(output, directions.length), { from, output, nodes: [] });
    }
  }
  return { paths, heads };
}

/** The constant matrix [outputs, inputs] that a product multiplies with; undefined where it is none. */
export async function productMatrix(
  model: ForeignModel,
  scope: Scope,
  node: Onnx.INodeProto,
): Promise<(Tensor & { readonly half: boolean }) | undefined> {
  if (node.opType !== 'MatMul' && node.opType !== 'Gemm') return undefined;
  if (node.opType === 'Gemm' && Number(attribute(node, 'transA') ?? 0) !== 0) return undefined;
  if (node.opType === 'Gemm' && Number(attribute(node, 'alpha') ?? 1) !== 1) return undefined;
  const b = await model.constant(node.input?.[1] ?? '', scope);
  if (b?.dims.length !== 2 || !b.data.every(Number.isFinite)) return undefined;
  const { half } = b;
  const transposed = node.opType === 'Gemm' && Number(attribute(node, 'transB') ?? 0) === 1;
  const [rows = 0, columns = 0] = b.dims;
  if (transposed) return { shape: [rows, columns], data: b.data, half };
  const data = new Float32Array(b.data.length);
  for (let k = 0; k < rows; k++) {
    for (let o = 0; o < columns; o++) data[o * rows + k] = b.data[k * columns + o] ?? 0;
  }
  return { shape: [columns, rows], data, half };
}

const digest = (parts: readonly (string | Float32Array)[]): string => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
};

/** Sites with the same weights, in the order of the file. */
function groupsOf(sites: readonly Site[]): readonly (readonly Site[])[] {
  const groups = new Map<string, Site[]>();
  for (const site of sites) {
    const key = digest([
      `${site.kind} ${site.direction} ${site.half}`,
      ...site.directions.flatMap((c) => [
        `${c.inputs} ${c.cells} ${c.squash} ${c.linearBeforeReset}`,
        ...[c.weightIh, c.weightHh, c.biasIh, c.biasHh, ...(c.peepholes ? [c.peepholes] : [])].map(
          (t) => t.data,
        ),
      ]),
    ]);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [site]);
    else group.push(site);
  }
  return [...groups.values()];
}

type Group = readonly Site[];

/** The group that every site of a group reads, where there is one. */
function sourcesOf(groups: readonly Group[], paths: Map<Site, Path>): ReadonlyMap<Group, Group> {
  const groupOf = new Map(groups.flatMap((g) => g.map((s) => [s, g] as const)));
  const sources = new Map<Group, Group>();
  for (const group of groups) {
    const below = new Set(group.map((s) => paths.get(s)).map((p) => p && groupOf.get(p.from)));
    const [only] = below;
    // Weights that read themselves, one node over the other, are no layer over another.
    if (below.size === 1 && only !== undefined && only !== group) sources.set(group, only);
    else for (const site of group) paths.delete(site);
  }
  return sources;
}

function planned(
  model: ForeignModel,
  groups: readonly Group[],
  sources: ReadonlyMap<Group, Group>,
  found: { readonly paths: ReadonlyMap<Site, Path>; readonly heads: readonly FoundHead[] },
  left: readonly Left[],
): Foreign {
  const vectors: PlanVector[] = [];
  const matrices: PlanMatrix[] = [];
  const layers = new Map<Group, Layer>();
  const layerOf = new Map<Site, Layer>();
  const addMatrix = (matrix: Omit<PlanMatrix, 'rows'>) =>
    matrices.push({ ...matrix, rows: matrix.weight.shape[0] ?? 0 }) - 1;
  const build = (group: Group): Layer => {
    const known = layers.get(group);
    if (known !== undefined) return known;
    const from = sources.get(group);
    const source = from === undefined ? undefined : build(from);
    const [first] = group;
    if (first === undefined) throw new Error('a group has a site');
    const { name, kind, inputs, cells, directions } = first;
    const below = source?.h ?? [
      vectors.push({ name: `the input of ${name}`, size: inputs, input: true }) - 1,
    ];
    const each = inputs / below.length;
    const arrow = (d: number) => (directions.length === 1 ? '' : d === 0 ? ' forward' : ' reverse');
    const h = directions.map(
      (_, d) => vectors.push({ name: `${name}${arrow(d)}`, size: cells, input: false }) - 1,
    );
    const ih = directions.map((cell, d) =>
      below.map((reads, i) =>
        addMatrix({
          name: `W of ${name}${arrow(d)}`,
          reads,
          weight: columnsOf(cell.weightIh, i * each, each),
          recurrent: false,
        }),
      ),
    );
    const hh = directions.map((cell, d) =>
      addMatrix({
        name: `R of ${name}${arrow(d)}`,
        reads: h[d] ?? 0,
        weight: cell.weightHh,
        recurrent: true,
        // These rows read r h instead of h.
        ...(kind === 'gru' && !cell.linearBeforeReset
          ? { unshifted: [2 * cells, 3 * cells] as const }
          : {}),
      }),
    );
    const layer: Layer = {
      name,
      kind,
      sites: group,
      inputs,
      cells,
      directions,
      ...(source === undefined ? {} : { source }),
      below,
      h,
      ih,
      hh,
    };
    layers.set(group, layer);
    for (const site of group) layerOf.set(site, layer);
    return layer;
  };
  groups.forEach(build);
  const same = new Map<string, readonly number[]>();
  const heads = found.heads.flatMap((head): Head[] => {
    const layer = layerOf.get(head.path.from);
    if (layer === undefined) return [];
    const key = digest([`${layer.h.join()} ${head.weight.shape.join()}`, head.weight.data]);
    let indices = same.get(key);
    if (indices === undefined) {
      indices = layer.h.map((reads, d) =>
        addMatrix({
          name: nameOf(head.node),
          reads,
          weight: columnsOf(head.weight, d * layer.cells, layer.cells),
          recurrent: false,
        }),
      );
      same.set(key, indices);
    }
    return [{ ...head, layer, matrices: indices }];
  });
  return {
    model,
    layers: [...layers.values()],
    heads,
    left,
    paths: found.paths,
    layerOf,
    plan: { vectors, matrices },
  };
}

/** Columns of a matrix. */
function columnsOf({ shape, data }: Tensor, from: number, count: number): Tensor {
  const [rows = 0, columns = 0] = shape;
  if (from === 0 && count === columns) return { shape, data };
  const out = new Float32Array(rows * count);
  for (let r = 0; r < rows; r++)
    out.set(data.subarray(r * columns + from, r * columns + from + count), r * count);
  return { shape: [rows, count], data: out };
}

/** Weights and biases of a layer, in all directions. */
export const parametersOf = ({ kind, cells, inputs, directions }: Layer): number =>
  directions.length * gatesOf(kind) * cells * (inputs + cells + 2);
