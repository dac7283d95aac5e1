import type { Fault, Place } from './tree.js';

/**
 * Tokens of a JSGF text. `text` is what a token says: a quoted one without its quotes and escapes, a
 * rule's name without `<` and `>`, a tag as it stands between its braces.
 */
export interface JsgfToken {
  readonly kind: 'header' | 'word' | 'quoted' | 'rule' | 'tag' | 'mark' | 'end';
  readonly text: string;
  readonly from: number;
  readonly to: number;
}

const lineEnd = /\r\n|\n|\r/g;
const comment = /\/\/[^\n\r]*|\/\*[^]*?\*\//y;
const space = /\s+/y;
const header = /#JSGF(?![\p{L}\p{N}])[^;\n\r]*;?/iuy;
/** Numbers as Java writes them: "1", ".5", "5.", "3.14e3", "8f". */
const weight = /\/\s*(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?[fd]?\s*\//iy;
const quoted = /"((?:\\.|[^"\\\n\r])*)"/y;
const tag = /\{((?:\\[^]|[^\\{}])*)\}/y;
const ruleName = /<([^<>\n\r]*)>/y;
/** A slash belongs to the word it stands in ("I/O"), unless a comment begins with it. */
const word = /(?:[^\s;=|*+<>()[\]{}"/]|\/(?![/*]))+/y;
const marks = ';=|*+()[]';

/** Whether a text is JSGF by its header, which comments may precede. */
export function isJsgf(source: string): boolean {
  return /^\uFEFF?(?:\s|\/\/[^\n\r]*|\/\*[^]*?\*\/)*#JSGF(?![\p{L}\p{N}])/iu.test(source);
}

/**
 * Cuts a text into tokens. Comments exist between tokens only: tags and quoted tokens are literal. Weights
 * are checked and left out. What is no token is noted as a fault, and reading goes on behind it.
 */
export class JsgfLexer {
  readonly faults: Fault[] = [];
  readonly warnings: Fault[] = [];
  private readonly lineStarts: number[] = [0];
  private readonly faultOffsets: number[] = [];
  private at = 0;

  constructor(private readonly source: string) {
    for (const { index, 0: end } of source.matchAll(lineEnd))
      this.lineStarts.push(index + end.length);
  }

  tokens(): JsgfToken[] {
    const all: JsgfToken[] = [];
    if (this.source.startsWith('\uFEFF')) this.at = 1;
    for (;;) {
      const token = this.next(all.length === 0);
      if (token === null) continue;
      all.push(token);
      if (token.kind === 'end') return all;
    }
  }

  place(offset: number): Place {
    let low = 0;
    let high = this.lineStarts.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((this.lineStarts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: offset - (this.lineStarts[low] ?? 0) + 1 };
  }

  slice(from: number, to: number): string {
    return this.source.slice(from, to);
  }

  fault(message: string, offset: number): void {
    this.faultOffsets.push(offset);
    this.faults.push({ ...this.place(offset), message });
  }

  /** Whether something there was told already. */
  faultWithin(from: number, to: number): boolean {
    return this.faultOffsets.some((offset) => offset >= from && offset < to);
  }

  warn(message: string, offset: number): void {
    this.warnings.push({ ...this.place(offset), message });
  }

  /** null for what is no token: space, a comment, a weight, a fault. */
  private next(first: boolean): JsgfToken | null {
    const from = this.at;
    const c = this.source[from];
    const token = (kind: JsgfToken['kind'], text: string): JsgfToken => ({
      kind,
      text,
      from,
      to: this.at,
    });
    if (c === undefined) return token('end', '');
    if (this.skip(space) !== null) return null;
    if (c === '/') return this.afterSlash(from);
    if (first && c === '#') {
      const found = this.skip(header);
      if (found !== null) return token('header', found[0]);
    }
    if (marks.includes(c)) {
      this.at++;
      return token('mark', c);
    }
    if (c === '"') return this.literal(quoted, 'quoted', from);
    if (c === '{') return this.literal(tag, 'tag', from);
    if (c === '<') return this.literal(ruleName, 'rule', from);
    const found = this.skip(word);
    if (found !== null) return token('word', found[0]);
    this.at++;
    this.fault(
      c === '}'
        ? `"}" closes nothing; inside a tag write "\\}"`
        : `"${c}" closes nothing; as text it stands in quotes`,
      from,
    );
    return null;
  }

  private literal(pattern: RegExp, kind: 'quoted' | 'tag' | 'rule', from: number) {
    const found = this.skip(pattern);
    const text = found?.[1] ?? '';
    if (found !== null)
      return {
        kind,
        text: kind === 'quoted' ? text.replace(/\\(.)/g, '$1') : text.trim(),
        from,
        to: this.at,
      };
    this.fault(unclosed[kind], from);
    // Behind a line that cannot be cut into tokens: one fault and not one for each word of it.
    if (kind === 'rule') this.at++;
    else this.skip(/[^\n\r]*/y);
    return null;
  }

  private afterSlash(from: number): null {
    const found = this.skip(comment);
    if (found !== null) {
      if (this.source[from - 1] === ':')
        this.warn(
          `"//" begins a comment: what follows on the line is not read; quotes keep it`,
          from,
        );
      return null;
    }
    if (this.skip(weight) !== null) return null;
    if (this.source.startsWith('/*', from)) {
      this.fault('the comment is never closed, expected "*/"', from);
      this.at = this.source.length;
      return null;
    }
    const [text = '/'] = this.skip(/\/[^\s;|()[\]{}<>"/]*\/?/y) ?? [];
    this.fault(`"${text}" is no weight, expected a number between slashes such as /3.5/`, from);
    return null;
  }

  private skip(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.source);
    if (found !== null) this.at = pattern.lastIndex;
    return found;
  }
}

const unclosed = {
  quoted: `'"' is never closed on its line`,
  tag: '"{" is never closed, or a tag begins inside it; inside a tag write "\\{" and "\\}"',
  rule: '"<" is never closed; as text it stands in quotes',
} as const;
