import { JsgfLexer, type JsgfToken } from './jsgf-lexer.js';
import { readTag } from './jsgf-tag.js';
import { endsInNumber, isShouted, unitReading } from './readings.js';
import { phrase, treeOf } from './template.js';
import { nothing, type Fault, type Intent, type ParsedGrammar, type Tree } from './tree.js';

/**
 * JSGF 1.0: each public rule is an intent named after it. A tag `{name}` makes a slot of the words it
 * follows, `{name=value}` gives the slot that value. Weights are read and ignored; `*`, `+` and
 * imports are refused, since sentences must be finite and in one file.
 */
export function parseJsgf(
  source: string,
  own: ReadonlySet<string> = new Set(),
): { grammar: ParsedGrammar; faults: Fault[] } {
  return new JsgfReader(new JsgfLexer(source), own).read();
}

/** Names that stand in a topic as they are. */
const plainName = /^[\w.-]{1,64}$/;

class JsgfReader {
  private readonly tokens: readonly JsgfToken[];
  private readonly defined: ReadonlySet<string>;
  private readonly rules = new Map<string, Tree>();
  private at = 0;
  /** With its package: "com.acme.robot". */
  private grammar = '';

  constructor(
    private readonly lexer: JsgfLexer,
    private readonly own: ReadonlySet<string>,
  ) {
    this.tokens = lexer.tokens();
    this.defined = new Set(
      this.tokens.flatMap((token, i) =>
        token.kind === 'rule' && this.isMark('=', i + 1) ? [token.text.normalize('NFC')] : [],
      ),
    );
  }

  read(): { grammar: ParsedGrammar; faults: Fault[] } {
    const open: JsgfToken[] = [];
    if (this.peek().kind === 'header') {
      if (!this.peek().text.endsWith(';'))
        this.lexer.warn('expected ";" at the end of the header', this.peek().to);
      this.at++;
    }
    while (this.peek().kind !== 'end') this.statement(open);
    if (open.length === 0)
      this.lexer.faults.push({
        line: 1,
        column: 1,
        message: 'there is no public rule, expected "public <name> = ...;"',
      });
    for (const token of open) this.checkPublic(token);
    const scope = { lists: new Map(), rules: this.rules, losses: new Map() };
    const intents: Intent[] = open.map((token) => {
      const name = token.text.normalize('NFC');
      return {
        name,
        sentences: [
          { tree: { kind: 'rule', rule: name, at: this.lexer.place(token.from) }, scope },
        ],
      };
    });
    const { faults, warnings } = this.lexer;
    faults.sort((a, b) => a.line - b.line || a.column - b.column);
    return { grammar: { intents, skipWords: [], warnings }, faults };
  }

  private peek(ahead = 0): JsgfToken {
    return this.tokens[Math.min(this.at + ahead, this.tokens.length - 1)] as JsgfToken;
  }

  private isMark(mark: string, index = this.at): boolean {
    const token = this.tokens[index];
    return token?.kind === 'mark' && token.text === mark;
  }

  private isWord(text: string): boolean {
    return this.peek().kind === 'word' && this.peek().text === text;
  }

  /** `<name> =`, with or without "public". */
  private beginsRule(): boolean {
    const after = this.isWord('public') ? 1 : 0;
    return this.peek(after).kind === 'rule' && this.isMark('=', this.at + after + 1);
  }

  private statement(open: JsgfToken[]): void {
    const first = this.peek();
    if (this.beginsRule()) {
      if (first.kind === 'word') {
        this.at++;
        open.push(this.peek());
      }
      this.rule();
    } else if (this.isWord('grammar') && this.peek(1).kind === 'word') {
      this.grammar = this.peek(1).text.normalize('NFC');
      this.at += 2;
      this.endStatement('the grammar declaration');
    } else if (this.isWord('import') && this.peek(1).kind === 'rule') {
      this.lexer.fault(
        `import <${this.peek(1).text}>: imports are not read: put the rules into this file`,
        first.from,
      );
      this.at += 2;
      this.endStatement('the import');
    } else {
      while (this.peek().kind !== 'end' && !this.isMark(';') && !this.beginsRule()) this.at++;
      const text = this.lexer.slice(first.from, this.tokens[this.at - 1]?.to ?? first.from);
      if (this.isMark(';')) this.at++;
      this.lexer.fault(`"${text.slice(0, 40)}", expected "<rule> = ...;"`, first.from);
    }
  }

