import { isMap, type Node, type YAMLMap } from 'yaml';
import { applyContext } from './context.js';
import { readingsOf } from './readings.js';
import type { Fault, Intent, ParsedGrammar, Scope, Tree } from './tree.js';
import { readDocument } from './yaml-document.js';
import { readList } from './yaml-lists.js';
import { YamlNodes } from './yaml-reader.js';

/** What hassil and Home Assistant have beside it and what says nothing about the words: read over. */
const intentNotes = [
  'description',
  'domain',
  'supported',
  'metadata',
  'response',
  'slot_combinations',
  'example',
];
const dataNotes = [
  'metadata',
  'response',
  'name',
  'description',
  'example',
  'settings',
  'inferred_domain',
  'name_domains',
];
const intentKeys = ['data', 'minConfidence', 'confirm', 'required_keywords', 'settings'];
const dataKeys = [
  'sentences',
  'slots',
  'lists',
  'expansion_rules',
  'requires_context',
  'excludes_context',
  'required_keywords',
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
    const root = readDocument(source, yaml);
    const empty = { intents: [], skipWords: [], warnings };
    if (faults.length > 0) return { grammar: empty, faults };
    if (!isMap(root)) {
      yaml.fault(root, 'this is no file of sentences, expected "intents:" with sentences');
      return { grammar: empty, faults };
    }
    this.top(root);
    const scope = this.scope(root, { lists: new Map(), rules: new Map() });
    const intents = yaml
      .entries(root.get('intents', true), 'intents')
      .map(([name, node]) => this.intent(name, node, scope));
    if (intents.length === 0 && faults.length === 0)
      yaml.fault(root, 'there are no intents, expected "intents:" with sentences');
    const skipWords = yaml
      .items(root.get('skip_words', true))
      .map((node) => ({ tree: yaml.template(node), scope, at: yaml.place(node) }));
    return { grammar: { intents, skipWords, warnings }, faults };
  }

  private top(root: YAMLMap): void {
    const { yaml } = this;
    if (root.has('conversation') && !root.has('intents')) {
      yaml.fault(
        root,
        '"conversation:" belongs to Home Assistant\'s configuration.yaml: begin with "intents:", and write each as "Name: { data: [{ sentences: [...] }] }"',
      );
      return;
    }
    // Names with x- in front are the writer's own, to keep what anchors name.
    yaml.known(root, topKeys, /^x-/);
    if (root.has('language')) yaml.language(root.get('language', true), 'language');
    if (root.has('responses'))
      yaml.warn(root.get('responses', true), 'responses are left out: this device does not speak');
    const settings = root.get('settings', true);
    if (isMap(settings) && settings.get('ignore_whitespace') === true)
      yaml.warn(
        settings,
        'settings: ignore_whitespace is left out: words are apart where spaces are',
      );
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
    if (isMap(node.get('slots', true)))
      yaml.fault(
        node.get('slots', true),
        `intent ${name}: slots stand beside "sentences:", in data`,
      );
    yaml.known(node, [...intentKeys, 'slots'], intentNotes);
    const keywords = this.keywords(node);
    const sentences = yaml
      .items(node.get('data', true))
      .flatMap((data) => this.sentences(name, data, outer))
      .map((sentence) => ({ ...keywords, ...sentence }));
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
    yaml.known(data, dataKeys, dataNotes);
    const fixed = yaml.entries(data.get('slots', true), 'slots');
    const trees = yaml
      .items(data.get('sentences', true))
      .map((node) => ({ tree: yaml.template(node), at: yaml.place(node) }));
    if (trees.length === 0) yaml.fault(data, `intent ${name}: no sentences`);
    const scope = applyContext(
      yaml,
      this.scope(data, outer),
      trees.map(({ tree }) => tree),
      {
        requires: data.get('requires_context', true) ?? undefined,
        excludes: data.get('excludes_context', true) ?? undefined,
      },
    );
    const keywords = this.keywords(data);
    return trees.map(({ tree, at }) => ({
      tree: this.withFixedSlots(tree, fixed),
      scope,
      at,
      ...keywords,
    }));
  }

  /** hassil's `required_keywords`: a sentence counts only with one of these words in it. */
  private keywords(map: YAMLMap): { keywords?: readonly string[] } {
    const { yaml } = this;
    if (!map.has('required_keywords')) return {};
    const keywords = yaml.items(map.get('required_keywords', true)).flatMap((node) => {
      const text = yaml.text(node);
      if (text === undefined) return [];
      const words = readingsOf(text, { own: yaml.own });
      const [ways = [], ...more] = words;
      if (more.length > 0 || ways.some((way) => way.length !== 1))
        yaml.fault(node, `required_keywords: "${text}", expected single words`);
      return ways.flatMap((way) => way.map(({ word }) => word));
    });
    return { keywords };
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
