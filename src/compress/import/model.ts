import onnxProto from 'onnx-proto';
import type { onnx as Onnx } from 'onnx-proto';
import { messageOf } from '../../runtime/errors.js';
import { halfToFloat } from '../half.js';
import { constantNode, floats, nameOf, readsOf, refused, type Constant } from './proto.js';
import { loadRuntime } from './runtime.js';
import { Scope } from './scope.js';

const { onnx } = onnxProto;

/** Somebody else's ONNX file, with the questions that its graphs are asked. */
export class ForeignModel {
  /** The main graph, then every body inside it. */
  readonly scopes: readonly Scope[];
  private readonly known = new Map<Scope, Map<string, Promise<Constant | undefined>>>();

  private constructor(
    readonly proto: Onnx.IModelProto,
    readonly bytes: Uint8Array,
    readonly where: string,
    readonly opset: number,
    /** As the file was, where this is another writing of it. */
    readonly origin: Uint8Array,
  ) {
    this.scopes = Scope.all(proto.graph ?? {}, where);
    for (const scope of this.scopes) {
      const circle = scope.circle();
      if (circle === undefined) continue;
      const names = circle.slice(0, 4).map((n) => `"${nameOf(n)}"`);
      throw refused(where, `${names.join(', ')} read each other in a circle`, 'a graph without');
    }
  }

  static parse(bytes: Uint8Array, where: string): ForeignModel {
    let proto: Onnx.ModelProto;
    try {
      proto = onnx.ModelProto.decode(bytes);
    } catch (error) {
      throw refused(where, `this is no ONNX file, or a damaged one: ${messageOf(error)}`);
    }
    return ForeignModel.of(proto, bytes, where);
  }

  static of(
    proto: Onnx.IModelProto,
    bytes: Uint8Array,
    where: string,
    origin = bytes,
  ): ForeignModel {
    const opset = (proto.opsetImport ?? []).find((o) => (o.domain ?? '') === '');
    if (proto.graph === null || proto.graph === undefined || opset === undefined) {
      throw refused(
        where,
        'this is no ONNX file, or a damaged one: no graph or no operator set in it',
      );
    }
    return new ForeignModel(proto, bytes, where, Number(opset.version ?? 0), origin);
  }

  /** The main graph. */
  get root(): Scope {
    const [root] = this.scopes;
    if (root === undefined) throw new Error('a model has a graph');
    return root;
  }

  get nodes(): readonly Onnx.INodeProto[] {
    return this.root.nodes;
  }

  /** Inputs that the caller must give: older files list their weights among them. */
  get inputs(): readonly Onnx.IValueInfoProto[] {
    return (this.root.graph.input ?? []).filter((i) => !this.root.initializers.has(i.name ?? ''));
  }

  get outputs(): readonly string[] {
    return this.root.outputs;
  }

  /** Lets ONNX Runtime load it: a file that it refuses is damaged, whatever it still holds. */
  async load(): Promise<void> {
    const runtime = await loadRuntime();
    try {
      const session = await runtime.InferenceSession.create(this.bytes, { logSeverityLevel: 4 });
      await session.release();
    } catch (error) {
      throw refused(this.where, `ONNX Runtime does not load it: ${messageOf(error)}`);
    }
  }

  /** A value that no input reaches, as floats; undefined when it depends on an input. */
  constant(name: string, scope: Scope = this.root): Promise<Constant | undefined> {
    const giver = scope.giver(name);
    if (giver === undefined) return Promise.resolve(undefined);
    let values = this.known.get(giver);
    if (values === undefined) {
      values = new Map<string, Promise<Constant | undefined>>();
      this.known.set(giver, values);
    }
    let value = values.get(name);
    if (value === undefined) values.set(name, (value = this.read(name, giver)));
    return value;
  }

  private async read(name: string, giver: Scope): Promise<Constant | undefined> {
    const tensor = giver.initializers.get(name) ?? constantNode(giver.producers.get(name));
    if (tensor !== undefined) return floats(tensor, name, this.where);
    const needed = this.constantNodes(name, giver);
    return needed === undefined ? undefined : this.evaluate(name, giver, needed);
  }

  /** The nodes that a value needs, when it needs nothing but constants. */
  private constantNodes(name: string, giver: Scope): Set<Onnx.INodeProto> | undefined {
    const needed = new Set<Onnx.INodeProto>();
    const left = [{ name, scope: giver }];
    for (let next = left.pop(); next !== undefined; next = left.pop()) {
      const scope = next.scope.giver(next.name);
      if (scope?.initializers.has(next.name) === true) continue;
      const node = scope?.producers.get(next.name);
      if (scope === undefined || node === undefined) return undefined;
      if (needed.has(node)) continue;
      needed.add(node);
      left.push(...readsOf(node).map((read) => ({ name: read, scope })));
    }
    return needed;
  }

  /** Weights that the exporter left as an expression (Unsqueeze, Concat, Slice ...): run it. */
  private async evaluate(
    name: string,
    giver: Scope,
    needed: ReadonlySet<Onnx.INodeProto>,
  ): Promise<Constant> {
    const graph: Onnx.IGraphProto = {
      name: 'constants',
      node: giver.line.flatMap((s) => s.nodes.filter((n) => needed.has(n))),
      initializer: giver.line.flatMap((s) => s.graph.initializer ?? []),
      input: [],
      output: [{ name }],
    };
    const bytes = onnx.ModelProto.encode({ ...this.proto, graph }).finish();
    const out = await runAlone(bytes, name).catch((error: unknown) => {
      throw refused(this.where, `"${name}" cannot be computed: ${messageOf(error)}`);
    });
    if (out === undefined) throw refused(this.where, `"${name}" has no value`);
    const half = out.type === 'float16';
    const raw = out.data as ArrayLike<number | bigint>;
    const data = Float32Array.from(raw, (v) => (half ? halfToFloat(Number(v)) : Number(v)));
    return { dims: out.dims, data, half };
  }
}

async function runAlone(bytes: Uint8Array, name: string) {
  const runtime = await loadRuntime();
  const session = await runtime.InferenceSession.create(bytes, { logSeverityLevel: 4 });
  try {
    return (await session.run({}))[name];
  } finally {
    await session.release();
  }
}
