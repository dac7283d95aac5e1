/**
 * Letters to phones for words that no dictionary holds. Each letter gives no, one or two phones,
 * chosen by the longest context of neighbouring letters that training saw often enough (back-off).
 * The table is learnt from the dictionary by train-g2p.ts when a bundle is packed.
 */

/** Neighbours to the left and right of a letter, from the most to the least specific context. */
export const contexts: readonly (readonly [number, number])[] = [
  [4, 4],
  [3, 3],
  [2, 3],
  [3, 2],
  [2, 2],
  [1, 2],
  [2, 1],
  [1, 1],
  [0, 1],
  [1, 0],
  [0, 0],
];

/** The key of a letter's context: level, left neighbours, letter, right neighbours. '#' is the word's edge. */
export function contextKey(padded: string, at: number, level: number): string {
  const [left, right] = contexts[level] ?? [0, 0];
  return `${String.fromCharCode(65 + level)}${padded.slice(at - left, at + right + 1)}`;
}

export const padding = '####';

export class G2p {
  private constructor(private readonly table: ReadonlyMap<string, readonly number[]>) {}

  /** Lines `context TAB phones`, phones as characters with code 64 + unit. */
  static parse(source: string): G2p {
    const table = new Map<string, readonly number[]>();
    for (const line of source.split('\n')) {
      const at = line.indexOf('\t');
      if (at < 0) continue;
      table.set(
        line.slice(0, at),
        [...line.slice(at + 1)].map((c) => c.charCodeAt(0) - 64),
      );
    }
    return new G2p(table);
  }

  /** Unit ids of a lower-case word; characters that are no letters are silent. */
  pronounce(word: string): number[] {
    const padded = padding + word.replace(/[^a-z]/g, '') + padding;
    const phones: number[] = [];
    for (let at = padding.length; at < padded.length - padding.length; at++) {
      for (let level = 0; level < contexts.length; level++) {
        const found = this.table.get(contextKey(padded, at, level));
        if (found === undefined) continue;
        phones.push(...found);
        break;
      }
    }
    return phones;
  }
}
