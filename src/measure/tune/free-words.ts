/** How free words are weighed at a site, chosen by its own recordings. Pure. */
import { defaultWeights, type DictationWeights } from '../../recognizer/dictation/index.js';
import { pairedDifference } from '../evaluate/paired.js';
import type { Interval } from '../evaluate/statistics.js';
import {
  byPeople,
  peopleMin,
  wordErrorRate,
  type ClipWordErrors,
  type WordErrorRate,
} from '../evaluate/word-errors.js';

/** Fewer words tell no weights apart, however many people say them. */
export const wordsMin = 300;
export { peopleMin };

/** All recordings, searched with the same weights. */
export interface Weighed {
  readonly weights: DictationWeights;
  readonly clips: readonly ClipWordErrors[];
}

export interface ChosenWeights {
  readonly before: Weighed & { readonly rate: WordErrorRate };
  /** What all people together choose. */
  readonly best: DictationWeights;
  /** Each person by the weights that the others chose: what a stranger may expect of `best`. */
  readonly heldOut: WordErrorRate;
  /** `heldOut` less `before`, paired by people. */
  readonly difference: Interval;
  /** Whether fewer errors are shown: all of a wider interval is below 0. */
  readonly better: boolean;
  /** What each fold chose. */
  readonly folds: readonly DictationWeights[];
}

/**
 * The folds have most people in common, so they choose alike, and held-out errors vary by more than a bootstrap over people
 * knows: at 95 % one site in nine would take weights that are better by chance alone.
 */
const taken = 0.995;
const foldsMax = 10;
const languages = [0.5, 0.7, 0.9, 1.1, 1.4, 1.8];
const words = [-4, -2, 0, 2];

/** Steps of the grid. */
const fromDefault = ({ language, word }: DictationWeights) =>
  Math.abs(Math.log(language / defaultWeights.language)) / Math.log(1.25) +
  Math.abs(word - defaultWeights.word) / 2;

/**
 * What is tried: what is set now, then a grid from the defaults outwards. Of those that are equally good the first is taken: what
 * is set stays where nothing is better.
 */
export function weightsToTry(now: DictationWeights): DictationWeights[] {
  const grid = languages
    .flatMap((language) => words.map((word) => ({ language, word })))
    .sort((a, b) => fromDefault(a) - fromDefault(b));
  const others = grid.filter(
    ({ language, word }) => language !== now.language || word !== now.word,
  );
  return [now, ...others];
}

const wrong = ({ substituted, left, added }: ClipWordErrors) => substituted + left + added;

/** The place of that with the fewest errors; of equals the first. */
function leastErrors(tried: readonly Weighed[], counts: (clip: ClipWordErrors) => boolean): number {
  const errors = tried.map(({ clips }) =>
    clips.reduce((sum, clip) => sum + (counts(clip) ? wrong(clip) : 0), 0),
  );
  return errors.indexOf(Math.min(...errors));
}

/** The people, a fold each or several together. */
export function foldsOf(speakers: Iterable<string>): ReadonlyMap<string, number> {
  const people = [...new Set(speakers)].sort();
  const count = Math.min(foldsMax, people.length);
  return new Map(people.map((person, i) => [person, i % count]));
}

/** `tried`: first what is set now; each with the same recordings in the same order. */
export function chooseWeights(tried: readonly Weighed[]): ChosenWeights {
  const [before] = tried;
  if (before === undefined) throw new Error('nothing was tried');
  const folds = foldsOf(before.clips.map((c) => c.speaker));
  const count = Math.max(0, ...folds.values()) + 1;
  const chosen = Array.from({ length: count }, (_, fold) =>
    leastErrors(tried, ({ speaker }) => folds.get(speaker) !== fold),
  );
  const heldOut = before.clips.map(({ speaker }, i) => {
    const clip = tried[chosen[folds.get(speaker) ?? 0] ?? 0]?.clips[i];
    if (clip === undefined) throw new Error('the weights were tried on different recordings');
    return clip;
  });
  const both = [byPeople(before.clips), byPeople(heldOut)] as const;
  const difference = pairedDifference(...both);
  const of = (at: number) => tried[at]?.weights ?? before.weights;
  return {
    before: { ...before, rate: wordErrorRate(before.clips) },
    best: of(leastErrors(tried, () => true)),
    heldOut: wordErrorRate(heldOut),
    difference,
    better: pairedDifference(...both, { coverage: taken }).high < 0,
    folds: chosen.map(of),
  };
}

/** What was said between two pauses: how sure it is to be speech, and of how many words. */
export interface Segment {
  readonly speaker: string;
  readonly confidence: number;
  readonly words: number;
}

export interface ChosenFloor {
  readonly floor: number;
  /** Share of the words that are above: each person's at the floor that the others chose. */
  readonly kept: number;
}

const tenths = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map((n) => n / 10);

/** Share of the words in segments that are not refused. */
export function keptAt(segments: readonly Segment[], floor: number): number {
  const sum = (all: readonly Segment[]) => all.reduce((n, s) => n + s.words, 0);
  return sum(segments.filter((s) => s.confidence >= floor)) / sum(segments);
}

/** The highest tenth that refuses at most so few of the words. */
const keptMin = 0.975;
const highest = (segments: readonly Segment[]) =>
  tenths.findLast((floor) => keptAt(segments, floor) >= keptMin) ?? 0;

export function chooseFloor(segments: readonly Segment[]): ChosenFloor {
  const folds = foldsOf(segments.map((s) => s.speaker));
  const others = (fold: number) => segments.filter((s) => folds.get(s.speaker) !== fold);
  const floors = new Map([...new Set(folds.values())].map((f) => [f, highest(others(f))]));
  const floorOf = ({ speaker }: Segment) => floors.get(folds.get(speaker) ?? 0) ?? 0;
  const above = segments.filter((s) => s.confidence >= floorOf(s));
  const sum = (all: readonly Segment[]) => all.reduce((n, s) => n + s.words, 0);
  return { floor: highest(segments), kept: sum(above) / sum(segments) };
}