  private endStatement(what: string): void {
    const end = this.tokens[this.at - 1]?.to ?? 0;
    if (this.isMark(';')) this.at++;
    else if (!this.lexer.faultWithin(end, this.peek().from))
      this.lexer.fault(`expected ";" at the end of ${what}`, end);
  }

  private rule(): void {
    const head = this.peek();
    const name = head.text.normalize('NFC');
    this.at += 2;
    if (name === 'NULL' || name === 'VOID')
      this.lexer.fault(`<${name}> has a meaning of its own, expected another name`, head.from);
    else if (!nameForm.test(name)) this.lexer.fault(noName(name), head.from);
    else if (this.rules.has(name)) this.lexer.fault(`rule <${name}> is there twice`, head.from);
    const tree = this.choice(0);
    if (!this.rules.has(name)) this.rules.set(name, tree);
    this.endStatement(`rule <${name}>`);
  }

  private choice(depth: number): Tree {
    const items = [this.sequence(depth)];
    while (this.isMark('|')) {
      this.at++;
      items.push(this.sequence(depth));
    }
    return items.length === 1 ? (items[0] ?? nothing) : { kind: 'choice', items };
  }

  private sequence(depth: number): Tree {
    const items: Tree[] = [];
    const begin = this.at;
    for (; !this.endsSequence(depth);) {
      const item = this.item(depth);
      if (item !== null) items.push(this.tagged(item));
    }
    if (this.at === begin)
      this.lexer.warn(
        'an alternative without words: <NULL> says that it is meant',
        this.peek().from,
      );
    return items.length === 1 ? (items[0] ?? nothing) : { kind: 'sequence', items };
  }

