import { spokenDigits, numberMax, pairWays, spokenNumber, spokenOrdinal } from './numbers.js';
import { parseClock, phrasesOfTime } from './times.js';
import { unitWays } from './units.js';

/** A word of the graph: lower case. */
export interface SpokenWord {
  readonly word: string;
  /** Written so that it may be said letter by letter: "PLC", the R of "R2". */
  readonly spelled?: true;
}

/** Ways to say one piece of a text, most usual first. */
export type Ways = readonly (readonly SpokenWord[])[];

export interface ReadingOptions {
  /** A site's own words are read as they stand, whatever they are made of. */
  readonly own?: ReadonlySet<string>;
  /** Capitals mean letters: not in a text that is all capitals. */
  readonly capitals?: boolean;
}

/** A number with more digits is read digit by digit only. */
const digitsMax = String(numberMax).length;
/** Zeros double the ways of a digit string; beyond these the usual one stands alone. */
const zerosMax = 3;

/** Text as it is spoken: pieces one after another, each with its ways. Punctuation is silent. */
export function readingsOf(text: string, options: ReadingOptions = {}): Ways[] {
  const capitals = options.capitals ?? !isShouted(text);
  const pieces = text
    .normalize('NFC')
    .replace(/[‘’]/g, "'")
    .split(/\s+/)
    .filter((piece) => piece !== '');
  const ways: Ways[] = [];
  pieces.forEach((piece, i) => {
    const unit = i > 0 && endsInNumber(pieces[i - 1] ?? '') ? unitReading(piece) : undefined;
    ways.push(...(unit === undefined ? pieceReading(piece, { ...options, capitals }) : [unit]));
  });
  return ways;
}

/** The usual words of a text: lower case, numbers as words, punctuation gone. */
export function wordsOf(text: string): string[] {
  return readingsOf(text).flatMap((ways) => (ways[0] ?? []).map(({ word }) => word));
}

/** Several words and no small letter: capitals say nothing about how a word is read. */
export function isShouted(text: string): boolean {
  return !/\p{Ll}/u.test(text) && (text.match(/\p{Lu}{2,}/gu) ?? []).length >= 3;
}

export const endsInNumber = (text: string): boolean => /\d$/.test(text);

/** A unit's symbol after a number: "kg" in "5 kg" or "{weight} kg". undefined for other text. */
export function unitReading(text: string): Ways | undefined {
  const symbol = text.replace(/[.,;:!?)]+$/, '');
  const ways = unitWays(symbol);
  if (ways === undefined) return undefined;
  return [...ways.map(plain), ...(/^[a-z]{1,3}$/i.test(symbol) ? [[spelled(symbol)]] : [])];
}

const plain = (phrase: string): SpokenWord[] => phrase.split(' ').map((word) => ({ word }));
const spelled = (letters: string): SpokenWord => ({ word: letters.toLowerCase(), spelled: true });

