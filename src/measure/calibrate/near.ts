import { isVowel, type Lexicon } from '../../recognizer/index.js';

/** Phones that ears and networks take for each other. */
const classes = [
  'P B',
  'T D',
  'K G',
  'S Z SH ZH',
  'F V TH DH',
  'M N NG',
  'L R W Y',
  'CH JH',
  'HH',
  'IY IH EY',
  'EH AE AH',
  'AA AO AW OW',
  'UW UH',
  'AY OY',
  'ER',
].map((line) => line.split(' '));
const [likeCost, kindCost, otherCost, gapCost] = [0.5, 0.8, 1.2, 0.9];

function substitution(a: string, b: string): number {
  if (a === b) return 0;
  if (classes.some((c) => c.includes(a) && c.includes(b))) return likeCost;
  return isVowel(a) === isVowel(b) ? kindCost : otherCost;
}

/** How far two pronunciations are: edits, where similar phones cost less. */
export function soundDistance(
  a: readonly number[],
  b: readonly number[],
  units: readonly string[],
): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j * gapCost);
  for (let i = 1; i <= a.length; i++) {
    const next = [i * gapCost];
    for (let j = 1; j <= b.length; j++) {
      const cost = substitution(units[a[i - 1] ?? 0] ?? '', units[b[j - 1] ?? 0] ?? '');
      next.push(
        Math.min((row[j - 1] ?? 0) + cost, (row[j] ?? 0) + gapCost, (next[j - 1] ?? 0) + gapCost),
      );
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

/** Words of a vocabulary that sound nearly like a given one. */
export class NearWords {
  private readonly phones: ReadonlyMap<string, readonly (readonly number[])[]>;
  private readonly known = new Map<string, readonly string[]>();

  constructor(
    vocabulary: readonly string[],
    private readonly lexicon: Lexicon,
  ) {
    this.phones = new Map(
      vocabulary.map((word) => [word, lexicon.lookup(word).map((p) => p.phones)]),
    );
  }

  /** The nearest words, at most `distance` away; never one that sounds the same. */
  of(word: string, distance = 1, limit = 5): readonly string[] {
    const kept = this.known.get(word);
    if (kept !== undefined) return kept;
    const own = this.lexicon.lookup(word).map((p) => p.phones);
    const far = (others: readonly (readonly number[])[]) =>
      Math.min(...own.flatMap((a) => others.map((b) => soundDistance(a, b, this.lexicon.units))));
    const near = [...this.phones]
      .map(([other, phones]) => ({ other, d: far(phones) }))
      .filter(({ d }) => d > 0 && d <= distance)
      .sort((a, b) => a.d - b.d)
      .slice(0, limit)
      .map(({ other }) => other);
    this.known.set(word, near);
    return near;
  }
}

/** A word that does not exist, one similar phone away from a real one. */
export function mutated(
  phones: readonly number[],
  units: readonly string[],
  random: () => number,
): number[] {
  const at = Math.floor(random() * phones.length);
  const name = units[phones[at] ?? 0] ?? '';
  const alike = classes.find((c) => c.includes(name))?.filter((p) => p !== name) ?? [];
  const sameKind = units.filter((u, i) => i > 0 && u !== name && isVowel(u) === isVowel(name));
  const choice = alike.length > 0 && random() < 0.7 ? alike : sameKind;
  const other = units.indexOf(choice[Math.floor(random() * choice.length)] ?? name);
  return phones.map((p, i) => (i === at ? other : p));
}
