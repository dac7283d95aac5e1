import { isMap, isScalar, isSeq, LineCounter, parseDocument, type Node, type YAMLMap } from 'yaml';
import { spokenNumber } from './numbers.js';
import { parseTemplate, phrase, TemplateError } from './template.js';
import type { Fault, Intent, ListValue, ParsedGrammar, Place, Scope, Tree } from './tree.js';

/** A range of more values is refused: write digits as a list instead. */
const rangeValuesMax = 100_000;

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

/** Sentences in Home Assistant's format (hassil). Every fault found, with line and column. */
export function parseYamlGrammar(source: string): { grammar: ParsedGrammar; faults: Fault[] } {
  return new YamlReader(source).read();
}

class YamlReader {
  private readonly faults: Fault[] = [];
  private readonly warnings: Fault[] = [];
  private readonly lines = new LineCounter();

  constructor(private readonly source: string) {}

  read(): { grammar: ParsedGrammar; faults: Fault[] } {
    const document = parseDocument(this.source, { lineCounter: this.lines, uniqueKeys: true });
    for (const error of document.errors) {
      const place = error.linePos?.[0];
      this.faults.push({
        line: place?.line ?? 1,
        column: place?.col ?? 1,
        message: error.message.split('\n')[0] ?? '',
      });
    }
    const empty = { intents: [], skipWords: [], warnings: this.warnings };
    if (this.faults.length > 0) return { grammar: empty, faults: this.faults };
    const root = document.contents;
    if (!isMap(root)) {
      this.fault(root, 'this is no file of sentences, expected "intents:" with sentences');
      return { grammar: empty, faults: this.faults };
    }
    this.known(root, topKeys);
    const scope = this.scope(root, { lists: new Map(), rules: new Map() });
    const intents = this.entries(root.get('intents', true), 'intents').map(([name, node]) =>
      this.intent(name, node, scope),
    );
    if (intents.length === 0)
      this.fault(root, 'there are no intents, expected "intents:" with sentences');
    const skipWords = this.items(root.get('skip_words', true)).flatMap((node) => {
      const tree = this.template(node);
      const words =
        tree.kind === 'word'
          ? [tree.word]
          : tree.kind === 'sequence'
            ? tree.items.flatMap((t) => (t.kind === 'word' ? [t.word] : []))
            : [];
      return words.length === 0 ? [] : [words];
    });
    return { grammar: { intents, skipWords, warnings: this.warnings }, faults: this.faults };
  }

  private place(node: unknown, offset = 0): Place {
    const range = (node as Node | null | undefined)?.range;
    const { line, col } = this.lines.linePos((range?.[0] ?? 0) + offset);
    return { line, column: col };
  }

  private fault(node: unknown, message: string, offset = 0): void {
    this.faults.push({ ...this.place(node, offset), message });
  }

  private known(map: YAMLMap, keys: readonly string[]): void {
    for (const { key } of map.items) {
      const name = isScalar(key) ? String(key.value) : '';
      if (!keys.includes(name))
        this.fault(key, `unknown key "${name}", expected one of ${keys.join(', ')}`);
    }
  }

  private entries(node: unknown, what: string): [string, Node][] {
    if (node === undefined || node === null) return [];
    if (!isMap(node)) {
      this.fault(node, `${what}: expected names with a colon`);
      return [];
    }
    return node.items.map(({ key, value }) => [
      isScalar(key) ? String(key.value) : '',
      value as Node,
    ]);
  }

  private items(node: unknown): Node[] {
    if (node === undefined || node === null) return [];
    if (isSeq(node)) return node.items as Node[];
    this.fault(node, 'expected a list ("- ..." lines)');
    return [];
  }

  private scope(map: YAMLMap, outer: Scope): Scope {
    const lists = new Map(outer.lists);
    const rules = new Map(outer.rules);
    for (const [name, node] of this.entries(map.get('lists', true), 'lists'))
      lists.set(name, this.list(name, node));
    for (const [name, node] of this.entries(map.get('expansion_rules', true), 'expansion_rules')) {
      rules.set(name, this.template(node));
    }
    return { lists, rules };
  }

