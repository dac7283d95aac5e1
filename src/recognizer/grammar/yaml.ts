import { isMap, parseDocument, type Node, type YAMLMap } from 'yaml';
import { applyContext } from './context.js';
import type { Fault, Intent, ParsedGrammar, Scope, Tree } from './tree.js';
import { readList } from './yaml-lists.js';
import { YamlNodes } from './yaml-reader.js';

const intentKeys = ['data', 'minConfidence', 'confirm', 'description'];
const dataKeys = [
  'sentences',
  'slots',
  'lists',
  'expansion_rules',
  'requires_context',
  'excludes_context',
  'metadata',
  'response',
  'name',
];
const topKeys = [
  'language',
  'intents',
  'lists',
  'expansion_rules',
  'skip_words',
  'responses',
  'settings',
];

/**
 * Sentences in Home Assistant's format (hassil). Every fault found, with line and column. `own` are a
 * site's own words, which are read as they stand.
 */
export function parseYamlGrammar(
  source: string,
  own: ReadonlySet<string> = new Set(),
): { grammar: ParsedGrammar; faults: Fault[] } {
  return new YamlGrammar(new YamlNodes(own)).read(source);
}

class YamlGrammar {
  constructor(private readonly yaml: YamlNodes) {}

  read(source: string): { grammar: ParsedGrammar; faults: Fault[] } {
    const { yaml } = this;
    const { faults, warnings } = yaml;
    const document = parseDocument(source, { lineCounter: yaml.lines, uniqueKeys: true });
    // The YAML reader says so once for every level that it had come to.
    const deepest = document.errors.find((e) => /call stack/.test(e.message));
    if (deepest !== undefined) deepest.message = 'brackets inside brackets, too deep to follow';
    for (const error of deepest === undefined ? document.errors : [deepest]) {
      const place = error.linePos?.[0];
      faults.push({
        line: place?.line ?? 1,
        column: place?.col ?? 1,
        message: error.message.split('\n')[0] ?? '',
      });
    }
    const empty = { intents: [], skipWords: [], warnings };
    if (faults.length > 0) return { grammar: empty, faults };
    const root = document.contents;
    if (!isMap(root)) {
      yaml.fault(root, 'this is no file of sentences, expected "intents:" with sentences');
      return { grammar: empty, faults };
    }
    yaml.known(root, topKeys);
    const scope = this.scope(root, { lists: new Map(), rules: new Map() });
    const intents = yaml
      .entries(root.get('intents', true), 'intents')
      .map(([name, node]) => this.intent(name, node, scope));
    if (intents.length === 0)
      yaml.fault(root, 'there are no intents, expected "intents:" with sentences');
    const skipWords = yaml
      .items(root.get('skip_words', true))
      .map((node) => firstWords(yaml.template(node)))
      .filter((words) => words.length > 0);
    return { grammar: { intents, skipWords, warnings }, faults };
  }

  private scope(map: YAMLMap, outer: Scope): Scope {
    const { yaml } = this;
    const lists = new Map(outer.lists);
    const rules = new Map(outer.rules);
    for (const [name, node] of yaml.entries(map.get('lists', true), 'lists'))
      lists.set(name, readList(yaml, name, node));
    for (const [name, node] of yaml.entries(map.get('expansion_rules', true), 'expansion_rules')) {
      rules.set(name, yaml.template(node));
    }
    return { lists, rules };
  }

  private intent(name: string, node: unknown, outer: Scope): Intent {
    const { yaml } = this;
    if (!/^[\w.-]{1,64}$/.test(name))
      yaml.fault(node, `"${name}" is no intent name, expected letters, digits, _ . -`);
    if (!isMap(node)) {
      yaml.fault(node, `intent ${name}: expected "data:" with sentences`);
      return { name, sentences: [] };
    }
    yaml.known(node, intentKeys);
    const sentences = yaml
      .items(node.get('data', true))
      .flatMap((data) => this.sentences(name, data, outer));
    const minConfidence: unknown = node.get('minConfidence');
    if (
      minConfidence !== undefined &&
      !(typeof minConfidence === 'number' && minConfidence >= 0 && minConfidence <= 1)
    ) {
      yaml.fault(node.get('minConfidence', true), 'minConfidence: expected a number from 0 to 1');
    }
    return {
      name,
      sentences,
      ...(typeof minConfidence === 'number' ? { minConfidence } : {}),
      ...(node.get('confirm') === true ? { confirm: true } : {}),
    };
  }

  private sentences(name: string, data: unknown, outer: Scope): Intent['sentences'] {
    const { yaml } = this;
    if (!isMap(data)) {
      yaml.fault(data, `intent ${name}: expected "- sentences: [...]"`);
      return [];
    }
    yaml.known(data, dataKeys);
    const fixed = yaml.entries(data.get('slots', true), 'slots');
    const trees = yaml.items(data.get('sentences', true)).map((s) => yaml.template(s));
    if (trees.length === 0) yaml.fault(data, `intent ${name}: no sentences`);
    const scope = applyContext(yaml, this.scope(data, outer), trees, {
      requires: data.get('requires_context', true) ?? undefined,
      excludes: data.get('excludes_context', true) ?? undefined,
    });
    return trees.map((tree) => ({ tree: this.withFixedSlots(tree, fixed), scope }));
  }

  /** Slots that a sentence has whatever is said in it. */
  private withFixedSlots(tree: Tree, fixed: readonly [string, Node][]): Tree {
    return fixed.reduce<Tree>(
      (inner, [slot, node]) => ({
        kind: 'slot',
        slot,
        value: this.yaml.scalar(node),
        fixed: true,
        item: inner,
      }),
      tree,
    );
  }
}

/** The first way to say a tree of plain words. */
function firstWords(tree: Tree): string[] {
  if (tree.kind === 'word') return [tree.word];
  if (tree.kind === 'sequence') return tree.items.flatMap(firstWords);
  return tree.kind === 'choice' && tree.items[0] !== undefined ? firstWords(tree.items[0]) : [];
}
