import { ownForm, visibleForm } from '../lexicon/index.js';
import { spokenNumber, spokenOrdinal } from './numbers.js';
import { clockWays } from './times.js';
import { unitWays } from './units.js';
import {
  andFraction,
  figureOf,
  figureWays,
  fractionOf,
  fractionWays,
  integerWays,
  isProper,
  namedFraction,
} from './written-numbers.js';
import { piecesOf, plainForm, unaccented } from './written-text.js';

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
  /** "15:15" is that time of the 24 hours only, and not "three fifteen". */
  readonly exactTimes?: boolean;
}

/**
 * Text as it is spoken: pieces one after another, each with its ways. Punctuation is silent. A sign that has no
 * name here becomes a word of its own, which the word list may say; without one it is refused with its place.
 */
export function readingsOf(text: string, options: ReadingOptions = {}): Ways[] {
  const visible = visibleForm(text);
  const capitals = options.capitals ?? !isShouted(visible);
  const ways: Ways[] = [];
  let before = '';
  const pieces = piecesOf(visible);
  pieces.forEach((raw, i) => {
    const own = ownWord(raw, options);
    if (own !== undefined) ways.push([plain(own)]);
    else
      for (const piece of plainForm(raw).split(/\s+/).filter(Boolean)) {
        const after = pieces[i + 1] ?? '';
        const unit = endsInNumber(before) ? unitReading(piece) : undefined;
        ways.push(
          ...(unit === undefined ? pieceReading(piece, after, { ...options, capitals }) : [unit]),
        );
        before = piece;
      }
    before = raw;
  });
  return ways;
}

/** The usual words of a text: lower case, numbers as words, punctuation gone. */
export function wordsOf(text: string): string[] {
  return readingsOf(text).flatMap((ways) => (ways[0] ?? []).map(({ word }) => word));
}

/** Several words and no small letter: capitals say nothing about how a word is read. */
export function isShouted(text: string): boolean {
  const letters = text.normalize('NFKC');
  return !/\p{Ll}/u.test(letters) && (letters.match(/\p{Lu}{2,}/gu) ?? []).length >= 3;
}

export const endsInNumber = (text: string): boolean => /[\d\p{No}]$/u.test(text);

/**
 * What belongs to the number before it: a unit's symbol ("kg" in "5 kg" or "{weight} kg"), a fraction
 * ("1/2" in "2 1/2"). undefined for other text.
 */
export function unitReading(text: string): Ways | undefined {
  const symbol = plainForm(text).replace(/[.,;:!?)]+$/, '');
  const found = fractionOf(symbol);
  if (found !== undefined) {
    const { fraction, rest } = found;
    if (fraction.whole !== '' || !isProper(fraction)) return undefined;
    const units = rest === '' ? [''] : unitWays(rest);
    const parts = andFraction(namedFraction(fraction.over, fraction.under));
    return units?.flatMap((unit) => parts.map((part) => plain(`${part} ${unit}`.trim())));
  }
  const ways = unitWays(symbol);
  if (ways === undefined) return undefined;
  const letters = /^[a-z]{1,3}$/i.test(symbol) ? [[spelled(symbol)]] : [];
  // "5G" is no five grams.
  return /^[GHMST]$/.test(symbol)
    ? [...letters, ...ways.map(plain)]
    : [...ways.map(plain), ...letters];
}

const plain = (phrase: string): SpokenWord[] =>
  phrase === '' ? [] : phrase.split(' ').map((word) => ({ word }));
const spelled = (letters: string): SpokenWord => ({ word: letters.toLowerCase(), spelled: true });