function pieceReading(piece: string, options: ReadingOptions): Ways[] {
  const trimmed = piece
    .replace(/^'(.*)'[^\p{L}\p{N}]*$/u, '$1')
    .replace(/^[^\p{L}\p{N}'+\-.#&@°%]+|[^\p{L}\p{N}'.%°"+&]+$/gu, '')
    .replace(/[.'"]+$/, (end) => (/^([a-z]\.){2,}$/i.test(piece) || /\d"$/.test(piece) ? end : ''));
  if (trimmed === '') return [];
  if (options.own?.has(trimmed.toLowerCase()) === true) return [[plain(trimmed.toLowerCase())]];
  return (
    timeReading(trimmed) ??
    numberReading(trimmed) ??
    trimmed
      .split(/([^\p{L}\p{N}\p{M}'.])/u)
      .flatMap((part) => symbolReading(part) ?? wordReading(part, options))
  );
}

function symbolReading(part: string): Ways[] | undefined {
  const name = { '&': 'and', '+': 'plus', '@': 'at', '%': 'percent' }[part];
  return name === undefined ? undefined : [[plain(name)]];
}

/** "3:15", "3:15pm". */
function timeReading(text: string): Ways[] | undefined {
  const [, clock = '', half] = /^(\d{1,2}:\d{2})(?:([ap])\.?m\.?)?$/i.exec(text) ?? [];
  const minute = parseClock(clock);
  if (minute === undefined) return undefined;
  const said = phrasesOfTime(minute).filter((phrase) => !/ (am|pm|in the|at night)/.test(phrase));
  return [said.map(plain), ...(half === undefined ? [] : [[[spelled(`${half}m`)]]])];
}

/** "12", "-5", "1,200", "2.5", "3rd", "50%", "24V", "#4". */
function numberReading(text: string): Ways[] | undefined {
  const found =
    /^(#)?([+-])?(\d{1,3}(?:,\d{3})+(?!\d)|\d+)?(\.\d+)?(st|nd|rd|th|[ap]\.?m\.?)?(.*)$/i.exec(
      text,
    );
  const [, mark, sign, whole, fraction = '', ending = '', rest = ''] = found ?? [];
  if (whole === undefined && fraction === '') return undefined;
  const digits = (whole ?? '').replace(/,/g, '');
  const before: Ways[] = [
    ...(mark === undefined ? [] : [[plain('number')]]),
    ...(sign === undefined ? [] : [sign === '-' ? [plain('minus')] : [plain('plus')]]),
  ];
  const last = ending.toLowerCase();
  if (/^(st|nd|rd|th)$/.test(last) && rest === '' && fraction === '' && digits.length <= digitsMax)
    return [...before, spokenOrdinal(Number(digits)).map(plain)];
  const unit = last + rest;
  const number =
    whole === undefined || fraction !== '' ? decimalWays(digits, fraction) : integerWays(digits);
  if (unit === '') return [...before, number.map(plain)];
  if (/^[ap]\.?m\.?$/i.test(unit))
    return [...before, number.map(plain), [[spelled(`${unit[0] ?? ''}m`)]]];
  const units = unitReading(unit);
  return units === undefined ? undefined : [...before, number.map(plain), units];
}

function decimalWays(whole: string, fraction: string): string[] {
  const value = Number(`${whole === '' ? '0' : whole}${fraction}`);
  // Zeros at the end were written to be said: "2.50".
  if (fraction.endsWith('0') || fraction.length > 6 || value > numberMax) {
    const head = whole === '' ? ['zero', ''] : integerWays(whole).slice(0, 2);
    return head.flatMap((h) =>
      spokenDigits(fraction.slice(1)).map((d) => `${h} point ${d}`.trim()),
    );
  }
  return spokenNumber(value);
}

/** As a number and digit by digit; "one twenty" and "twelve fifty" too. */
function integerWays(digits: string): string[] {
  const zeros = [...digits].filter((d) => d === '0').length;
  const oneByOne = zeros <= zerosMax ? spokenDigits(digits) : spokenDigits(digits).slice(0, 1);
  if (digits.length > digitsMax || /^0./.test(digits)) return oneByOne;
  const value = Number(digits);
  if (digits.length === 1) return value === 0 ? ['zero', 'oh'] : spokenNumber(value);
  const pairs = digits.length === 3 ? pairWays(value) : digits.length === 4 ? twoPairs(digits) : [];
  return [...new Set([...spokenNumber(value), ...oneByOne, ...pairs])];
}

function twoPairs(digits: string): string[] {
  const [head, tail] = [Number(digits.slice(0, 2)), Number(digits.slice(2))];
  if (tail === 0) return [];
  const rest = tail < 10 ? `oh ${spokenNumber(tail)[0] ?? ''}` : (spokenNumber(tail)[0] ?? '');
  return [`${spokenNumber(head)[0] ?? ''} ${rest}`];
}

/** One run of letters and digits without anything between. */
function wordReading(part: string, options: ReadingOptions): Ways[] {
  const word = part.replace(/^\.+|\.+$/g, (dots, at: number) =>
    at > 0 && isDotted(part) ? dots : '',
  );
  if (!/[\p{L}\p{N}]/u.test(word)) return [];
  const own = word.toLowerCase();
  if (options.own?.has(own) === true) return [[plain(own)]];
  if (isDotted(word)) return [[[spelled(word.replace(/\./g, ''))]]];
  if (word.includes('.') && !/^\d+\.\d+$/.test(word))
    return word.split('.').flatMap((w) => wordReading(w, options));
  if (!/\p{N}/u.test(word)) return [[[letterRun(word, false, options)]]];
  return (word.match(/\d+(\.\d+)?|[^\d.]+/g) ?? []).flatMap((run): Ways[] =>
    /^\d/.test(run) ? (numberReading(run) ?? []) : [[[letterRun(run, true, options)]]],
  );
}

const isDotted = (text: string) => /^(\p{L}\.){2,}\p{L}?$|^\p{L}\.\p{L}$/u.test(text);

/** Short capitals are letters; so are one or two letters beside digits. */
function letterRun(run: string, mixed: boolean, options: ReadingOptions): SpokenWord {
  const bare = unaccented(run.toLowerCase());
  if (options.own?.has(bare) === true) return { word: bare };
  const capitals = options.capitals === true && /^\p{Lu}{1,5}$/u.test(run);
  return capitals || (mixed && run.length <= 2) ? { word: bare, spelled: true } : { word: bare };
}

/** "café" as "cafe"; letters of other scripts stay, and are refused for want of a pronunciation. */
function unaccented(text: string): string {
  return text.normalize('NFD').replace(/\p{M}/gu, '');
}
