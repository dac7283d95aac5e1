import { endsInNumber, isShouted, readingsOf, unitReading, type Ways } from './readings.js';
import { nothing, type Place, type Tree } from './tree.js';

/** A template that cannot be read; `offset` counts characters of the template. */
export class TemplateError extends Error {
  constructor(
    message: string,
    readonly offset: number,
  ) {
    super(message);
  }
}

/** Endings glued to a word are spelled out; more ways than this are refused. */
const gluedMax = 1000;

/** What a group could be as plain text; a reference or too many ways cannot. */
type Texts = readonly string[] | 'reference' | 'too many';

interface Piece {
  readonly tree: Tree;
  /** No space between this piece and the one before it. */
  readonly glued: boolean;
  readonly texts: Texts;
  readonly offset: number;
}

export interface TemplateOptions {
  readonly placeOf: (offset: number) => Place;
  /** A site's own words; see readingsOf. */
  readonly own?: ReadonlySet<string>;
}

/**
 * hassil's sentence templates: `(a|b)`, `[optional]`, `{list}`, `{list:slot}`, `<rule>`,
 * permutations `(a; b)`, endings glued to words `light[s]`, and `\` before a special character.
 */
export function parseTemplate(source: string, options: TemplateOptions): Tree {
  return new TemplateReader(source, options).read();
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

/** Groups inside groups; nobody reads more. */
const nestingMax = 100;

class TemplateReader {
  private at = 0;
  private nesting = 0;
  private readonly capitals: boolean;

  constructor(
    private readonly source: string,
    private readonly options: TemplateOptions,
  ) {
    this.capitals = !isShouted(source.replace(/[{<][^}>]*[}>]/g, ' '));
  }

  read(): Tree {
    return this.alternatives('', 0).tree;
  }

  /** Reads up to `end`. */
  private alternatives(end: string, openedAt: number): { tree: Tree; texts: Texts } {
    const choices: Piece[][] = [[]];
    let separator = '';
    let space = true;
    for (;;) {
      const c = this.source[this.at];
      if (c === undefined) {
        if (end === '') break;
        throw new TemplateError(`"${this.source[openedAt] ?? ''}" is never closed`, openedAt);
      }
      if (end !== '' && c === end) {
        this.at++;
        break;
      }
      if (c === '|' || c === ';') {
        if (separator !== '' && separator !== c)
          throw new TemplateError('"|" and ";" in one group', this.at);
        if (c === ';' && end !== ')') throw new TemplateError('";" outside of ( )', this.at);
        separator = c;
        choices.push([]);
        space = true;
        this.at++;
      } else if (/\s/.test(c)) {
        space = true;
        this.at++;
      } else {
        choices.at(-1)?.push(this.piece(c, !space));
        space = false;
      }
    }
    const items = choices.map((pieces) => this.sequenceOf(pieces));
    if (separator === ';') return { tree: { kind: 'permutation', items }, texts: 'reference' };
    const tree: Tree = items.length === 1 ? (items[0] ?? nothing) : { kind: 'choice', items };
    return { tree, texts: union(choices.map(textsOf)) };
  }

  private sequenceOf(pieces: readonly Piece[]): Tree {
    const items: Tree[] = [];
    for (let i = 0; i < pieces.length;) {
      let end = i + 1;
      while (end < pieces.length && pieces[end]?.glued === true) end++;
      const run = pieces.slice(i, end);
      if (run.length === 1 || run.some((p) => p.texts === 'reference'))
        items.push(...run.map((piece, k) => this.afterNumber(piece, pieces[i + k - 1])));
      else items.push(this.glue(run));
      i = end;
    }
    return sequence(items);
  }

  /** A unit's symbol behind a list or a number: "{weight} kg", "24 V". */
  private afterNumber(piece: Piece, before: Piece | undefined): Tree {
    const [text, more] = Array.isArray(piece.texts) ? (piece.texts as readonly string[]) : [];
    if (before === undefined || text === undefined || more !== undefined) return piece.tree;
    const number =
      before.tree.kind === 'list' ||
      (Array.isArray(before.texts) && endsInNumber(String(before.texts)));
    const ways = number ? unitReading(text) : undefined;
    return ways === undefined ? piece.tree : treeOf(ways, this.options.placeOf(piece.offset));
  }

  private glue(run: readonly Piece[]): Tree {
    const texts = textsOf(run);
    const offset = run[0]?.offset ?? 0;
    if (typeof texts === 'string')
      throw new TemplateError(`more than ${gluedMax} ways to join these word parts`, offset);
    const items = texts.map((text) => this.phrase(text, offset));
    return items.length === 1 ? (items[0] ?? nothing) : { kind: 'choice', items };
  }

  private phrase(text: string, offset: number): Tree {
    const { own, placeOf } = this.options;
    return phrase(
      text,
      { capitals: this.capitals, ...(own === undefined ? {} : { own }) },
      placeOf(offset),
    );
  }

  private piece(c: string, glued: boolean): Piece {
    const offset = this.at;
    if (c === '(' || c === '[') {
      this.at++;
      if (++this.nesting > nestingMax)
        throw new TemplateError(`groups inside groups, more than ${nestingMax} deep`, offset);
      const { tree, texts } = this.alternatives(c === '(' ? ')' : ']', offset);
      this.nesting--;
      return c === '('
        ? { tree, glued, texts, offset }
        : {
            tree: { kind: 'choice', items: [tree, nothing] },
            glued,
            texts: union([texts, ['']]),
            offset,
          };
    }
    if (c === '{' || c === '<') return { ...this.reference(c), glued, texts: 'reference', offset };
    if (c === ')' || c === ']' || c === '}' || c === '>')
      throw new TemplateError(`"${c}" closes nothing`, offset);
    const text = this.plainText();
    return { tree: this.phrase(text, offset), glued, texts: [text], offset };
  }

  private reference(open: '{' | '<'): { tree: Tree } {
    const start = this.at;
    const end = this.source.indexOf(open === '{' ? '}' : '>', start);
    if (end < 0) throw new TemplateError(`"${open}" is never closed`, start);
    const name = this.source.slice(start + 1, end).trim();
    this.at = end + 1;
    if (!/^[\w.-]+(:[\w.-]+)?$/.test(name))
      throw new TemplateError(`"${name}" is no name`, start + 1);
    const at = this.options.placeOf(start);
    if (open === '<') return { tree: { kind: 'rule', rule: name, at } };
    const [list = '', slot = list] = name.split(':');
    return { tree: { kind: 'list', list, slot, at } };
  }

  private plainText(): string {
    let text = '';
    while (this.at < this.source.length) {
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

/** All texts of pieces one after another, joined as they were written. */
function textsOf(pieces: readonly Piece[]): Texts {
  let texts = [''];
  for (const { texts: own, glued } of pieces) {
    if (typeof own === 'string') return own;
    if (texts.length * own.length > gluedMax) return 'too many';
    texts = texts.flatMap((text) => own.map((o) => (glued ? text + o : `${text} ${o}`.trim())));
  }
  return texts;
}

function union(all: readonly Texts[]): Texts {
  if (all.includes('reference')) return 'reference';
  const texts = all.flatMap((t) => (typeof t === 'string' ? [] : t));
  return all.includes('too many') || texts.length > gluedMax ? 'too many' : texts;
}