/** Punctuation, which nobody says. Other signs have a name, or are words that the site must name. */
const silent = /^[\p{Ps}\p{Pe}\p{Pi}\p{Pf}\p{Pd}\p{Pc},;:!?¡¿·•、。・"/\\|]$/u;
/** The same around a word, but for the minus of a number and the inches behind it. */
const lead = /^[\p{Ps}\p{Pi}\p{Pf}\p{Pe}\p{Pc}–—;:!?¡¿·•、。・"/\\|]+|^,+(?!\d)/u;
const trail = /[\p{Ps}\p{Pe}\p{Pi}\p{Pf}\p{Pd}\p{Pc},;:!?¡¿·•、。・/\\|]+$/u;

function bare(piece: string): string {
  return piece
    .replace(/^'(.*)'[^\p{L}\p{N}]*$/u, '$1')
    .replace(lead, '')
    .replace(trail, '')
    .replace(/[.'"]+$/, (end) =>
      /^(\p{L}\.){2,}$/u.test(piece) || /\d["']$/.test(piece) ? end : '',
    );
}

/** A word of the site's list, as it stands or without the punctuation around it. */
function ownWord(raw: string, { own }: ReadingOptions): string | undefined {
  if (own === undefined || own.size === 0) return undefined;
  const forms = [raw, bare(raw), plainForm(raw), bare(plainForm(raw))].map(ownForm);
  // The lexicon makes the genitive of a word that it knows.
  return forms.find((form) => own.has(form) || own.has(form.replace(/'s$/, '')));
}

function pieceReading(piece: string, after: string, options: ReadingOptions): Ways[] {
  const text = bare(piece);
  if (text === '' || /^[.']+$/.test(text)) return [];
  if (/^no\.$/i.test(piece)) return [[plain('number'), plain('no')]];
  return (
    clockReading(text, after, options) ??
    currencyReading(text) ??
    fractionReading(text) ??
    dottedReading(text) ??
    numberReading(text) ??
    mixedReading(text, options)
  );
}

/** "3:15", "3:15pm". */
function clockReading(
  text: string,
  after: string,
  { exactTimes }: ReadingOptions,
): Ways[] | undefined {
  const [, clock = '', half] = /^(\d{1,2}:\d{2})(?:([ap])\.?m\.?)?$/i.exec(text) ?? [];
  const ways = clockWays(clock, {
    half: half !== undefined || /^[ap]\.?m\b/i.test(after),
    exact: exactTimes === true,
  });
  if (ways === undefined) return undefined;
  const said = ways.map((way) =>
    plain(way).map(({ word }) => (/^[ap]m$/.test(word) ? spelled(word) : { word })),
  );
  return [said, ...(half === undefined ? [] : [[[spelled(`${half}m`)]]])];
}

const sizes: Readonly<Record<string, string>> = {
  k: 'thousand',
  m: 'million',
  mn: 'million',
  bn: 'billion',
  b: 'billion',
};

/** "$20", "-£5.99", "€1.5m": the sign is said after the number. */
function currencyReading(text: string): Ways[] | undefined {
  const [, sign = '', currency = '', inner = '', amount = '', size = ''] =
    /^([+-]?)(\p{Sc})([+-]?)([\d.,'_]*\d)(k|m|mn|bn|b)?$/iu.exec(text) ?? [];
  const figure = figureOf(amount);
  const units = unitWays(currency);
  if (figure === undefined || units === undefined) return undefined;
  const before = signReading(sign === '' ? inner : sign);
  if (size === '' && figure.fraction === '')
    return [...before, figureWays(figure).map(plain), units.map(plain)];
  const many = size === '' ? '' : ` ${sizes[size.toLowerCase()] ?? ''}`;
  const ways = figureWays(figure).flatMap((number) =>
    units.map((unit) => `${number}${many} ${unit}`),
  );
  const cents = Number(figure.fraction);
  if (size === '' && figure.fraction.length === 2 && cents > 0) {
    const said = spokenNumber(cents)[0] ?? '';
    for (const whole of integerWays(figure.whole === '' ? '0' : figure.whole).slice(0, 2))
      ways.unshift(
        ...units.flatMap((unit) => [
          `${whole} ${unit} ${said}`,
          `${whole} ${unit} and ${said} cents`,
        ]),
        `${whole} ${cents < 10 ? 'oh ' : ''}${said}`,
      );
  }
  return [...before, ways.map(plain)];
}

const signReading = (sign: string | undefined): Ways[] =>
  sign === undefined || sign === ''
    ? []
    : [[plain(sign === '-' ? 'minus' : sign === '±' ? 'plus or minus' : 'plus')]];

/** "1/2", "2½", "3/4\"", "24/7". */
function fractionReading(text: string): Ways[] | undefined {
  const [, sign, unsigned = ''] = /^([+±-])?(.*)$/u.exec(text) ?? [];
  const found = fractionOf(unsigned);
  if (found === undefined) return undefined;
  const units = found.rest === '' ? null : unitReading(found.rest);
  if (units === undefined) return undefined;
  return [
    ...signReading(sign),
    fractionWays(found.fraction).map(plain),
    ...(units === null ? [] : [units]),
  ];
}

/** "1.2.3", "v1.2.3", "192.168.1.5": numbers, with "point" or "dot" between them. */
function dottedReading(text: string): Ways[] | undefined {
  const [, letters = '', numbers = ''] = /^(\p{L}{0,3})(\d+(?:\.\d+){2,})$/u.exec(text) ?? [];
  if (numbers === '') return undefined;
  const parts = numbers
    .split('.')
    .flatMap((number, i): Ways[] => [
      ...(i === 0 ? [] : [[plain('point'), plain('dot')]]),
      integerWays(number).map(plain),
    ]);
  return [...(letters === '' ? [] : [[[spelled(letters)]]]), ...parts];
}

/** "12", "-5", "1,200", "2.5", "3rd", "50%", "24V", "#4", "5'10\"". */
function numberReading(text: string): Ways[] | undefined {
  const [, feet = '', inches = ''] = /^(\d{1,2})['\u2032](\d{1,2})(?:"|'')?$/u.exec(text) ?? [];
  if (feet !== '' && Number(inches) < 12)
    return [
      integerWays(feet).map(plain),
      [plain('foot'), plain('feet'), []],
      integerWays(inches).map(plain),
      ...(/["']$/.test(text) ? [[plain('inches'), plain('inch'), []]] : []),
    ];
  const [, mark, sign, digits = '', rest = ''] =
    /^(#|no\.)?([+±-])?([\d.,'_]*\d)(.*)$/iu.exec(text) ?? [];
  const figure = figureOf(digits);
  if (figure === undefined) return undefined;
  const before: Ways[] = [...(mark === undefined ? [] : [[plain('number')]]), ...signReading(sign)];
  if (/^(st|nd|rd|th)$/i.test(rest) && figure.fraction === '' && figure.whole.length <= 9)
    return [...before, spokenOrdinal(Number(figure.whole)).map(plain)];
  const number = figureWays(figure).map(plain);
  if (rest === '') return [...before, number];
  if (/^[ap]\.?m\.?$/i.test(rest)) return [...before, number, [[spelled(`${rest[0] ?? ''}m`)]]];
  const power = /^\^[+-]?\d+$/.test(rest) ? powerReading(rest) : undefined;
  if (power !== undefined) return [...before, number, power];
  const unit = rest === "'" ? [plain('feet'), plain('foot'), []] : unitReading(rest);
  return unit === undefined ? undefined : [...before, number, unit];
}

/** "^2" of "10²". */
function powerReading(text: string): Ways {
  const exponent = Number(text.slice(1));
  if (exponent === 2) return [plain('squared')];
  if (exponent === 3) return [plain('cubed')];
  const ways = spokenNumber(exponent);
  return ['to the power of', 'to the'].flatMap((head) =>
    ways.map((way) => plain(`${head} ${way}`)),
  );
}

const signNames: Readonly<Record<string, readonly string[]>> = {
  '&': ['and'],
  '+': ['plus'],
  '@': ['at'],
  '%': ['percent', 'per cent'],
  '‰': ['per mille'],
  '=': ['equals'],
  '±': ['plus or minus', 'plus minus'],
  '×': ['by', 'times', 'x'],
  '÷': ['divided by'],
  '<': ['less than'],
  '>': ['greater than', 'more than'],
  '*': ['star', 'asterisk'],
  '#': ['hash', 'number', 'pound'],
  '§': ['section', 'paragraph'],
  '°': ['degrees', 'degree'],
};

/** Fractions, powers, words with the numbers in them, and all else sign by sign. */
const mixedParts =
  /(?<![\d/.,])(?:\d+[\u2064-])?\d{1,4}[/\u2044]\d{1,4}(?![\d/.,])|\^[+-]?\d+|(?:[\p{L}\p{N}\p{M}'.]|(?<=\d),(?=\d))+|[^]/gu;

/** Words, numbers and signs that stand together: "A/C", "PM2.5", "line-3", "Wi-Fi". */
function mixedReading(text: string, options: ReadingOptions): Ways[] {
  // "N/A" is no unit.
  const area = /\^[23]|^\p{Ll}+\/\p{L}/u.test(text) ? unitReading(text) : undefined;
  if (area !== undefined) {
    // Alone, "m²" is the letter too, and "l/h" the letters.
    const [, letters = '', power = ''] = /^(\p{L}+)(\^\d)$/u.exec(text) ?? [];
    const squared =
      power === '' ? [] : powerReading(power).map((way) => [spelled(letters), ...way]);
    const [over = '', under = '', ...more] = text.split('/');
    const apart =
      under === '' || more.length > 0 || /\^/.test(text) ? [] : [[{ word: over }, { word: under }]];
    return [[...area, ...squared, ...apart]];
  }
  const parts = text.match(mixedParts) ?? [];
  return parts.flatMap((part, i) => {
    const [left = '', right = ''] = [parts[i - 1], parts[i + 1]];
    const numbers = /\d$/.test(left) && /^\d/.test(right);
    const fraction = /^\d.*[/\u2044]/u.test(part) ? fractionReading(part) : undefined;
    if (fraction !== undefined) return fraction;
    return signReadingOf(part, left, numbers, text) ?? wordReading(part, options);
  });
}

function signReadingOf(
  sign: string,
  left: string,
  numbers: boolean,
  text: string,
): Ways[] | undefined {
  if (/^\^[+-]?\d+$/.test(sign)) return [powerReading(sign)];
  if (/^[\p{L}\p{N}\p{M}'.]/u.test(sign)) return undefined;
  if (sign === '"' && /\d$/.test(left)) return [[plain('inches'), plain('inch'), []]];
  if (sign === '#' && /^\p{L}$/u.test(left)) return [['sharp', 'hash'].map(plain)];
  const names = signNames[sign] ?? (/\p{Sc}/u.test(sign) ? unitWays(sign) : undefined);
  if (names !== undefined) return [names.map(plain)];
  if (numbers) {
    // "1–3", but "2026-11-29" and "555-1234" too.
    const dashes = text.match(/[-–—]/gu)?.length ?? 0;
    if (/[–—]/u.test(sign) && dashes === 1)
      return [[plain('to'), plain('through'), [], plain('dash')]];
    if (sign === '-' && dashes === 1) return [[[], plain('to'), plain('through'), plain('dash')]];
    if (sign === '-') return [[[], plain('dash')]];
    if (sign === '/') return [[[], plain('slash')]];
    if (sign === ':') return [[[], plain('to')]];
  }
  return silent.test(sign) ? [] : [[plain(sign)]];
}

/** One run of letters and digits without anything between. */
function wordReading(part: string, options: ReadingOptions): Ways[] {
  const word = part.replace(/^[.]+|[.]+$/g, (dots, at: number) =>
    at > 0 && isDotted(part) ? dots : '',
  );
  if (/^[.']*$/.test(word)) return [];
  const own = ownForm(word);
  if (options.own?.has(own) === true) return [[plain(own)]];
  if (isDotted(word)) return [[[spelled(word.replace(/\./g, ''))]]];
  const whole = dottedReading(word) ?? numberReading(word);
  if (whole !== undefined) return whole;
  const mixed = /\d/.test(word);
  const runs = word.match(/\d+(?:[.,]\d+)*|[^\d.]+|\./gu) ?? [];
  return runs.flatMap((run, i): Ways[] => {
    if (run === '.') return [[[], plain('dot')]];
    if (/^\d/.test(run))
      return (
        dottedReading(run) ??
        numberReading(run) ??
        run.split(/[.,]/).flatMap((r) => [integerWays(r).map(plain)])
      );
    const numbers = /\d$/.test(runs[i - 1] ?? '') && /^\d/.test(runs[i + 1] ?? '');
    if (/^[x×]$/iu.test(run) && numbers) return [[plain('by'), plain('x')]];
    const unit = /^\d/.test(word) && i > 1 ? unitReading(run) : undefined;
    if (unit !== undefined) return [unit];
    return letterRun(run, mixed, options);
  });
}

const isDotted = (text: string) => /^(\p{L}\.){2,}\p{L}?$|^\p{L}\.\p{L}$/u.test(text);

const romans = 'II III IV VI VII VIII IX XI XII'.split(' ');
const romanValues = [2, 3, 4, 6, 7, 8, 9, 11, 12];

/** Short capitals are letters; so are one or two letters beside digits. "IV" is a number too. */
function letterRun(given: string, mixed: boolean, options: ReadingOptions): Ways[] {
  const own = unaccented(given.toLowerCase());
  if (options.own?.has(own) === true) return [[plain(own)]];
  // Before a digit ("boys'1") as at the end of a word: it is not said.
  const run = given.replace(/'+$/u, '');
  if (run === '') return [];
  const word = unaccented(run.toLowerCase());
  const capitals = options.capitals === true && /^\p{Lu}{1,5}$/u.test(run);
  const letters = capitals || (mixed && run.length <= 2);
  const usual: SpokenWord[] = [letters ? { word, spelled: true } : { word }];
  const roman = romanValues[romans.indexOf(run)];
  return [roman === undefined || mixed ? [usual] : [usual, ...spokenNumber(roman).map(plain)]];
}
