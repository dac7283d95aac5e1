import {
  numberMax,
  ones,
  pairWays,
  spokenDigits,
  spokenNumber,
  spokenOrdinal,
  spokenRepeats,
} from './numbers.js';
import { fractionSlash, invisiblePlus } from './written-text.js';

/** A number as it is written in digits, whatever separates them. */
export interface Figure {
  readonly whole: string;
  /** Digits after the point, none for a whole number. */
  readonly fraction: string;
  /** "1,5": the comma is said too. */
  readonly comma: boolean;
}

const forms: readonly (readonly [RegExp, string])[] = [
  // What separates groups, then what begins the fraction.
  [/^[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?$/, ','],
  [/^[1-9]\d?(?:,\d{2})+,\d{3}(?:\.\d+)?$/, ','],
  [/^[1-9]\d{0,2}(?:'\d{3})+(?:[.,]\d+)?$/, "'"],
  [/^[1-9]\d{0,2}(?:_\d{3})+(?:\.\d+)?$/, '_'],
  [/^[1-9]\d{0,2}(?:\.\d{3})+,\d+$/, '.'],
  [/^\d+(?:[.,]\d+)?$/, ''],
  [/^[.,]\d+$/, ''],
];

/** "12", "1,200", "1'000", "1.234,5", "2.5", "1,5", ".5"; undefined for what is no single number. */
export function figureOf(text: string): Figure | undefined {
  const [, group] = forms.find(([form]) => form.test(text)) ?? [];
  if (group === undefined) return undefined;
  const plain = group === '' ? text : text.replaceAll(group, '');
  const [whole = '', fraction = ''] = plain.split(/[.,]/);
  return { whole, fraction, comma: plain.includes(',') };
}

/** A number with more digits is read digit by digit only. */
const digitsMax = String(numberMax).length;
/** Zeros double the ways of a digit string; beyond these the usual one stands alone. */
const zerosMax = 3;

/** All ways to say a figure, most usual first. */
export function figureWays({ whole, fraction, comma }: Figure): string[] {
  if (fraction === '') return integerWays(whole);
  const ways = decimalWays(whole, `.${fraction}`);
  const commas = comma ? ways.filter((w) => / point /.test(w)) : [];
  return [...ways, ...commas.map((way) => way.replace(' point ', ' comma '))];
}

function decimalWays(whole: string, fraction: string): string[] {
  const value = Number(`${whole === '' ? '0' : whole}${fraction}`);
  const fits = fraction.length <= 6 && value <= numberMax;
  // Zeros at the end were written to be said: "2.50".
  if (!fits || fraction.endsWith('0')) {
    const head = whole === '' ? ['zero', ''] : integerWays(whole).slice(0, 2);
    const digits = fraction.slice(1);
    const zeros = [...digits].filter((d) => d === '0').length;
    const tails = zeros <= zerosMax ? spokenDigits(digits) : [spokenZeros(digits)];
    const exact = head.flatMap((h) => tails.map((d) => `${h} point ${d}`.trim()));
    return [...new Set([...exact, ...(fits ? spokenNumber(value) : [])])];
  }
  return spokenNumber(value);
}

/** As a number and digit by digit; "one twenty", "twelve fifty" and "double oh seven" too. */
export function integerWays(digits: string): string[] {
  const zeros = [...digits].filter((d) => d === '0').length;
  const oneByOne = zeros <= zerosMax ? spokenDigits(digits) : [spokenZeros(digits)];
  const code = digits.length > digitsMax || /^0./.test(digits);
  // Each repeat may be said or not, so the ways double with each: of a longer code nobody says them.
  const repeated = digits.length <= 16 && (code || /(\d)\1\1/.test(digits));
  const repeats = repeated ? spokenRepeats(digits) : [];
  const same = zeros <= zerosMax ? repeats : repeats.slice(0, 1);
  if (code) return [...new Set([...oneByOne, ...same])];
  const value = Number(digits);
  if (digits.length === 1) return value === 0 ? ['zero', 'oh'] : spokenNumber(value);
  const pairs = digits.length === 3 || digits.length === 4 ? pairWays(value) : [];
  return [...new Set([...spokenNumber(value), ...oneByOne, ...pairs, ...same])];
}

/** Digits one by one, each zero in its usual form. */
const spokenZeros = (digits: string) => [...digits].map((d) => ones[Number(d)] ?? '').join(' ');

/** A vulgar fraction, with the whole number before it, if any. */
export interface WrittenFraction {
  readonly whole: string;
  readonly over: number;
  readonly under: number;
  /** Written as one sign, or with a whole number: it is nothing but a fraction. */
  readonly sure: boolean;
}

/** Finer fractions are not said as one. */
const underMax = 1000;

/** "1/2", "½", "2½", "1-1/2"; `rest` is what follows. undefined for what is none. */
export function fractionOf(text: string): { fraction: WrittenFraction; rest: string } | undefined {
  const form = new RegExp(
    `^(?:(\\d{1,9})[${invisiblePlus}-])?(\\d{1,4})([/${fractionSlash}])(\\d{1,4})(?!\\d)(.*)$`,
    'u',
  );
  const [, whole = '', over = '', slash, under = '', rest = ''] = form.exec(text) ?? [];
  if (over === '' || /^[/\d.,]/.test(rest)) return undefined;
  const fraction = {
    whole,
    over: Number(over),
    under: Number(under),
    sure: whole !== '' || slash === fractionSlash,
  };
  // "1-24/7" is no mixed number.
  if (whole !== '' && !isProper(fraction)) return undefined;
  return { fraction, rest };
}

export const isProper = ({ over, under }: WrittenFraction): boolean =>
  over > 0 && over < under && under <= underMax;

/** "three quarters", "three fourths", "three quarter"; with a whole number "two and three quarters". */
export function fractionWays({ whole, over, under, sure }: WrittenFraction): string[] {
  const parts = under >= 2 && under <= underMax && over > 0 ? namedFraction(over, under) : [];
  if (whole !== '')
    return integerWays(whole)
      .slice(0, 2)
      .flatMap((w) => andFraction(parts).map((part) => `${w} ${part}`));
  const number = (n: number) => integerWays(String(n))[0] ?? '';
  const pair = [number(over), number(under)];
  const apart = sure ? [] : [pair.join(' '), pair.join(' over '), pair.join(' slash ')];
  return over < under ? [...parts, ...apart] : [...apart, ...parts];
}

/** As it is said after a whole number: "and a half". */
export const andFraction = (parts: readonly string[]): string[] =>
  parts.filter((part) => part.includes(' ') && !/ an?$/.test(part)).map((part) => `and ${part}`);

export function namedFraction(over: number, under: number): string[] {
  const names =
    under === 2 ? ['half'] : under === 4 ? ['quarter', 'fourth'] : spokenOrdinal(under).slice(0, 1);
  if (over === 1)
    return [
      ...(under === 2 ? ['half', 'half a', 'half an'] : under === 4 ? ['quarter'] : []),
      ...names.flatMap((name) => [`a ${name}`, `one ${name}`]),
    ];
  const count = spokenNumber(over)[0] ?? '';
  const plurals = names.map((name) => (name === 'half' ? 'halves' : `${name}s`));
  return [...plurals, ...names].map((name) => `${count} ${name}`);
}
