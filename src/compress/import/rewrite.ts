import type { onnx as Onnx } from 'onnx-proto';
import { toTensor, transpose } from '../factorize/matrix.js';
import type { Cut } from '../factorize/plan.js';
import { above, again, maskOf, stateOf, zeroState } from './fragments.js';
import { rebuild, type Change } from './assemble.js';
import { scanCell, type CellValues } from './cell.js';
import type { ForeignModel } from './model.js';
import type { Foreign, Head, Layer, Path } from './network.js';
import { Pieces } from './pieces.js';
import { attribute, DataType, int } from './proto.js';
import type { Site } from './recurrent.js';
import type { Scope } from './scope.js';

/**
 * The foreign model with its recurrent nodes replaced by factored cells, and the matrices that read
 * them by theirs; all else is kept. What reads h in another way (an activation, a graph output, another
 * state) still gets h itself, computed inside the cell. A node of which nothing is factored stays.
 */
export function rewrite(foreign: Foreign, cut: Cut): Uint8Array {
  return rebuild(foreign.model, changesOf(foreign, cut));
}

/** The same with every node written out, factored or not: a check that its parts are understood. */
export function rewriteWhole(foreign: Foreign, cut: Cut): Uint8Array {
  return rebuild(
    foreign.model,
    changesOf(foreign, cut, () => true),
  );
}

function changesOf(
  foreign: Foreign,
  cut: Cut,
  wanted = (layer: Layer) => isFactored(layer, cut),
): readonly Change[] {
  const writer = new Writer(foreign, cut, wanted);
  foreign.layers.forEach((layer, l) => {
    if (wanted(layer)) layer.sites.forEach((site, s) => writer.site(layer, site, `${l}.${s}.`));
  });
  foreign.heads.forEach((head, i) => {
    if (wanted(head.layer)) writer.head(head, `head.${i}.`);
  });
  return writer.changes();
}

/** Whether a projection touches a layer: of its own h, or of what it reads. */
const isFactored = (layer: Layer, cut: Cut) =>
  [...layer.h, ...layer.below].some((v) => cut.projections[v] !== undefined);

/** What a written site gives to those that read it. */
interface Written {
  /** Of each direction. */
  readonly values: readonly CellValues[];
  /** Size of p of each direction. */
  readonly widths: readonly number[];
}

class Writer {
  private readonly prefix: string;
  private readonly written = new Map<Site, Written>();
  private readonly pieces = new Map<Scope, Pieces[]>();
  private readonly replaced = new Set<Onnx.INodeProto>();
  /** Weights, for all places where a layer stands: constants of the main graph. */
  private readonly weights: Pieces;

  constructor(
    private readonly foreign: Foreign,
    private readonly cut: Cut,
    private readonly wanted: (layer: Layer) => boolean,
  ) {
    this.prefix = freePrefix(foreign.model);
    this.weights = new Pieces(foreign.model.opset, this.prefix);
  }

  changes(): readonly Change[] {
    const scopes = [...this.pieces].map(([scope, pieces]) => ({
      scope,
      replaced: this.replaced,
      nodes: pieces.flatMap((p) => p.nodes),
      initializers: pieces.flatMap((p) => p.initializers),
    }));
    const { root } = this.foreign.model;
    return [
      ...scopes,
      { scope: root, replaced: this.replaced, nodes: [], initializers: this.weights.initializers },
    ];
  }

  private partOf(scope: Scope, name: string): Pieces {
    const part = new Pieces(this.foreign.model.opset, this.prefix + name);
    this.pieces.set(scope, [...(this.pieces.get(scope) ?? []), part]);
    return part;
  }

