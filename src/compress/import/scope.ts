import type { onnx as Onnx } from 'onnx-proto';
import { bodiesOf, nameOf, readsOf, refused } from './proto.js';

/** Bodies within bodies: deeper than any exporter writes is damage. */
const deepest = 64;

/** A graph: the main one, or a body inside an If, Loop or Scan of another, whose values it sees. */
export class Scope {
  readonly producers = new Map<string, Onnx.INodeProto>();
  /** Nodes of this graph that read a value, themselves or inside their bodies. */
  readonly readers = new Map<string, Onnx.INodeProto[]>();
  readonly initializers = new Map<string, Onnx.ITensorProto>();
  readonly inputs: ReadonlySet<string>;
  readonly outputs: readonly string[];

  constructor(
    readonly graph: Onnx.IGraphProto,
    readonly around?: {
      readonly scope: Scope;
      readonly node: Onnx.INodeProto;
      readonly body: string;
    },
  ) {
    for (const tensor of graph.initializer ?? []) this.initializers.set(tensor.name ?? '', tensor);
    this.inputs = new Set((graph.input ?? []).map((i) => i.name ?? ''));
    this.outputs = (graph.output ?? []).map((o) => o.name ?? '');
    for (const node of this.nodes) {
      for (const name of node.output ?? []) if (name !== '') this.producers.set(name, node);
      for (const name of new Set(readsOf(node))) {
        const known = this.readers.get(name);
        if (known === undefined) this.readers.set(name, [node]);
        else known.push(node);
      }
    }
  }

  get nodes(): readonly Onnx.INodeProto[] {
    return this.graph.node ?? [];
  }

  /** Where this graph stands, in words: empty for the main one. */
  get place(): string {
    if (this.around === undefined) return '';
    const { scope, node, body } = this.around;
    const outer = scope.place;
    return `${body} of ${node.opType ?? 'node'} "${nameOf(node)}"${outer === '' ? '' : `, in ${outer}`}`;
  }

  /** The graph that gives a value: this one, or the nearest around it. */
  giver(name: string): Scope | undefined {
    const own = this.producers.has(name) || this.initializers.has(name) || this.inputs.has(name);
    return own ? this : this.around?.scope.giver(name);
  }

  /** This graph and those around it, outermost first. */
  get line(): readonly Scope[] {
    return [...(this.around?.scope.line ?? []), this];
  }

  /** The main graph and every body, each after the one around it. */
  static all(graph: Onnx.IGraphProto, where: string): Scope[] {
    const found: Scope[] = [];
    const left: { graph: Onnx.IGraphProto; around?: Scope['around']; depth: number }[] = [
      { graph, depth: 0 },
    ];
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      const { depth } = next;
      if (depth > deepest) throw refused(where, `bodies nest deeper than ${deepest}`);
      const scope = new Scope(next.graph, next.around);
      found.push(scope);
      for (const node of scope.nodes) {
        for (const { name, graph } of bodiesOf(node)) {
          left.push({ graph, around: { scope, node, body: name }, depth: depth + 1 });
        }
      }
    }
    return found;
  }

  /** Nodes that read each other in a circle; undefined when there are none. */
  circle(): readonly Onnx.INodeProto[] | undefined {
    const waits = new Map<Onnx.INodeProto, number>();
    const next: Onnx.INodeProto[] = [];
    for (const node of this.nodes) {
      const count = new Set(readsOf(node).flatMap((name) => this.producers.get(name) ?? [])).size;
      waits.set(node, count);
      if (count === 0) next.push(node);
    }
    let done = 0;
    for (let node = next.pop(); node !== undefined; node = next.pop()) {
      done++;
      const above = new Set((node.output ?? []).flatMap((name) => this.readers.get(name) ?? []));
      for (const reader of above) {
        const count = (waits.get(reader) ?? 0) - 1;
        waits.set(reader, count);
        if (count === 0) next.push(reader);
      }
    }
    if (done === this.nodes.length) return undefined;
    return this.nodes.filter((n) => (waits.get(n) ?? 0) > 0);
  }
}
