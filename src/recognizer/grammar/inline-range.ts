/** Ranges of numbers as list values: what is said, and what is wrong with the bounds. */
import { decimalsMax, decimalsOf } from './number-range.js';
import { numberMax } from './numbers.js';
import { rangeList, type SpokenList } from './spoken-lists.js';
import type { InlineRange } from './template.js';
import type { ListValue } from './tree.js';

/** A list that is built: `like` is one of its values as it is written. */
export const spokenAs = (list: SpokenList, like: string): ListValue => ({
  spoken: { kind: 'phrases', build: list.build, like },
  read: list.read,
});

/** `{0..100:slot}` and `{10..100,10:slot}`, or what is wrong with it. */
export function inlineRange({ from, to, step }: InlineRange): ListValue[] | string {
  const wrong = faultOf(from, to, step);
  if (wrong !== undefined) return wrong;
  return [spokenAs(rangeList({ from, to, step, multiplier: 1, pairs: false, units: [] }), '7')];
}

/** What is wrong with the bounds of a range; undefined when nothing is. */
export function faultOf(from: number, to: number, step: number): string | undefined {
  if (Number.isNaN(from) || Number.isNaN(to)) return 'expected from and to';
  if (from > to) return `expected from <= to, got ${from} and ${to}`;
  if (!(step > 0)) return `step ${step}, expected a step above 0`;
  if (Math.max(Math.abs(from), Math.abs(to)) > numberMax)
    return `from ${from} to ${to}, expected numbers up to ${numberMax.toLocaleString('en')}; longer ones are digits`;
  if (Math.max(...[from, to, step].map(decimalsOf)) > decimalsMax)
    return `more than ${decimalsMax} digits after the point`;
  return undefined;
}