  private endsSequence(depth: number): boolean {
    const { kind, text } = this.peek();
    if (kind === 'end' || this.beginsRule()) return true;
    return kind === 'mark' && (text === '|' || text === ';' || (depth > 0 && /[)\]]/.test(text)));
  }

  private item(depth: number): Tree | null {
    const token = this.peek();
    this.at++;
    if (token.kind === 'word' || token.kind === 'quoted') return this.words(token);
    if (token.kind === 'rule') return this.reference(token);
    if (token.kind === 'tag') {
      this.lexer.fault('a tag stands behind the words that it belongs to', token.from);
      return null;
    }
    if (token.text === '(' || token.text === '[') {
      const inner = this.choice(depth + 1);
      if (this.isMark(token.text === '(' ? ')' : ']')) this.at++;
      else this.lexer.fault(`"${token.text}" is never closed`, token.from);
      return token.text === '[' ? { kind: 'choice', items: [inner, nothing] } : inner;
    }
    this.lexer.fault(
      token.text === '*' || token.text === '+'
        ? `"${token.text}" repeats nothing; as text it stands in quotes`
        : `"${token.text}" closes or begins nothing; as text it stands in quotes`,
      token.from,
    );
    return null;
  }

  private words({ kind, text, from }: JsgfToken): Tree {
    const at = this.lexer.place(from);
    const before = this.tokens[this.at - 2];
    const plain = (token: JsgfToken | undefined) =>
      token?.kind === 'word' || token?.kind === 'quoted';
    const number = before?.kind === 'word' && endsInNumber(before.text);
    const unit = number && kind === 'word' ? unitReading(text) : undefined;
    if (unit !== undefined) return treeOf(unit, at);
    // All words of this run in capitals: then capitals say nothing.
    let first = this.at - 1;
    while (plain(this.tokens[first - 1])) first--;
    let last = this.at - 1;
    while (plain(this.tokens[last + 1])) last++;
    const run = this.tokens.slice(first, last + 1).map((token) => token.text);
    return phrase(text, { own: this.own, capitals: !isShouted(run.join(' ')) }, at);
  }

  /** A rule by its name, or with its grammar before it: <n>, <robot.n>, <com.acme.robot.n>. */
  private reference({ text, from }: JsgfToken): Tree {
    if (text === 'NULL') return nothing;
    if (text === 'VOID') return { kind: 'choice', items: [] };
    const name = text.normalize('NFC');
    const simple = this.grammar.replace(/^.*\./, '');
    const prefix = [this.grammar, simple].find((g) => g !== '' && name.startsWith(`${g}.`));
    const names = [name, ...(prefix === undefined ? [] : [name.slice(prefix.length + 1)])];
    const rule = names.find((n) => this.defined.has(n));
    if (!nameForm.test(name)) this.lexer.fault(noName(name), from);
    else if (rule !== undefined) return { kind: 'rule', rule, at: this.lexer.place(from) };
    else
      this.lexer.fault(
        `rule <${name}> is not defined; defined: ${[...this.defined].join(', ')}`,
        from,
      );
    return nothing;
  }

  private tagged(item: Tree): Tree {
    let tree = item;
    for (;;) {
      const { kind, text, from } = this.peek();
      if (kind === 'tag') {
        const tag = readTag(text);
        if (tag === undefined)
          this.lexer.fault('a tag without a name, expected {name} or {name=value}', from);
        else tree = { kind: 'slot', ...tag, item: tree };
      } else if (kind === 'mark' && (text === '*' || text === '+'))
        this.lexer.fault('"*" and "+" repeat without end: write the repetitions', from);
      else return tree;
      this.at++;
    }
  }

  /** What can never be said, or says nothing, is told where it stands. */
  private checkPublic(token: JsgfToken): void {
    const { empty, spoken } = extentOf(
      this.rules.get(token.text.normalize('NFC')) ?? nothing,
      this.rules,
    );
    if (empty && this.lexer.faults.length === 0)
      this.lexer.fault(
        `<${token.text}> may be said with no words: every part of it is optional`,
        token.from,
      );
    if (!spoken)
      this.lexer.warn(`<${token.text}> can never be said: every way needs <VOID>`, token.from);
    if (!plainName.test(token.text))
      this.lexer.warn(
        `<${token.text}> is the intent's name; its topic has _ for what is no letter from a to z, digit, _ . -`,
        token.from,
      );
  }
}

/** What JSGF allows in names, and the dot. */
const nameForm = /^[\p{L}\p{N}\p{M}\p{Pc}\p{Sc}+\-:;,=|/\\()[\]@#%!^&~.]+$/u;

const noName = (name: string) =>
  `<${name}> is no rule name, expected letters, digits, _ . - without spaces`;

interface Extent {
  /** May be passed without a word. */
  readonly empty: boolean;
  /** May be passed at all. */
  readonly spoken: boolean;
}

function extentOf(
  tree: Tree,
  rules: ReadonlyMap<string, Tree>,
  known = new Map<string, Extent>(),
): Extent {
  const inner = (item: Tree) => extentOf(item, rules, known);
  if (tree.kind === 'slot') return inner(tree.item);
  if (tree.kind === 'sequence') {
    const all = tree.items.map(inner);
    return { empty: all.every((e) => e.empty), spoken: all.every((e) => e.spoken) };
  }
  if (tree.kind === 'choice') {
    const all = tree.items.map(inner);
    return { empty: all.some((e) => e.empty), spoken: all.some((e) => e.spoken) };
  }
  if (tree.kind !== 'rule') return { empty: false, spoken: true };
  let extent = known.get(tree.rule);
  if (extent === undefined) {
    // A circle of rules is a fault of its own.
    known.set(tree.rule, { empty: false, spoken: true });
    extent = inner(rules.get(tree.rule) ?? nothing);
    known.set(tree.rule, extent);
  }
  return extent;
}
