import { bootstrapRatio, type Interval } from './statistics.js';

/** Word errors of free speech: what dictation made of a sentence against what was said. Pure. */
export interface WordErrors {
  readonly substituted: number;
  readonly left: number;
  readonly added: number;
  /** Words of the reference. */
  readonly length: number;
}

/** Substitutions, words left out and words added of the cheapest alignment. */
export function wordErrors(guess: readonly string[], reference: readonly string[]): WordErrors {
  type Cell = readonly [cost: number, substituted: number, left: number, added: number];
  let row: Cell[] = guess.map((_, j): Cell => [j + 1, 0, 0, j + 1]);
  row.unshift([0, 0, 0, 0]);
  for (const word of reference) {
    const first = row[0] ?? [0, 0, 0, 0];
    const next: Cell[] = [[first[0] + 1, first[1], first[2] + 1, first[3]]];
    guess.forEach((other, j) => {
      const [diagonal, above, beside] = [row[j], row[j + 1], next[j]];
      if (diagonal === undefined || above === undefined || beside === undefined) return;
      const same = word === other ? 0 : 1;
      const ways: Cell[] = [
        [diagonal[0] + same, diagonal[1] + same, diagonal[2], diagonal[3]],
        [above[0] + 1, above[1], above[2] + 1, above[3]],
        [beside[0] + 1, beside[1], beside[2], beside[3] + 1],
      ];
      next.push(ways.reduce((a, b) => (b[0] < a[0] ? b : a)));
    });
    row = next;
  }
  const [, substituted, left, added] = row[guess.length] ?? [0, 0, 0, 0];
  return { substituted, left, added, length: reference.length };
}

/** The words of a text as dictation writes them: small letters, without the signs around a word. */
export function wordsOfText(text: string): string[] {
  return text
    .toLowerCase()
    .split(/\s+/)
    .map((word) => word.replace(/^[^\p{L}\p{N}']+|[^\p{L}\p{N}']+$/gu, ''))
    .filter((word) => word !== '');
}

/** Of one recording, and who speaks there; '' where nobody says. */
export interface ClipWordErrors extends WordErrors {
  readonly file: string;
  readonly speaker: string;
}

/** What a recording, or all of a person's, add to a rate. */
export interface WordPart {
  /** The recording, or the person. */
  readonly file: string;
  readonly errors: number;
  readonly of: number;
}

/** Drawn from fewer people, an interval would be narrower than it is: two have hardly another mean than one of them. */
export const peopleMin = 5;

/** For intervals over people: each person's recordings together; one by one where fewer than `peopleMin` are named. */
export function byPeople(clips: readonly ClipWordErrors[]): WordPart[] {
  const few = peopleIn(clips) < peopleMin;
  const parts = new Map<string, WordPart>();
  for (const { file, speaker, length, ...kinds } of clips) {
    const name = few || speaker === '' ? `file ${file}` : `person ${speaker}`;
    const { errors = 0, of = 0 } = parts.get(name) ?? {};
    parts.set(name, { file: name, errors: errors + wrongWords(kinds), of: of + length });
  }
  return [...parts.values()];
}

const peopleIn = (clips: readonly ClipWordErrors[]): number =>
  new Set(clips.map((c) => c.speaker).filter((s) => s !== '')).size;

const wrongWords = ({ substituted, left, added }: Omit<WordErrors, 'length'>) =>
  substituted + left + added;

export interface WordErrorRate extends WordErrors {
  /** With a 95 % interval: bootstrap over people, or over recordings where there are few. */
  readonly rate: Interval;
  readonly people: number;
}

export function wordErrorRate(
  clips: readonly ClipWordErrors[],
  { resamples = 2000, seed = 1 } = {},
): WordErrorRate {
  const parts = byPeople(clips);
  const sum = (pick: (c: ClipWordErrors) => number) => clips.reduce((n, c) => n + pick(c), 0);
  return {
    rate: bootstrapRatio(
      parts.map((p) => p.errors),
      parts.map((p) => p.of),
      { resamples, seed },
    ),
    substituted: sum((c) => c.substituted),
    left: sum((c) => c.left),
    added: sum((c) => c.added),
    length: sum((c) => c.length),
    people: peopleIn(clips),
  };
}

/** "43.9 % (35.6 to 53.1): 300 substituted, 20 left out, 27 added of 790 words". */
export function wordErrorsInWords({ rate, ...sum }: WordErrorRate): string {
  const percent = (share: number) => (100 * share).toFixed(1);
  return `${percent(rate.value)} % (${percent(rate.low)} to ${percent(rate.high)}): ${sum.substituted} substituted, ${sum.left} left out, ${sum.added} added of ${sum.length} words`;
}