  site(layer: Layer, site: Site, name: string): void {
    const { node, scope } = site;
    const part = this.partOf(scope, name);
    const x = this.inputOf(part, layer, site);
    const carryH = (node.output ?? []).slice(0, 2).some((o) => o !== '' && this.isRead(site, o));
    const given = node.input?.[4] ?? '';
    const lengths = given === '' ? undefined : part.cast(given, DataType.INT64, 'lengths');
    const mask = lengths === undefined ? undefined : maskOf(part, x, lengths);
    const values = layer.directions.map((cell, d) => {
      const direction = new Pieces(part.opset, `${part.prefix}${d}.`);
      const backwards = site.direction === 'reverse' || d === 1;
      const { bias, resetBias } = this.biases(layer, d);
      const product = direction.node('MatMul', [x, this.ih(layer, d)], 'product');
      // With lengths the sequences themselves are turned, each about its own end.
      const turn = (value: string, as: string) =>
        !backwards || lengths === undefined
          ? value
          : direction.node('ReverseSequence', [value, lengths], as, [
              int('time_axis', 0),
              int('batch_axis', 1),
            ]);
      const state = (input: number, as: string) =>
        stateOf(direction, site, d, input, as) ?? zeroState(direction, x, cell.cells, as);
      const projection = this.projection(layer.h[d] ?? 0);
      const out = scanCell(direction, {
        cell,
        reverse: backwards && lengths === undefined,
        fromBelow: turn(direction.node('Add', [product, bias], 'from.below'), 'turned'),
        ...(mask === undefined ? {} : { mask }),
        h: state(5, 'h.first'),
        ...(cell.kind === 'lstm' ? { c: state(6, 'c.first') } : {}),
        ...(projection === undefined ? {} : { projection }),
        rank: this.cut.projections[layer.h[d] ?? 0]?.rows ?? cell.cells,
        recurrent: this.recurrent(layer, d),
        ...(resetBias === undefined ? {} : { resetBias }),
        ...(cell.peepholes === undefined ? {} : { peepholes: this.peepholes(layer, d) }),
        carryH,
      });
      const pSteps = turn(out.pSteps, 'p.turned');
      const apart = out.pSteps !== out.hSteps;
      const hSteps = apart && carryH ? turn(out.hSteps, 'h.turned') : pSteps;
      part.nodes.push(...direction.nodes);
      part.initializers.push(...direction.initializers);
      return { ...out, pSteps, hSteps };
    });
    const widths = layer.h.map((v) => this.cut.projections[v]?.rows ?? layer.cells);
    this.written.set(site, { values, widths });
    this.give(part, site, values, carryH);
    this.replaced.add(node);
  }

  /** The outputs of the node that was there, under their names. */
  private give(part: Pieces, site: Site, values: readonly CellValues[], carryH: boolean): void {
    const [y = '', yh = '', yc = ''] = site.node.output ?? [];
    const one = (as: string, axis: number, of: (v: CellValues) => string) => {
      if (as === '') return;
      const each = values.map((v, d) => part.axes('Unsqueeze', of(v), axis, `${as}.${d}`));
      const all = part.node(
        'Concat',
        each,
        `${as}.all`,
        [int('axis', axis)],
        site.half ? undefined : as,
      );
      if (site.half) part.cast(all, DataType.FLOAT16, `${as}.half`, as);
    };
    if (carryH) {
      one(y, 1, (v) => v.hSteps);
      one(yh, 0, (v) => v.h);
    }
    if (site.kind === 'lstm') one(yc, 0, (v) => v.c);
  }

  /** What the input matrices read, [T, B, ..]: p of the directions below, side by side, or x, projected. */
  private inputOf(part: Pieces, layer: Layer, site: Site): string {
    const path = this.foreign.paths.get(site);
    if (layer.source !== undefined && path !== undefined && this.wanted(layer.source))
      return this.replay(part, path, 'path');
    let x = site.node.input?.[0] ?? '';
    if (site.half) x = part.cast(x, DataType.FLOAT, 'x.float');
    const [v = 0] = layer.below;
    const projection = layer.source === undefined ? this.projection(v) : undefined;
    return projection === undefined ? x : part.node('MatMul', [x, projection], 'x.projected');
  }

  /** Constants of the plan, transposed: what is read comes first. */
  private ih(layer: Layer, d: number): string {
    return this.weights.once(`${layerName(this.foreign, layer)}${d}.ih`, () =>
      above((layer.ih[d] ?? []).map((m) => this.cut.readers[m])),
    );
  }

  private recurrent(layer: Layer, d: number): string {
    return this.weights.once(`${layerName(this.foreign, layer)}${d}.hh`, () =>
      above([this.cut.readers[layer.hh[d] ?? 0]]),
    );
  }

  private projection(v: number): string | undefined {
    const p = this.cut.projections[v];
    return p && this.weights.once(`p.${v}`, () => toTensor(transpose(p)));
  }

  private peepholes(layer: Layer, d: number): string[] {
    const { cells } = layer;
    const data = layer.directions[d]?.peepholes?.data ?? new Float32Array(3 * cells);
    return ['i', 'f', 'o'].map((gate, g) =>
      this.weights.once(`${layerName(this.foreign, layer)}${d}.peep.${g}.${gate}`, () => ({
        shape: [cells],
        data: data.slice(g * cells, (g + 1) * cells),
      })),
    );
  }

  /** Biases with what they take over from the directions left out. */
  private biases(layer: Layer, d: number): { bias: string; resetBias?: string } {
    const cell = layer.directions[d];
    if (cell === undefined) throw new Error('no such direction');
    const name = `${layerName(this.foreign, layer)}${d}.bias`;
    const shifted = (own: Float32Array, matrices: readonly number[]) =>
      own.map((b, i) => matrices.reduce((sum, m) => sum + (this.cut.shifts[m]?.[i] ?? 0), b));
    const ih = shifted(cell.biasIh.data, layer.ih[d] ?? []);
    const hh = shifted(cell.biasHh.data, [layer.hh[d] ?? 0]);
    const apart = cell.linearBeforeReset ? 2 * layer.cells : hh.length;
    const bias = this.weights.once(name, () => ({
      shape: [ih.length],
      data: ih.map((b, i) => (i < apart ? b + (hh[i] ?? 0) : b)),
    }));
    if (!cell.linearBeforeReset) return { bias };
    const resetBias = this.weights.once(`${name}.reset`, () => ({
      shape: [layer.cells],
      data: hh.slice(apart),
    }));
    return { bias, resetBias };
  }

