import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Pair,
  parseDocument,
  visit,
  type Alias,
  type Document,
  type Node,
  type YAMLMap,
  type YAMLParseError,
} from 'yaml';
import type { YamlNodes } from './yaml-reader.js';

/** Nodes of a file with each anchor counted wherever it is used: more are refused. */
const nodesMax = 2_000_000;

/**
 * The one document of a YAML source, with anchors (`&a`, `*a`) and merge keys (`<<: *a`) followed, so that
 * whoever reads it need not know of them. What is wrong is noted; null when nothing can be read.
 */
export function readDocument(source: string, yaml: YamlNodes): Node | null {
  const document = parseDocument(source, { lineCounter: yaml.lines, uniqueKeys: sameKey });
  for (const error of worthSaying(document.errors)) {
    const place = error.linePos?.[0];
    yaml.faults.push({
      ...yaml.place(null),
      line: place?.line ?? 1,
      column: place?.col ?? 1,
      message: inOurWords(error),
    });
  }
  if (yaml.faults.length > 0) return null;
  const resolver = new Resolver(document, yaml);
  const root = resolver.resolve(document.contents, []);
  if (root !== null && resolver.sizeOf(root) > nodesMax)
    yaml.fault(root, `anchors that use anchors: more than ${nodesMax} values when written out`);
  return yaml.faults.length > 0 ? null : root;
}

/** A map may merge several others. */
const sameKey = (a: unknown, b: unknown) =>
  isScalar(a) && isScalar(b) && a.value === b.value && a.value !== '<<';

/** What only follows from another fault is left out. */
function worthSaying(errors: readonly YAMLParseError[]): readonly YAMLParseError[] {
  // Said once for every level that the reader had come to.
  const deepest = errors.filter(({ message }) => /call stack/.test(message)).slice(0, 1);
  const tabs = errors.filter(({ code }) => code === 'TAB_AS_INDENT');
  return [deepest, tabs].find((some) => some.length > 0) ?? errors;
}

function inOurWords({ code, message }: YAMLParseError): string {
  if (/call stack/.test(message)) return 'brackets inside brackets, too deep to follow';
  if (code === 'MULTIPLE_DOCS')
    return 'a second document begins here ("---"): put all sentences into one';
  if (code === 'DUPLICATE_KEY')
    return 'this name is there twice, and the first would be lost: put both under one';
  if (code === 'TAB_AS_INDENT') return 'this line is indented with a tab: YAML takes spaces only';
  return (message.split('\n')[0] ?? '').replace(/ at line \d+, column \d+:$/, '');
}

class Resolver {
  private readonly done = new Map<Node, Node>();
  private readonly sizes = new Map<Node, number>();
  /**
   * What each alias stands for: the last anchor of its name before it. Looked up before anything is replaced: the
   * document grows with every alias that is, and the parser's own look-up would go through all of it.
   */
  private readonly targets = new Map<Alias, Node | undefined>();

  constructor(
    document: Document.Parsed,
    private readonly yaml: YamlNodes,
  ) {
    const anchors = new Map<string, Node>();
    visit(document, {
      Value: (_, node) => {
        if (node.anchor !== undefined) anchors.set(node.anchor, node);
      },
      Alias: (_, node) => void this.targets.set(node, anchors.get(node.source)),
    });
  }

  /** The node with all aliases in it replaced. `above`: the nodes it is in. */
  resolve(node: unknown, above: readonly Node[]): Node | null {
    if (node === null || node === undefined) return null;
    const known = this.done.get(node as Node);
    if (known !== undefined) return known;
    if (isAlias(node)) {
      const target = this.targets.get(node);
      if (target === undefined) {
        this.yaml.fault(node, `*${node.source}: there is no anchor &${node.source} before it`);
        return null;
      }
      if (above.includes(target)) {
        this.yaml.fault(node, `*${node.source} is used inside of &${node.source} itself`);
        return null;
      }
      return this.resolve(target, above);
    }
    const inside = [...above, node as Node];
    if (isSeq(node)) node.items = node.items.map((item) => this.resolve(item, inside));
    if (isMap(node)) this.resolveMap(node, inside);
    this.done.set(node as Node, node as Node);
    return node as Node;
  }

  /** Own keys win over merged ones, and the map that is merged first over the next. */
  private resolveMap(map: YAMLMap, inside: readonly Node[]): void {
    const own = new Set(
      map.items.flatMap(({ key }) =>
        isScalar(key) && !isMergeKey(key) ? [String(key.value)] : [],
      ),
    );
    map.items = map.items.flatMap((pair) => {
      const value = this.resolve(pair.value, inside);
      if (!isMergeKey(pair.key)) return [new Pair(this.resolve(pair.key, inside), value)];
      const sources = isSeq(value) ? value.items : [value];
      return sources.flatMap((source) => {
        if (!isMap(source)) {
          this.yaml.fault(pair.key, '"<<:" takes a map, or a list of maps, by anchor: "<<: *name"');
          return [];
        }
        return source.items.filter(({ key }) => {
          const name = isScalar(key) ? String(key.value) : '';
          if (own.has(name)) return false;
          own.add(name);
          return true;
        });
      });
    });
  }

  /** Values with all that is used twice counted twice. */
  sizeOf(node: Node): number {
    const known = this.sizes.get(node);
    if (known !== undefined) return known;
    const of = (inner: unknown) => (inner === null ? 0 : this.sizeOf(inner as Node));
    const size = isSeq(node)
      ? node.items.reduce<number>((sum, item) => sum + of(item), 1)
      : isMap(node)
        ? node.items.reduce((sum, { value }) => sum + of(value), 1)
        : 1;
    this.sizes.set(node, size);
    return size;
  }
}

const isMergeKey = (key: unknown) =>
  isScalar(key) && key.value === '<<' && (key.type === undefined || key.type === 'PLAIN');
