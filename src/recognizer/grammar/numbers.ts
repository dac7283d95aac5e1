/**
 * Numbers as people say them, value by value. This is the plain form: number-range.ts builds the same
 * phrases as an automaton without listing them, and the tests compare the two.
 */

export const ones =
  'zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen'.split(
    ' ',
  );
export const tens = ',,twenty,thirty,forty,fifty,sixty,seventy,eighty,ninety'.split(',');
export const scales = [
  [1_000_000, 'million'],
  [1000, 'thousand'],
  [100, 'hundred'],
] as const;
/** Largest magnitude that is spoken as a number; longer ones are digit strings. */
export const numberMax = 999_999_999;

export interface NumberStyle {
  /** Hundreds also without the word, "one fifty" and "one oh five"; thousands as "twenty twenty six". */
  readonly pairs?: boolean;
  /** "a hundred" beside "one hundred": by default, yes. */
  readonly article?: boolean;
}

/**
 * All ways to say a number of magnitude up to numberMax, most usual first.
 * - 105: "one hundred five", "one hundred and five", "a hundred ..."
 * - 1500: also "fifteen hundred"
 * - 0.5: "zero point five", "point five", "oh point five", "half", "a half"
 * - 1.25: also "one and a quarter"
 * - 500,000: also "half a million"
 */
export function spokenNumber(value: number, style: NumberStyle = {}): string[] {
  if (value < 0) {
    const ways = spokenNumber(-value, style);
    return ['minus', 'negative'].flatMap((sign) => ways.map((way) => `${sign} ${way}`));
  }
  const [whole = '0', fraction] = decimalText(value).split('.');
  const ways = value < 1 && fraction !== undefined ? ['zero', '', 'oh'] : wholeWays(Number(whole));
  if (style.pairs === true && fraction === undefined) ways.push(...pairWays(Number(whole)));
  if (value === 500_000) ways.push('half a million');
  const said = style.article === false ? ways : withArticle(ways);
  if (fraction === undefined) return said;
  const points = said.flatMap((way) =>
    spokenDigits(fraction).map((digits) => `${way} point ${digits}`.trim()),
  );
  const parts = namedFractions.find(({ digits }) => digits === fraction);
  if (parts === undefined) return points;
  const named = value < 1 ? parts.alone : said.map((way) => `${way} and ${parts.after}`);
  return [...points, ...named];
}

/** Decimals that are said as a fraction: alone, and after "and". */
export const namedFractions = [
  { digits: '5', alone: ['half', 'a half'], after: 'a half' },
  { digits: '25', alone: ['a quarter', 'one quarter'], after: 'a quarter' },
  { digits: '75', alone: ['three quarters'], after: 'three quarters' },
] as const;

/** Without exponents, so that 1e-7 does not read as "one". */
function decimalText(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toFixed(9).replace(/0+$/, '');
}

/** "one hundred ..." is also "a hundred ..." where a number begins. */
function withArticle(ways: readonly string[]): string[] {
  const articles = ways.flatMap((way) =>
    /^one (hundred|thousand|million)\b/.test(way) ? [way.replace('one', 'a')] : [],
  );
  return [...ways, ...articles];
}

function below100(n: number): string {
  if (n < 20) return ones[n] ?? '';
  const rest = n % 10;
  return `${tens[Math.floor(n / 10)] ?? ''}${rest === 0 ? '' : ` ${ones[rest] ?? ''}`}`;
}

function wholeWays(n: number): string[] {
  if (n < 100) return [below100(n)];
  const ways: string[] = [];
  for (const [size, name] of scales) {
    if (n < size) continue;
    ways.push(...scaledWays(n, size, name));
    break;
  }
  const hundreds = Math.floor(n / 100);
  if (n >= 1100 && n <= 9999 && hundreds % 10 !== 0) ways.push(...scaledWays(n, 100, 'hundred'));
  return ways;
}

function scaledWays(n: number, size: number, name: string): string[] {
  const heads = wholeWays(Math.floor(n / size)).map((words) => `${words} ${name}`);
  const rest = n % size;
  if (rest === 0) return heads;
  const tails = rest < 100 ? [below100(rest), `and ${below100(rest)}`] : wholeWays(rest);
  return tails.flatMap((tail) => heads.map((head) => `${head} ${tail}`));
}

/** 150 as "one fifty", 105 as "one oh five"; 2026 as "twenty twenty six", 2005 as "twenty oh five", 2000 as "twenty hundred". */
export function pairWays(n: number): string[] {
  const rest = n % 100;
  const head = Math.floor(n / 100);
  if (n < 101 || n > 9999) return [];
  if (rest === 0) return n >= 1000 && head % 10 === 0 ? [`${below100(head)} hundred`] : [];
  return [`${below100(head)} ${rest < 10 ? 'oh ' : ''}${below100(rest)}`];
}

