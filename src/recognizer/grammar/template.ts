import { isShouted, readingsOf, type Ways } from './readings.js';
import { nothing, type ListValue, type Place, type Tree } from './tree.js';

/** A template that cannot be read; `offset` counts characters of the template. */
export class TemplateError extends Error {
  constructor(
    message: string,
    readonly offset: number,
  ) {
    super(message);
  }
}

export interface TemplateOptions {
  readonly placeOf: (offset: number) => Place;
  /** Values of a range that is written in the template, or what is wrong with it. */
  readonly inlineRange: (range: InlineRange) => readonly ListValue[] | string;
}

/** `{from..to}` and `{from..to,step}`. */
export interface InlineRange {
  readonly from: number;
  readonly to: number;
  readonly step: number;
}

/**
 * hassil's sentence templates: `(a|b)`, `[optional]`, `{list}`, `{list:slot}`, `{0..100:slot}`, `{@list}`,
 * `<rule>`, permutations `(a; b)`, and `\` before a special character. Spaces count wherever they stand:
 * what touches is one word, so texts stay parts until their neighbours are known (nfa.ts).
 */
export function parseTemplate(source: string, options: TemplateOptions): Tree {
  return new TemplateReader(source, options).read();
}

/** A text without template characters, with its spaces. */
export function plainTemplate(source: string, placeOf: (offset: number) => Place): Tree {
  const capitals = !isShouted(source);
  const items = [...source.matchAll(/\s+|\S+/g)].map(({ 0: text, index }): Tree =>
    text.trim() === '' ? space : { kind: 'part', text, capitals, at: placeOf(index) },
  );
  return sequence(items);
}

/** Plain text as it is spoken, with all its ways. */
export function phrase(
  text: string,
  options: { own?: ReadonlySet<string>; capitals?: boolean } = {},
  at?: Place,
): Tree {
  const readings = readingsOf(text, options);
  if (readings.length === 0 && text.trim() !== '')
    return { kind: 'mute', text, ...(at === undefined ? {} : { at }) };
  return sequence(readings.map((ways) => treeOf(ways, at)));
}

const sequence = (items: readonly Tree[]): Tree =>
  items.length === 1 ? (items[0] ?? nothing) : { kind: 'sequence', items };

export function treeOf(ways: Ways, at?: Place): Tree {
  const items = ways.map((words) =>
    sequence(
      words.map((word): Tree => ({ kind: 'word', ...word, ...(at === undefined ? {} : { at }) })),
    ),
  );
  return items.length === 1 ? (items[0] ?? nothing) : { kind: 'choice', items };
}

const space: Tree = { kind: 'space' };

/** Groups inside groups; nobody reads more. */
const nestingMax = 100;

class TemplateReader {
  private at = 0;
  private nesting = 0;
  private readonly end: number;
  private readonly capitals: boolean;

  constructor(
    private readonly source: string,
    private readonly options: TemplateOptions,
  ) {
    this.capitals = !isShouted(source.replace(/[{<][^}>]*[}>]/g, ' '));
    // Spaces at the ends of a whole template separate nothing.
    this.at = source.length - source.trimStart().length;
    this.end = source.trimEnd().length;
  }

  read(): Tree {
    return this.alternatives('', 0);
  }

  /** Reads up to `close`. */
  private alternatives(close: string, openedAt: number): Tree {
    const choices: Tree[][] = [[]];
    let separator = '';
    for (;;) {
      const c = this.at < this.end ? this.source[this.at] : undefined;
      if (c === undefined) {
        if (close === '') break;
        throw new TemplateError(`"${this.source[openedAt] ?? ''}" is never closed`, openedAt);
      }
      if (close !== '' && c === close) {
        this.at++;
        break;
      }
      if (c === '|' || c === ';') {
        if (separator !== '' && separator !== c)
          throw new TemplateError('"|" and ";" in one group: put ( ) round one of them', this.at);
        separator = c;
        choices.push([]);
        this.at++;
      } else choices.at(-1)?.push(this.piece(c));
    }
    const items = choices.map(sequence);
    if (separator === ';') return { kind: 'permutation', items };
    return items.length === 1 ? (items[0] ?? nothing) : { kind: 'choice', items };
  }

  private piece(c: string): Tree {
    const offset = this.at;
    if (/\s/.test(c)) {
      while (/\s/.test(this.source[this.at] ?? '')) this.at++;
      return space;
    }
    if (c === '(' || c === '[') {
      this.at++;
      if (++this.nesting > nestingMax)
        throw new TemplateError(`groups inside groups, more than ${nestingMax} deep`, offset);
      const inner = this.alternatives(c === '(' ? ')' : ']', offset);
      this.nesting--;
      return c === '(' ? inner : { kind: 'choice', items: [inner, nothing] };
    }
    if (c === '{' || c === '<') return this.reference(c);
    if (c === ')' || c === ']' || c === '}' || c === '>')
      throw new TemplateError(`"${c}" closes nothing`, offset);
    return {
      kind: 'part',
      text: this.plainText(),
      capitals: this.capitals,
      at: this.options.placeOf(offset),
    };
  }

  private reference(open: '{' | '<'): Tree {
    const start = this.at;
    const end = this.source.indexOf(open === '{' ? '}' : '>', start);
    if (end < 0 || end >= this.end) throw new TemplateError(`"${open}" is never closed`, start);
    const name = this.source.slice(start + 1, end).trim();
    this.at = end + 1;
    const at = this.options.placeOf(start);
    if (open === '<') {
      if (!/^[\p{L}\p{N}_.:-]+$/u.test(name)) throw this.noName(name, start);
      return { kind: 'rule', rule: name, at };
    }
    const [, list = '', , slot] =
      /^([\p{L}\p{N}_.,@ -]+?)\s*(:\s*(@?[\p{L}\p{N}_.-]+))?$/u.exec(name) ?? [];
    const range = /^(-?\d+)\.\.(-?\d+)(?:\s*,\s*(\d+))?$/.exec(list);
    if (range !== null) return this.range(range, list, slot, start);
    const capture = list.startsWith('@') || slot?.startsWith('@') === true;
    const known = list.replace(/^@/, '');
    if (!/^[\p{L}\p{N}_.-]+$/u.test(known)) throw this.noName(name, start);
    return { kind: 'list', list: known, at, ...(capture ? {} : { slot: slot ?? known }) };
  }

  private range(found: RegExpExecArray, list: string, slot: string | undefined, at: number): Tree {
    if (slot === undefined)
      throw new TemplateError(`{${list}}: which slot? write {${list}:name of the slot}`, at);
    const [from, to, step] = [found[1], found[2], found[3] ?? '1'].map(Number) as [
      number,
      number,
      number,
    ];
    const values = this.options.inlineRange({ from, to, step });
    if (typeof values === 'string') throw new TemplateError(`{${list}}: ${values}`, at);
    const named = slot.startsWith('@') ? {} : { slot };
    return { kind: 'list', list, values, at: this.options.placeOf(at), ...named };
  }

  private noName(name: string, start: number): TemplateError {
    return new TemplateError(`"${name}" is no name, expected letters, digits, _ . -`, start + 1);
  }

  private plainText(): string {
    let text = '';
    while (this.at < this.end) {
      const next = this.source[this.at] ?? '';
      if (next === '\\') {
        text += this.source[this.at + 1] ?? '';
        this.at += 2;
      } else if (/[\s()[\]{}<>|;]/.test(next)) break;
      else {
        text += next;
        this.at++;
      }
    }
    return text;
  }
}