  head(head: Head, name: string): void {
    const { node, scope, path, matrices } = head;
    const part = this.partOf(scope, name);
    const half = path.from.half;
    const x = this.replay(part, path, 'path');
    const key = `head.${matrices.join('.')}`;
    const weight = this.weights.once(key, () => above(matrices.map((m) => this.cut.readers[m])));
    const product = part.node('MatMul', [x, weight], 'product');
    const shift = new Float32Array(head.weight.shape[0] ?? 0);
    for (const m of matrices) {
      this.cut.shifts[m]?.forEach((s, i) => (shift[i] = (shift[i] ?? 0) + s));
    }
    const still = shift.every((s) => s === 0);
    const as = node.output?.[0] ?? '';
    const c = node.opType === 'Gemm' ? (node.input?.[2] ?? '') : '';
    const steps: ((x: string, as?: string) => string)[] = [];
    if (!still) {
      const correction = this.weights.once(`${key}.bias`, () => ({
        shape: [shift.length],
        data: shift,
      }));
      steps.push((v, to) => part.node('Add', [v, correction], 'corrected', [], to));
    }
    if (half) steps.push((v, to) => part.cast(v, DataType.FLOAT16, 'half', to));
    if (c !== '') {
      const beta = Number(attribute(node, 'beta') ?? 1);
      const scaled =
        beta === 1
          ? c
          : part.node(
              'Mul',
              [c, part.floats('beta', { shape: [1], data: Float32Array.of(beta) })],
              'scaled',
            );
      steps.push((v, to) => part.node('Add', [v, scaled], 'sum', [], to));
    }
    if (steps.length === 0) steps.push((v, to) => part.node('Identity', [v], 'as.it.is', [], to));
    let value = product;
    steps.forEach((step, i) => (value = step(value, i === steps.length - 1 ? as : undefined)));
    this.replaced.add(node);
  }

  /** The nodes of a path again, on p of each direction instead of h; directions end up side by side. */
  private replay(part: Pieces, { from, output, nodes }: Path, name: string): string {
    const below = this.written.get(from);
    if (below === undefined) throw new Error(`"${from.name}" is read before it is written`);
    const ends = below.values.map((values, d) => {
      const start =
        output === 0
          ? part.axes('Unsqueeze', values.pSteps, 1, `${name}.${d}.steps`)
          : part.axes('Unsqueeze', values.p, 0, `${name}.${d}.last`);
      return again(part, nodes, start, below.widths[d] ?? 0, `${name}.${d}`);
    });
    const [only = ''] = ends;
    return ends.length === 1 ? only : part.node('Concat', ends, `${name}.both`, [int('axis', -1)]);
  }

  /** Whether anything but replaced readers needs h itself. */
  private isRead(site: Site, name: string): boolean {
    const { foreign } = this;
    const { scope } = site;
    const understood = new Set<Onnx.INodeProto>();
    for (const [above, path] of foreign.paths) {
      const layer = foreign.layerOf.get(above);
      if (path.from !== site || layer === undefined || !this.wanted(layer)) continue;
      [...path.nodes, above.node].forEach((n) => understood.add(n));
    }
    const heads = foreign.heads.filter((h) => h.path.from === site);
    for (const head of heads) [...head.path.nodes, head.node].forEach((n) => understood.add(n));
    const ends = new Set<Onnx.INodeProto>(heads.map((h) => h.node));
    for (const above of foreign.paths.keys()) ends.add(above.node);
    const visit = (value: string): boolean =>
      scope.outputs.includes(value) ||
      (scope.readers.get(value) ?? []).some((node) => {
        // Only the first input of a node on a path is understood.
        if (!understood.has(node) || (node.input ?? []).lastIndexOf(value) !== 0) return true;
        return ends.has(node) ? false : visit(node.output?.[0] ?? '');
      });
    return visit(name);
  }
}

const layerName = (foreign: Foreign, layer: Layer) => `l${foreign.layers.indexOf(layer)}.`;

/** Names that nothing in the file begins with. */
export function freePrefix(model: ForeignModel): string {
  const taken = (prefix: string) =>
    model.scopes.some((s) =>
      [...s.producers.keys(), ...s.initializers.keys(), ...s.inputs].some((n) =>
        n.startsWith(prefix),
      ),
    );
  for (let i = 0; ; i++) {
    const prefix = i === 0 ? 'kikitori.' : `kikitori${i}.`;
    if (!taken(prefix)) return prefix;
  }
}