/** A string of digits one by one; each 0 is "zero" or "oh". */
export function spokenDigits(digits: string): string[] {
  return [...digits].reduce<string[]>(
    (ways, d) => {
      const names = d === '0' ? ['zero', 'oh'] : [ones[Number(d)] ?? ''];
      return ways.flatMap((way) => names.map((name) => `${way} ${name}`.trim()));
    },
    [''],
  );
}

/** Equal digits side by side as "double" and "triple"; empty where there are none. */
export function spokenRepeats(digits: string): string[] {
  const groups = digits.match(/(\d)\1{0,2}/g) ?? [];
  if (!groups.some((group) => group.length > 1)) return [];
  return groups.reduce<string[]>(
    (ways, group) => {
      const names = group.startsWith('0') ? ['oh', 'zero'] : [ones[Number(group[0])] ?? ''];
      const count = repeatNames[group.length - 1] ?? '';
      return ways.flatMap((way) =>
        names.map((name) => `${way} ${count} ${name}`.trim().replace('  ', ' ')),
      );
    },
    [''],
  );
}

/** How often a digit is said by the word before it, from once on. */
export const repeatNames = ['', 'double', 'triple'] as const;

const irregular: Readonly<Record<string, string>> = {
  one: 'first',
  two: 'second',
  three: 'third',
  five: 'fifth',
  eight: 'eighth',
  nine: 'ninth',
  twelve: 'twelfth',
};

/** "first", "twenty second", "one hundred and third". */
export function spokenOrdinal(value: number): string[] {
  return withArticle(wholeWays(value)).map((way) => {
    const at = way.lastIndexOf(' ') + 1;
    const last = way.slice(at);
    const ordinal =
      irregular[last] ?? (last.endsWith('y') ? `${last.slice(0, -1)}ieth` : `${last}th`);
    return way.slice(0, at) + ordinal;
  });
}

const values = new Map([
  ...ones.map((word, n) => [word, n] as const),
  ...tens.flatMap((word, n) => (word === '' ? [] : [[word, 10 * n] as const])),
]);

/**
 * The number that words say: the inverse of spokenNumber. Exact: a decimal is put together as text.
 * undefined when the words are no number.
 */
export function readNumber(words: readonly string[]): number | undefined {
  const negative = words[0] === 'minus' || words[0] === 'negative';
  let rest = negative ? words.slice(1) : words;
  if (rest.join(' ') === 'half a million') return negative ? -500_000 : 500_000;
  let fraction = '';
  const point = rest.indexOf('point');
  const named = namedTail(rest);
  if (point >= 0) {
    fraction = readDigits(rest.slice(point + 1)) ?? 'x';
    rest = rest.slice(0, point);
  } else if (named !== undefined) {
    fraction = named.digits;
    rest = rest.slice(0, named.from);
  }
  const spoken = rest.length === 0 || (rest.length === 1 && rest[0] === 'oh');
  const whole = spoken && fraction !== '' ? 0 : readWhole(rest);
  const value = whole === undefined ? NaN : Number(`${whole}.${fraction}`);
  if (Number.isNaN(value)) return undefined;
  return negative ? -value : value;
}

/** "and a half", "three quarters", "half" at the end: its decimals, and where it begins. */
function namedTail(words: readonly string[]): { digits: string; from: number } | undefined {
  const text = ` ${words.join(' ')}`;
  for (const { digits, alone, after } of namedFractions)
    for (const way of [`and ${after}`, ...alone].sort((a, b) => b.length - a.length)) {
      const size = way.split(' ').length;
      if (!text.endsWith(` ${way}`)) continue;
      // "half" stands alone, or after "and".
      if (way.startsWith('and') || size === words.length)
        return { digits, from: words.length - size };
    }
  return undefined;
}

function readWhole(words: readonly string[]): number | undefined {
  if (words.length === 0) return undefined;
  let total = 0;
  let part = 0;
  let before = '';
  for (const word of words) {
    const value = values.get(word);
    const scale = scales.find(([, name]) => name === word)?.[0];
    if (scale === 100) part *= 100;
    else if (scale !== undefined) {
      total += part * scale;
      part = 0;
    } else if (word === 'a') part = 1;
    else if (word === 'oh') part *= 100;
    else if (value !== undefined) {
      // "one fifty", "twenty twenty six": a number, and then one from ten on.
      part = value >= 10 && values.has(before) ? part * 100 + value : part + value;
    } else if (word !== 'and') return undefined;
    before = word;
  }
  return total + part;
}

/** Digits said one by one, as text, so that leading zeros live. undefined for other words. */
export function readDigits(words: readonly string[]): string | undefined {
  let digits = '';
  let times = 1;
  for (const word of words) {
    const repeat = repeatNames.findIndex((name) => name === word);
    if (repeat > 0 && times === 1) {
      times = repeat + 1;
      continue;
    }
    const value = word === 'oh' ? 0 : values.get(word);
    if (value === undefined || value > 9) return undefined;
    digits += String(value).repeat(times);
    times = 1;
  }
  return times === 1 ? digits : undefined;
}
