import { isMap, type Node, type YAMLMap } from 'yaml';
import {
  placeInWords,
  type ListValue,
  type Loss,
  type Place,
  type Scope,
  type Tree,
} from './tree.js';
import { readList, type ReadList } from './yaml-lists.js';
import type { YamlNodes } from './yaml-reader.js';

/** The lists and rules of a map as they are seen in it: its own win over those around it. */
export function innerScope(yaml: YamlNodes, map: YAMLMap, outer: Scope): Scope {
  const lists = new Map(outer.lists);
  const losses = new Map(outer.losses);
  const rules = new Map(outer.rules);
  for (const [name, node] of yaml.entries(map.get('lists', true), 'lists')) {
    const { values, loss } = readList(yaml, name, node);
    lists.set(name, values);
    losses.delete(name);
    if (loss !== undefined) losses.set(name, loss);
  }
  for (const [name, node] of yaml.entries(map.get('expansion_rules', true), 'expansion_rules'))
    rules.set(name, yaml.template(node));
  return { lists, rules, losses };
}

interface Defined<T> {
  readonly what: T;
  readonly written: string;
  readonly at: Place;
}

/** The lists and rules of all files together. */
export class TopScope {
  private readonly lists = new Map<string, Defined<ReadList>>();
  private readonly rules = new Map<string, Defined<Tree>>();

  add(yaml: YamlNodes, root: YAMLMap): void {
    for (const [name, node] of yaml.entries(root.get('lists', true), 'lists')) {
      const list = { what: readList(yaml, name, node), ...this.written(yaml, node) };
      const known = this.lists.get(name);
      const joined = known === undefined ? list : together(known, list);
      if (joined === null) this.twice(yaml, node, `list ${name}`, known);
      else this.lists.set(name, joined);
    }
    for (const [name, node] of yaml.entries(root.get('expansion_rules', true), 'expansion_rules')) {
      const rule = { what: yaml.template(node), ...this.written(yaml, node) };
      const known = this.rules.get(name);
      if (known !== undefined && known.written !== rule.written)
        this.twice(yaml, node, `rule ${name}`, known);
      else this.rules.set(name, known ?? rule);
    }
  }

  /** A list that is there unless another of its name is. */
  standard(name: string, values: readonly ListValue[]): void {
    if (this.lists.has(name)) return;
    this.lists.set(name, { what: { values }, written: '', at: { line: 1, column: 1 } });
  }

  get scope(): Scope {
    const losses = new Map<string, Loss>();
    const lists = new Map<string, readonly ListValue[]>();
    for (const [name, { what }] of this.lists) {
      lists.set(name, what.values);
      if (what.loss !== undefined) losses.set(name, what.loss);
    }
    const rules = new Map([...this.rules].map(([name, { what }]) => [name, what]));
    return { lists, rules, losses };
  }

  private written(yaml: YamlNodes, node: Node) {
    return { written: JSON.stringify(isMap(node) ? node.toJSON() : node), at: yaml.place(node) };
  }

  private twice(yaml: YamlNodes, node: Node, what: string, known?: { readonly at: Place }): void {
    const where = known === undefined ? 'elsewhere' : `at ${placeInWords(known.at)}`;
    yaml.fault(node, `${what} is something else ${where}: give one of them another name`);
  }
}

/** Written values of two files add up, also to a list that was any words; anything else must be the same. */
function together(a: Defined<ReadList>, b: Defined<ReadList>): Defined<ReadList> | null {
  if (a.written === b.written) return a;
  if (a.what.open === undefined || b.what.open === undefined) return null;
  const values = [...a.what.values, ...b.what.values];
  const loss = values.length > 0 ? undefined : (a.what.loss ?? b.what.loss);
  return {
    ...a,
    what: { values, open: 'values', ...(loss === undefined ? {} : { loss }) },
  };
}
