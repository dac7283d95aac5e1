import type { SlotValue } from '../../records.js';
import { chain, phraseSet, type Build } from './automaton.js';
import { buildRange, type RangeSpec } from './number-range.js';
import { ones, readDigits, readNumber, spokenOrdinal } from './numbers.js';
import { spokenTimes, type TimeSpec } from './times.js';

/** A list whose values are not written out: an automaton of phrases, and what the words of one mean. */
export interface SpokenList {
  readonly build: Build;
  readonly read: (words: readonly string[]) => SlotValue;
}

/** A unit after a number: the ways to say it, and what one of it is worth. */
export interface RangeUnit {
  readonly ways: readonly string[];
  readonly worth: number;
}

export interface RangeListSpec extends RangeSpec {
  readonly multiplier: number;
  /** One of them must be said after the number; none: the number stands alone. */
  readonly units: readonly RangeUnit[];
}

/** Products of decimals are rounded to this many places, so that 7 * 0.1 is 0.7. */
const places = 9;

/**
 * "a hundred" is one stop away from "eight hundred": where both could be meant, only "one hundred" is
 * understood.
 */
export const articleBelow = 800;

const rounded = (value: number) => Number(value.toFixed(places));

/** Numbers from a range, as numbers. */
export function rangeList(spec: RangeListSpec): SpokenList {
  const units = spec.units.flatMap(({ ways, worth }) =>
    ways.map((way) => ({ words: way.split(' '), worth })),
  );
  return {
    build(a, from) {
      const article = Math.max(Math.abs(spec.from), Math.abs(spec.to)) < articleBelow;
      const number = buildRange(a, from, { ...spec, article });
      if (units.length === 0) return number;
      const end = a.state();
      for (const { words } of units) chain(a, number, end, words);
      return end;
    },
    read(words) {
      const unit = units
        .filter((u) => u.words.every((w, i) => words.at(i - u.words.length) === w))
        .sort((a, b) => b.words.length - a.words.length)[0];
      const value = readNumber(words.slice(0, words.length - (unit?.words.length ?? 0)));
      if (value === undefined) throw new Error(`"${words.join(' ')}" is no number`);
      return rounded(value * spec.multiplier * (unit?.worth ?? 1));
    },
  };
}

/** Codes of some digits, said one by one, as text: leading zeros count. */
export function digitList(min: number, max: number): SpokenList {
  return {
    build(a, from) {
      const end = a.state();
      let at = from;
      for (let i = 1; i <= max; i++) {
        const next = a.state();
        ones.slice(0, 10).forEach((digit) => a.edge(at, next, digit));
        a.edge(at, next, 'oh');
        if (i >= min) a.edge(next, end);
        at = next;
      }
      return end;
    },
    read: (words) => readDigits(words) ?? words.join(' '),
  };
}

/** "first", "twenty second": as numbers. */
export function ordinalList(from: number, to: number): SpokenList {
  const meaning = new Map<string, number>();
  for (let n = from; n <= to; n++) for (const way of spokenOrdinal(n)) meaning.set(way, n);
  return fromPhrases(meaning);
}

/** Times of day as "HH:MM". */
export function timeList(spec: TimeSpec): SpokenList {
  const list = fromPhrases(spokenTimes(spec));
  return {
    ...list,
    build(a, from) {
      for (const half of ['am', 'pm']) a.spelled(half);
      return list.build(a, from);
    },
  };
}

function fromPhrases(meaning: ReadonlyMap<string, SlotValue>): SpokenList {
  const build = phraseSet([...meaning.keys()].map((phrase) => phrase.split(' ')));
  return { build, read: (words) => meaning.get(words.join(' ')) ?? words.join(' ') };
}
