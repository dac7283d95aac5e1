import type { onnx as Onnx } from 'onnx-proto';
import { encodeModel } from './layout.js';
import type { ForeignModel } from './model.js';
import { bodiesOf, readsOf } from './proto.js';
import type { Scope } from './scope.js';

/** What is to change in one graph of a model. */
export interface Change {
  readonly scope: Scope;
  /** Nodes that go; of any graph. */
  readonly replaced?: ReadonlySet<Onnx.INodeProto>;
  /** Nodes that are there in another form, bodies apart. */
  readonly edited?: ReadonlyMap<Onnx.INodeProto, Onnx.INodeProto>;
  /** Constants of the graph whose name a new node takes over. */
  readonly dropped?: ReadonlySet<string>;
  readonly nodes: readonly Onnx.INodeProto[];
  readonly initializers: readonly Onnx.ITensorProto[];
  /** Outputs that are added. */
  readonly outputs?: readonly Onnx.IValueInfoProto[];
}

/**
 * The model with its changes. In a graph that changes, or that has a changed one inside, nodes are
 * sorted so that each follows what it reads, and what nothing reads any more is left out.
 */
export function rebuild(model: ForeignModel, changes: readonly Change[]): Uint8Array {
  const scopeOf = new Map(model.scopes.map((s) => [s.graph, s]));
  const changed = new Map<Scope, Change[]>();
  for (const change of changes) {
    for (const scope of change.scope.line) changed.set(scope, changed.get(scope) ?? []);
    changed.get(change.scope)?.push(change);
  }
  const graphOf = (scope: Scope): Onnx.IGraphProto => {
    const own = changed.get(scope);
    if (own === undefined) return scope.graph;
    const within = (node: Onnx.INodeProto): Onnx.INodeProto => {
      const edited = own.map((c) => c.edited?.get(node)).find((n) => n !== undefined) ?? node;
      if (bodiesOf(node).length === 0) return edited;
      const inner = (graph: Onnx.IGraphProto) => {
        const child = scopeOf.get(graph);
        return child === undefined ? graph : graphOf(child);
      };
      return {
        ...edited,
        attribute: (edited.attribute ?? []).map((a) => ({
          ...a,
          ...(a.g ? { g: inner(a.g) } : {}),
          ...(a.graphs && a.graphs.length > 0 ? { graphs: a.graphs.map(inner) } : {}),
        })),
      };
    };
    const nodes = [
      ...scope.nodes.filter((n) => !own.some((c) => c.replaced?.has(n) === true)).map(within),
      ...own.flatMap((c) => c.nodes),
    ];
    return sorted(scope, nodes, own);
  };
  return encodeModel({ ...model.proto, graph: graphOf(model.root) });
}

function sorted(
  scope: Scope,
  nodes: readonly Onnx.INodeProto[],
  changes: readonly Change[],
): Onnx.IGraphProto {
  const { graph } = scope;
  const producers = new Map<string, Onnx.INodeProto>();
  for (const node of nodes) {
    for (const name of node.output ?? []) if (name !== '') producers.set(name, node);
  }
  const output = [...(graph.output ?? []), ...changes.flatMap((c) => c.outputs ?? [])];
  const read = new Set<string>();
  const node = inOrder(
    output.map((o) => o.name ?? ''),
    producers,
    read,
  );
  const initializer = [
    ...(graph.initializer ?? []).filter((t) => !changes.some((c) => c.dropped?.has(t.name ?? ''))),
    ...changes.flatMap((c) => c.initializers),
  ].filter((t) => read.has(t.name ?? ''));
  return {
    ...graph,
    node,
    initializer,
    output,
    // Older files list their weights among the inputs.
    input: (graph.input ?? []).filter(
      ({ name }) =>
        !scope.initializers.has(name ?? '') ||
        (read.has(name ?? '') && !changes.some((c) => c.dropped?.has(name ?? ''))),
    ),
    valueInfo: (graph.valueInfo ?? []).filter((v) => read.has(v.name ?? '')),
  };
}

/**
 * Producers of the values named and of all that they read, each after what it reads; every value met
 * goes into `read`. A stack of its own: graphs may be deeper than the call stack.
 */
function inOrder(
  names: readonly string[],
  producers: ReadonlyMap<string, Onnx.INodeProto>,
  read: Set<string>,
): Onnx.INodeProto[] {
  const done: Onnx.INodeProto[] = [];
  const seen = new Set<Onnx.INodeProto>();
  const stack: { node?: Onnx.INodeProto; left: string[] }[] = [{ left: [...names].reverse() }];
  for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
    const name = top.left.pop();
    if (name === undefined) {
      if (top.node !== undefined) done.push(top.node);
      stack.pop();
      continue;
    }
    read.add(name);
    const node = producers.get(name);
    if (node === undefined || seen.has(node)) continue;
    seen.add(node);
    stack.push({ node, left: readsOf(node).reverse() });
  }
  return done;
}
