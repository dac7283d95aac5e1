import type { SlotType, SlotValue } from '../../records.js';
import { chain, phraseSet, type Automaton, type Build } from './automaton.js';
import { buildRange, type RangeSpec } from './number-range.js';
import {
  namedFractions,
  ones,
  readDigits,
  readNumber,
  repeatNames,
  spokenOrdinal,
} from './numbers.js';
import { spokenTimes, type TimeSpec } from './times.js';
import type { SlotReader } from './tree.js';

/** A list whose values are not written out: an automaton of phrases, and what the words of one mean. */
export interface SpokenList {
  readonly build: Build;
  readonly read: SlotReader;
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

/** Whole ranges of four digits are said in pairs too: they are years, or numbers of parts. */
const inPairs = ({ from, to, step }: RangeSpec) =>
  from >= 1000 && to <= 9999 && [from, step].every(Number.isInteger);

/** Numbers from a range, as numbers. */
export function rangeList(spec: RangeListSpec): SpokenList {
  const units = spec.units.flatMap(({ ways, worth }) =>
    ways.map((way) => ({ words: way.split(' '), worth })),
  );
  const article = Math.max(Math.abs(spec.from), Math.abs(spec.to)) < articleBelow;
  const style = { ...spec, article, pairs: spec.pairs === true || inPairs(spec) };
  return {
    build(a, from) {
      const number = buildRange(a, from, style);
      if (units.length === 0) return number;
      const end = a.state();
      for (const { words } of units) chain(a, number, end, words);
      buildParts(a, from, end, spec);
      return end;
    },
    read: {
      gives: 'number',
      of(words) {
        const unit = units
          .filter((u) => u.words.every((w, i) => words.at(i - u.words.length) === w))
          .sort((a, b) => b.words.length - a.words.length)[0];
        const number = words.slice(0, words.length - (unit?.words.length ?? 0));
        const value = partOf(number) ?? readNumber(number);
        if (value === undefined) throw new Error(`"${words.join(' ')}" is no number`);
        return rounded(value * spec.multiplier * (unit?.worth ?? 1));
      },
    },
  };
}

/** Parts of one of a unit, as they stand before it: "half a liter", "three quarters of an hour". */
const unitParts: readonly (readonly [number, string])[] = [
  [0.5, 'half a'],
  [0.5, 'half an'],
  [0.25, 'a quarter of a'],
  [0.25, 'a quarter of an'],
  [0.25, 'quarter of a'],
  [0.25, 'quarter of an'],
  [0.75, 'three quarters of a'],
  [0.75, 'three quarters of an'],
];

const partOf = (words: readonly string[]) =>
  unitParts.find(([, way]) => way === words.join(' '))?.[0];

/** The sound that "an" stands before: "half an hour". */
const afterAn = /^([aeio]|u(?!ni)|hour)/;

/**
 * Halves and quarters of a unit, where what comes out is one of the steps: half a liter is 500 ml. With a range of
 * whole numbers "one and a half liters" too.
 */
function buildParts(a: Automaton, from: number, end: number, spec: RangeListSpec): void {
  const stepWorth = spec.step * Math.min(...spec.units.map(({ worth }) => worth));
  const whole = [spec.from, spec.to, spec.step].every(Number.isInteger);
  for (const { ways, worth } of spec.units) {
    // The singular is the last way.
    const one = (ways.at(-1) ?? '').split(' ');
    const fits = (part: number) => {
      const steps = (part * worth) / stepWorth;
      return part >= spec.from && part <= spec.to && Math.abs(steps - Math.round(steps)) < 1e-9;
    };
    for (const [part, way] of unitParts)
      if (fits(part) && way.endsWith(' an') === afterAn.test(one[0] ?? ''))
        chain(a, from, end, [...way.split(' '), ...one]);
    if (!whole || spec.to < 2) continue;
    const numbers = {
      from: Math.max(1, spec.from),
      to: spec.to - 1,
      step: spec.step,
      article: false,
    };
    for (const { digits, after } of namedFractions) {
      if (!fits(Number(`0.${digits}`))) continue;
      const and = a.state();
      chain(a, buildRange(a, from, numbers), and, ['and', ...after.split(' ')]);
      for (const words of ways) chain(a, and, end, words.split(' '));
    }
  }
}

/** Codes of some digits, said one by one or as "double five", as text: leading zeros count. */
export function digitList(min: number, max: number): SpokenList {
  return {
    build(a, from) {
      const end = a.state();
      const states = [from, ...Array.from({ length: max }, () => a.state())];
      const digit = (before: number, after: number) => {
        for (const name of [...ones.slice(0, 10), 'oh']) a.edge(before, after, name);
      };
      states.forEach((state, i) => {
        if (i >= min) a.edge(state, end);
        // "double oh seven", "triple five"
        repeatNames.forEach((name, more) => {
          const after = states[i + more + 1];
          if (after === undefined) return;
          const before = name === '' ? state : a.state();
          if (name !== '') a.edge(state, before, name);
          digit(before, after);
        });
      });
      return end;
    },
    read: { gives: 'string', of: (words) => readDigits(words) ?? words.join(' ') },
  };
}

/** "first", "twenty second": as numbers. */
export function ordinalList(from: number, to: number): SpokenList {
  const meaning = new Map<string, number>();
  for (let n = from; n <= to; n++) for (const way of spokenOrdinal(n)) meaning.set(way, n);
  return fromPhrases(meaning, 'number');
}

/** Times of day as "HH:MM". */
export function timeList(spec: TimeSpec): SpokenList {
  const list = fromPhrases(spokenTimes(spec), 'string');
  return {
    ...list,
    build(a, from) {
      for (const half of ['am', 'pm']) a.spelled(half);
      return list.build(a, from);
    },
  };
}

function fromPhrases(meaning: ReadonlyMap<string, SlotValue>, gives: SlotType): SpokenList {
  const build = phraseSet([...meaning.keys()].map((phrase) => phrase.split(' ')));
  return {
    build,
    read: { gives, of: (words) => meaning.get(words.join(' ')) ?? words.join(' ') },
  };
}
