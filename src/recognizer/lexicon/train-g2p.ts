import { contextKey, contexts, padding } from './g2p.js';

/**
 * Learns the letter-to-sound table: expectation-maximisation (Viterbi form) aligns each letter with
 * no, one or two phones; then each context keeps its most frequent answer, where it differs from
 * what the next shorter context would say.
 */
export function trainG2p(
  entries: readonly (readonly [string, readonly number[]])[],
  minCount = 2,
): string {
  const words = entries.filter(
    ([word, phones]) => /^[a-z]+$/.test(word) && phones.length <= 2 * word.length,
  );
  let cost = new Map<string, number>();
  let alignments: string[][] = [];
  for (let round = 0; round < 4; round++) {
    alignments = words.map(([word, phones]) => align(word, phones, cost));
    cost = costs(words, alignments);
  }
  return table(words, alignments, minCount);
}

const code = (phones: readonly number[]) => phones.map((p) => String.fromCharCode(64 + p)).join('');

/** Best split of the phones over the letters; unknown pairs cost by how even the split is. */
function align(
  word: string,
  phones: readonly number[],
  cost: ReadonlyMap<string, number>,
): string[] {
  const n = word.length;
  const m = phones.length;
  const best = Array.from({ length: n + 1 }, () => new Float64Array(m + 1).fill(Infinity));
  const took = Array.from({ length: n + 1 }, () => new Int8Array(m + 1));
  (best[0] as Float64Array)[0] = 0;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= m; j++) {
      const here = best[i]?.[j] ?? Infinity;
      if (here === Infinity) continue;
      for (let take = 0; take <= 2 && j + take <= m; take++) {
        const piece = code(phones.slice(j, j + take));
        const unknown = 12 + Math.abs(i / n - j / m) * 4 + (take === 1 ? 0 : 2);
        const total = here + (cost.get(`${word[i] ?? ''}${piece}`) ?? unknown);
        const row = best[i + 1];
        if (row !== undefined && total < (row[j + take] ?? Infinity)) {
          row[j + take] = total;
          (took[i + 1] as Int8Array)[j + take] = take;
        }
      }
    }
  }
  const pieces: string[] = [];
  for (let i = n, j = m; i > 0; i--) {
    const take = took[i]?.[j] ?? 0;
    pieces.unshift(code(phones.slice(j - take, j)));
    j -= take;
  }
  return pieces;
}

/** Negative log of p(piece | letter). */
function costs(
  words: readonly (readonly [string, readonly number[]])[],
  alignments: readonly string[][],
): Map<string, number> {
  const pairs = new Map<string, number>();
  const letters = new Map<string, number>();
  words.forEach(([word], w) => {
    alignments[w]?.forEach((piece, i) => {
      const letter = word[i] ?? '';
      pairs.set(letter + piece, (pairs.get(letter + piece) ?? 0) + 1);
      letters.set(letter, (letters.get(letter) ?? 0) + 1);
    });
  });
  return new Map(
    [...pairs].map(([pair, count]) => [pair, Math.log((letters.get(pair[0] ?? '') ?? 1) / count)]),
  );
}

function table(
  words: readonly (readonly [string, readonly number[]])[],
  alignments: readonly string[][],
  minCount: number,
): string {
  const lines: string[] = [];
  const chosen = new Map<string, string>();
  for (let level = contexts.length - 1; level >= 0; level--) {
    const counts = new Map<string, Map<string, number>>();
    const shorter = new Map<string, string>();
    words.forEach(([word], w) => {
      const padded = padding + word + padding;
      alignments[w]?.forEach((piece, i) => {
        const key = contextKey(padded, padding.length + i, level);
        const byPiece = counts.get(key) ?? new Map<string, number>();
        byPiece.set(piece, (byPiece.get(piece) ?? 0) + 1);
        counts.set(key, byPiece);
        if (!shorter.has(key)) {
          for (let next = level + 1; next < contexts.length; next++) {
            const known = chosen.get(contextKey(padded, padding.length + i, next));
            if (known === undefined) continue;
            shorter.set(key, known);
            break;
          }
        }
      });
    });
    for (const [key, byPiece] of counts) {
      const [piece, count] = [...byPiece].sort(
        (a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1),
      )[0] ?? ['', 0];
      if (level < contexts.length - 1 && (count < minCount || shorter.get(key) === piece)) continue;
      chosen.set(key, piece);
      lines.push(`${key}\t${piece}`);
    }
  }
  return lines.join('\n');
}
