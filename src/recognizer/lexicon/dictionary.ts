/**
 * The dictionary as it lies in memory, front-coded. Entries stand in order of their letters. Each is a byte with the
 * number of symbols shared with the entry before, then the new symbols.
 *
 * A symbol is a graphone: a letter with the phones it gives ("c" as K). One sequence says how a word is written and how
 * it sounds. That takes half the room of letters and phones side by side, and needs no arithmetic to read.
 */

/** Symbols are below this. The other values of a byte say how many symbols are shared. */
export const symbolsMax = 224;
/** Most symbols that two entries can share. */
export const sharedMax = 255 - symbolsMax;
/** Every so many entries one begins anew, so that a search need not read all. */
export const blockEntries = 64;

const newline = 10;

export type DictionarySymbol = readonly [letter: string, phones: readonly number[]];

export interface DictionaryHeader {
  readonly symbols: readonly DictionarySymbol[];
  readonly entries: number;
}

/** What both formats of the file offer. */
export interface Dictionary {
  /** Pronunciations of a lower-case word, in the dictionary's order; none for a word it does not hold. */
  find(word: string): number[][];
  /** Every pronunciation, word after word. */
  all(): Iterable<number[]>;
}

export class PackedDictionary implements Dictionary {
  private constructor(
    private readonly letters: readonly string[],
    private readonly phones: readonly (readonly number[])[],
    private readonly body: Uint8Array,
    /** Where each block begins. */
    private readonly blocks: Int32Array,
  ) {}

  /** A line of JSON, then the entries. Throws when they are not what the line says, or name a phone beyond `units`. */
  static parse(bytes: Uint8Array, units = Infinity): PackedDictionary {
    const end = bytes.indexOf(newline);
    const header: unknown = JSON.parse(
      Buffer.from(bytes.subarray(0, Math.max(end, 0))).toString('utf8'),
    );
    const { symbols, entries } = (header ?? {}) as Partial<Record<keyof DictionaryHeader, unknown>>;
    if (!isSymbols(symbols)) throw new Error('the dictionary names no symbols');
    if (!symbols.every(([, phones]) => arePhones(phones, units)))
      throw new Error('the dictionary names phones that there are not');
    const body = bytes.subarray(end + 1);
    const blocks = blockStarts(body, symbols.length);
    if (blocks.entries !== entries)
      throw new Error(`the dictionary has ${blocks.entries} entries, not ${String(entries)}`);
    return new PackedDictionary(
      symbols.map(([letter]) => letter),
      symbols.map(([, phones]) => phones),
      body,
      Int32Array.from(blocks.starts),
    );
  }

  find(word: string): number[][] {
    const found: number[][] = [];
    // Variants may have begun in the block before one that starts with the word.
    const from = this.blocks[Math.max(0, this.firstBlockFrom(word) - 1)];
    const symbols: number[] = [];
    for (let at = from ?? this.body.length; at < this.body.length;) {
      at = this.next(at, symbols);
      const here = this.spelling(symbols);
      if (here > word) break;
      if (here === word) found.push(this.sound(symbols));
    }
    return found;
  }

  *all(): Generator<number[]> {
    const symbols: number[] = [];
    for (let at = 0; at < this.body.length;) {
      at = this.next(at, symbols);
      yield this.sound(symbols);
    }
  }

  /** Number of the first block whose first entry is the word or comes after it. */
  private firstBlockFrom(word: string): number {
    let low = 0;
    let high = this.blocks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const symbols: number[] = [];
      this.next(this.blocks[middle] ?? 0, symbols);
      if (this.spelling(symbols) < word) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Turns `symbols` of one entry into those of the next, which begins at `at`. Returns where it ends. */
  private next(at: number, symbols: number[]): number {
    symbols.length = Math.min(symbols.length, 255 - (this.body[at] ?? 255));
    let to = at + 1;
    for (; to < this.body.length; to++) {
      const byte = this.body[to] ?? 0;
      if (byte >= symbolsMax) break;
      symbols.push(byte);
    }
    return to;
  }

  private sound(symbols: readonly number[]): number[] {
    return symbols.flatMap((s) => this.phones[s] ?? []);
  }

  private spelling(symbols: readonly number[]): string {
    let word = '';
    for (const s of symbols) word += this.letters[s] ?? '';
    return word;
  }
}

/** Numbers of units, blank (0) not among them. */
export const arePhones = (phones: readonly unknown[], units: number): boolean =>
  phones.every((p) => Number.isInteger(p) && Number(p) >= 1 && Number(p) < units);

function isSymbols(value: unknown): value is DictionarySymbol[] {
  const isSymbol = (s: unknown) =>
    Array.isArray(s) && typeof s[0] === 'string' && Array.isArray(s[1]);
  return Array.isArray(value) && value.length <= symbolsMax && value.every(isSymbol);
}

function blockStarts(body: Uint8Array, symbols: number): { starts: number[]; entries: number } {
  const starts: number[] = [];
  let entries = 0;
  body.forEach((byte, at) => {
    if (byte < symbolsMax) {
      if (byte >= symbols || at === 0) throw new Error('the dictionary is damaged');
      return;
    }
    if (entries++ % blockEntries !== 0) return;
    if (byte !== 255) throw new Error('the dictionary is damaged: a block does not begin anew');
    starts.push(at);
  });
  return { starts, entries };
}