  private intent(name: string, node: unknown, outer: Scope): Intent {
    if (!/^[\w.-]{1,64}$/.test(name))
      this.fault(node, `"${name}" is no intent name, expected letters, digits, _ . -`);
    if (!isMap(node)) {
      this.fault(node, `intent ${name}: expected "data:" with sentences`);
      return { name, sentences: [] };
    }
    this.known(node, intentKeys);
    const sentences = this.items(node.get('data', true)).flatMap((data) => {
      if (!isMap(data)) {
        this.fault(data, `intent ${name}: expected "- sentences: [...]"`);
        return [];
      }
      this.known(data, dataKeys);
      for (const key of ['requires_context', 'excludes_context']) {
        if (data.has(key))
          this.warnings.push({
            ...this.place(data.get(key, true)),
            message: `${key} is ignored: this device has no context`,
          });
      }
      const scope = this.scope(data, outer);
      const fixed = this.entries(data.get('slots', true), 'slots');
      const trees = this.items(data.get('sentences', true)).map((s) => this.template(s));
      if (trees.length === 0) this.fault(data, `intent ${name}: no sentences`);
      return trees.map((tree) => ({ tree: this.withFixedSlots(tree, fixed), scope }));
    });
    const minConfidence: unknown = node.get('minConfidence');
    if (
      minConfidence !== undefined &&
      !(typeof minConfidence === 'number' && minConfidence >= 0 && minConfidence <= 1)
    ) {
      this.fault(node.get('minConfidence', true), 'minConfidence: expected a number from 0 to 1');
    }
    return {
      name,
      sentences,
      ...(typeof minConfidence === 'number' ? { minConfidence } : {}),
      ...(node.get('confirm') === true ? { confirm: true } : {}),
    };
  }

  /** Slots that a sentence has whatever is said in it. */
  private withFixedSlots(tree: Tree, fixed: readonly [string, Node][]): Tree {
    return fixed.reduce<Tree>(
      (inner, [slot, node]) => ({ kind: 'slot', slot, value: this.scalar(node), item: inner }),
      tree,
    );
  }

  private scalar(node: unknown): string | number | boolean {
    const value = isScalar(node) ? node.value : undefined;
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
      return value;
    this.fault(node, 'expected a text, a number or true/false');
    return '';
  }

  private template(node: unknown): Tree {
    if (!isScalar(node) || (typeof node.value !== 'string' && typeof node.value !== 'number')) {
      this.fault(node, 'expected a sentence');
      return phrase('');
    }
    const text = String(node.value);
    if (text.trim() === '') this.fault(node, 'the sentence is empty');
    const quote = node.type === 'QUOTE_DOUBLE' || node.type === 'QUOTE_SINGLE' ? 1 : 0;
    try {
      return parseTemplate(text, (offset) => this.place(node, offset + quote));
    } catch (error) {
      if (!(error instanceof TemplateError)) throw error;
      this.fault(node, error.message, error.offset + quote);
      return phrase('');
    }
  }

  private list(name: string, node: unknown): ListValue[] {
    if (!isMap(node)) {
      this.fault(node, `list ${name}: expected "values:" or "range:"`);
      return [];
    }
    if (node.has('wildcard')) {
      this.fault(
        node,
        `list ${name}: a wildcard means any words; this recogniser hears only what is written: give values`,
      );
      return [];
    }
    if (node.has('range')) return this.range(name, node.get('range', true));
    const values = this.items(node.get('values', true)).flatMap((value) => {
      if (!isMap(value)) {
        const tree = this.template(value);
        return [{ spoken: tree }];
      }
      const spoken = this.template(value.get('in', true));
      return [
        { spoken, ...(value.has('out') ? { value: this.scalar(value.get('out', true)) } : {}) },
      ];
    });
    if (values.length === 0) this.fault(node, `list ${name}: no values`);
    return values;
  }

  private range(name: string, node: unknown): ListValue[] {
    if (!isMap(node)) {
      this.fault(node, `list ${name}: expected "range:" with from and to`);
      return [];
    }
    const number = (key: string, otherwise: number) => {
      const value: unknown = node.get(key);
      if (value === undefined) return otherwise;
      if (typeof value === 'number' && Number.isFinite(value)) return value;
      this.fault(node.get(key, true), `list ${name}: ${key} is no number`);
      return otherwise;
    };
    const [from, to, step] = [number('from', NaN), number('to', NaN), number('step', 1)];
    const multiplier = number('multiplier', 1);
    const count = Math.floor((to - from) / step) + 1;
    if (!(count >= 1) || step <= 0) {
      this.fault(node, `list ${name}: expected from <= to and a step above 0`);
      return [];
    }
    if (count > rangeValuesMax || Math.max(Math.abs(from), Math.abs(to)) > 999_999_999) {
      this.fault(
        node,
        `list ${name}: ${count} values, expected at most ${rangeValuesMax}; use a larger step, or digits one by one`,
      );
      return [];
    }
    return Array.from({ length: count }, (_, i) => {
      const value = Number((from + i * step).toFixed(6));
      const ways = spokenNumber(value).map(phrase);
      const spoken: Tree = ways.length === 1 ? (ways[0] as Tree) : { kind: 'choice', items: ways };
      return { spoken, value: Number((value * multiplier).toFixed(6)) };
    });
  }
}
