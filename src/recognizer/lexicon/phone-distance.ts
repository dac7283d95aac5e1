/**
 * How easily one phone is taken for another, from 0 (the same) to 1 (not at all).
 *
 * Vowels: the distance of their first two formants in Bark, at the beginning and the end of the vowel,
 * with the men's means of Hillenbrand, Getty, Clark and Wheeler (J. Acoust. Soc. Am. 97, 1995) and
 * Traunmüller's Bark formula (J. Acoust. Soc. Am. 88, 1990). Consonants: the features of Miller and
 * Nicely (J. Acoust. Soc. Am. 27, 1955), who found that voicing and nasality survive noise best and
 * place of articulation worst; the weights follow that order, their values are chosen here.
 */

type Formants = readonly [number, number];

const monophthongs: Readonly<Record<string, Formants>> = {
  IY: [342, 2322],
  IH: [427, 2034],
  EY: [476, 2089],
  EH: [580, 1799],
  AE: [588, 1952],
  AA: [768, 1333],
  AO: [652, 997],
  OW: [497, 910],
  UH: [469, 1122],
  UW: [378, 997],
  AH: [623, 1200],
  ER: [474, 1379],
};

const diphthongs: Readonly<Record<string, readonly [string, string]>> = {
  AY: ['AA', 'IH'],
  AW: ['AA', 'UH'],
  OY: ['AO', 'IH'],
};

interface Consonant {
  /** 0 at the lips, 1 at the glottis. */
  readonly place: number;
  /** From stop (0) to glide (1). */
  readonly openness: number;
  readonly voiced: boolean;
  readonly nasal?: true;
  readonly lateral?: true;
}

const consonants: Readonly<Record<string, Consonant>> = {
  P: { place: 0, openness: 0, voiced: false },
  B: { place: 0, openness: 0, voiced: true },
  T: { place: 0.4, openness: 0, voiced: false },
  D: { place: 0.4, openness: 0, voiced: true },
  K: { place: 0.8, openness: 0, voiced: false },
  G: { place: 0.8, openness: 0, voiced: true },
  CH: { place: 0.55, openness: 0.3, voiced: false },
  JH: { place: 0.55, openness: 0.3, voiced: true },
  F: { place: 0.1, openness: 0.5, voiced: false },
  V: { place: 0.1, openness: 0.5, voiced: true },
  TH: { place: 0.2, openness: 0.5, voiced: false },
  DH: { place: 0.2, openness: 0.5, voiced: true },
  S: { place: 0.4, openness: 0.5, voiced: false },
  Z: { place: 0.4, openness: 0.5, voiced: true },
  SH: { place: 0.55, openness: 0.5, voiced: false },
  ZH: { place: 0.55, openness: 0.5, voiced: true },
  HH: { place: 1, openness: 0.5, voiced: false },
  M: { place: 0, openness: 0.8, voiced: true, nasal: true },
  N: { place: 0.4, openness: 0.8, voiced: true, nasal: true },
  NG: { place: 0.8, openness: 0.8, voiced: true, nasal: true },
  L: { place: 0.4, openness: 0.9, voiced: true, lateral: true },
  R: { place: 0.5, openness: 0.9, voiced: true },
  W: { place: 0.2, openness: 1, voiced: true },
  Y: { place: 0.65, openness: 1, voiced: true },
};

/** Formants this far apart, in Bark, are not confused. */
const barkMax = 5;
/** What any two different consonants cost, and what each feature adds. */
const weights = {
  different: 0.1,
  voicing: 0.35,
  nasality: 0.35,
  openness: 0.6,
  place: 0.3,
  lateral: 0.2,
};
/** A glide beside the vowel it glides from. */
const glides: readonly (readonly [string, string, number])[] = [
  ['Y', 'IY', 0.4],
  ['Y', 'IH', 0.5],
  ['W', 'UW', 0.4],
  ['W', 'UH', 0.5],
  ['R', 'ER', 0.3],
];

/** A phone that is there or not: weak ones are missed first. */
const missing: readonly (readonly [string, number])[] = [
  ['AH IH', 0.6],
  ['P B T D K G', 0.45],
  ['F V TH DH HH', 0.6],
  ['M N NG L R W Y', 0.6],
  ['S Z SH ZH CH JH', 0.8],
];
const missingOtherwise = 0.8;

const bark = (hz: number) => (26.81 * hz) / (1960 + hz) - 0.53;

function targets(vowel: string): readonly [Formants, Formants] | undefined {
  const [from, to] = diphthongs[vowel] ?? [vowel, vowel];
  const [a, b] = [monophthongs[from], monophthongs[to]];
  return a === undefined || b === undefined ? undefined : [a, b];
}

/** Whether a phone is a vowel. */
export const isVowel = (phone: string): boolean => targets(phone) !== undefined;

const apart = (a: Formants, b: Formants) =>
  Math.hypot(bark(a[0]) - bark(b[0]), bark(a[1]) - bark(b[1]));

export function substitutionCost(a: string, b: string): number {
  if (a === b) return 0;
  const [vowelA, vowelB] = [targets(a), targets(b)];
  if (vowelA !== undefined && vowelB !== undefined) {
    const mean = (apart(vowelA[0], vowelB[0]) + apart(vowelA[1], vowelB[1])) / 2;
    return Math.min(1, mean / barkMax);
  }
  const [p, q] = [consonants[a], consonants[b]];
  if (p === undefined || q === undefined) {
    return glides.find(([g, v]) => (g === a && v === b) || (g === b && v === a))?.[2] ?? 1;
  }
  return Math.min(
    1,
    weights.different +
      (p.voiced === q.voiced ? 0 : weights.voicing) +
      (p.nasal === q.nasal ? 0 : weights.nasality) +
      (p.lateral === q.lateral ? 0 : weights.lateral) +
      weights.openness * Math.abs(p.openness - q.openness) +
      weights.place * Math.abs(p.place - q.place),
  );
}

export function missingCost(phone: string): number {
  return missing.find(([phones]) => phones.split(' ').includes(phone))?.[1] ?? missingOtherwise;
}

/** The same as tables over unit ids; blank costs nothing anywhere and is never asked for. */
export interface PhoneCosts {
  readonly units: number;
  /** Row-major [units, units]. */
  readonly substitution: Float64Array;
  readonly missing: Float64Array;
}

export function phoneCosts(units: readonly string[]): PhoneCosts {
  const substitution = new Float64Array(units.length ** 2);
  units.forEach((a, i) =>
    units.forEach((b, j) => {
      substitution[i * units.length + j] = i === 0 || j === 0 ? 0 : substitutionCost(a, b);
    }),
  );
  return { units: units.length, substitution, missing: Float64Array.from(units, missingCost) };
}

/** The cheapest way to make one sequence of phones out of another (weighted Levenshtein). */
export function phoneDistance(
  a: readonly number[],
  b: readonly number[],
  costs: PhoneCosts,
): number {
  let row = [0];
  for (const phone of b) row.push((row.at(-1) ?? 0) + (costs.missing[phone] ?? 0));
  for (const phone of a) {
    const next = [(row[0] ?? 0) + (costs.missing[phone] ?? 0)];
    b.forEach((other, j) => {
      next.push(
        Math.min(
          (row[j] ?? 0) + (costs.substitution[phone * costs.units + other] ?? 0),
          (row[j + 1] ?? 0) + (costs.missing[phone] ?? 0),
          (next[j] ?? 0) + (costs.missing[other] ?? 0),
        ),
      );
    });
    row = next;
  }
  return row[b.length] ?? 0;
}
