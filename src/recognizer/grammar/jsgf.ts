import { wordsOf } from './readings.js';
import { phrase } from './template.js';
import {
  nothing,
  type Fault,
  type Intent,
  type ParsedGrammar,
  type Place,
  type Tree,
} from './tree.js';

/**
 * JSGF 1.0: each public rule is an intent named after it. A tag `{name}` makes a slot of the words it
 * follows, `{name=value}` gives the slot that value. Weights are read and ignored; `*`, `+` and
 * imports are refused, since sentences must be finite and in one file.
 */
export function parseJsgf(
  source: string,
  own: ReadonlySet<string> = new Set(),
): { grammar: ParsedGrammar; faults: Fault[] } {
  return new JsgfReader(source, own).read();
}

class JsgfReader {
  private readonly faults: Fault[] = [];
  private readonly text: string;
  private at = 0;

  constructor(
    source: string,
    private readonly own: ReadonlySet<string>,
  ) {
    // Comments become spaces, so that places stay true.
    this.text = source.replace(/\/\*[^]*?\*\/|\/\/[^\n]*/g, (comment) =>
      comment.replace(/[^\n]/g, ' '),
    );
  }

  read(): { grammar: ParsedGrammar; faults: Fault[] } {
    const rules = new Map<string, Tree>();
    const open: string[] = [];
    this.skip(/\uFEFF?\s*#JSGF[^;]*;/y);
    while (this.skip(/\s*grammar\s+[\w.]+\s*;/y) !== null);
    for (this.skip(/\s+/y); this.at < this.text.length; this.skip(/\s+/y)) {
      const head = this.skip(/(public\s+)?<([\w.-]+)>\s*=\s*/y);
      if (head === null) {
        const statement = this.skip(/[^;]*;?/y)?.[0].trim() ?? '';
        this.fault(
          statement.startsWith('import')
            ? `${statement.replace(/;$/, '')}: imports are not read: put the rules into this file`
            : `"${statement.slice(0, 40)}", expected "<rule> = ...;"`,
          this.at - statement.length,
        );
        continue;
      }
      const name = head[2] ?? '';
      if (rules.has(name)) this.fault(`rule <${name}> is there twice`);
      rules.set(name, this.choice());
      if (head[1] !== undefined) open.push(name);
      if (this.skip(/\s*;/y) === null) {
        this.fault('expected ";" at the end of the rule');
        this.skip(/[^;]*;?/y);
      }
    }
    if (open.length === 0)
      this.fault('there is no public rule, expected "public <name> = ...;"', 0);
    const scope = { lists: new Map(), rules };
    const intents: Intent[] = open.map((name) => ({
      name,
      sentences: [{ tree: { kind: 'rule', rule: name, at: { line: 1, column: 1 } }, scope }],
    }));
    return { grammar: { intents, skipWords: [], warnings: [] }, faults: this.faults };
  }

  private skip(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (found !== null) this.at = pattern.lastIndex;
    return found;
  }

  private place(offset = this.at): Place {
    const before = this.text.slice(0, offset).split('\n');
    return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
  }

  private fault(message: string, offset = this.at): void {
    this.faults.push({ ...this.place(offset), message });
  }

  private choice(): Tree {
    const items = [this.sequence()];
    while (this.skip(/\s*\|/y) !== null) items.push(this.sequence());
    return items.length === 1 ? (items[0] ?? nothing) : { kind: 'choice', items };
  }

  private sequence(): Tree {
    const items: Tree[] = [];
    for (;;) {
      this.skip(/\s*\/[\d.]+\/\s*|\s+/y);
      const item = this.item();
      if (item === null) return { kind: 'sequence', items };
      items.push(this.tagged(item));
    }
  }

  private item(): Tree | null {
    const place = this.place();
    const reference = this.skip(/<([\w.-]+)>/y);
    if (reference !== null) {
      return reference[1] === 'NULL'
        ? nothing
        : { kind: 'rule', rule: reference[1] ?? '', at: place };
    }
    for (const [open, close] of ['()', '[]']) {
      if (this.text[this.at] !== open) continue;
      const start = this.at++;
      const inner = this.choice();
      this.skip(/\s+/y);
      if (this.text[this.at] === close) this.at++;
      else this.fault(`"${open ?? ''}" is never closed`, start);
      return open === '[' ? { kind: 'choice', items: [inner, nothing] } : inner;
    }
    const word = this.skip(/"[^"]*"|[^\s()[\]{}<>|;*+/"=]+/y);
    if (word === null) return null;
    return wordsOf(word[0]).length === 0
      ? nothing
      : phrase(word[0].replace(/"/g, ''), { own: this.own }, place);
  }

  private tagged(item: Tree): Tree {
    let tree = item;
    if (this.skip(/\s*[*+]/y) !== null)
      this.fault('"*" and "+" repeat without end: write the repetitions', this.at - 1);
    for (let tag = this.skip(/\s*\{([^}]*)\}/y); tag !== null; tag = this.skip(/\s*\{([^}]*)\}/y)) {
      const [slot = '', value] = (tag[1] ?? '').split('=').map((part) => part.trim());
      const typed =
        value === undefined || value === ''
          ? value
          : Number.isNaN(Number(value))
            ? value
            : Number(value);
      tree =
        typed === undefined
          ? { kind: 'slot', slot, item: tree }
          : { kind: 'slot', slot, value: typed, item: tree };
    }
    return tree;
  }
}
