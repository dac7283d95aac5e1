/**
 * Characters of a text as they mean, before it is read: Unicode's compatibility forms (NFKC: "ﬁ" is "fi", "Ｆ"
 * is "F", "₂" is "2"), but not where these would change what is said: "m²" becomes "m^2", "2½" becomes
 * 2 plus 1⁄2, "−5" becomes "-5".
 */
export function plainForm(text: string): string {
  return text
    .replace(/[№]|[Nn][º°]/gu, 'No.')
    .replace(/(?<=\d)º|º(?=[CF]\b)/gu, '°')
    .replace(/[‘’ʼʹ´`＇]/gu, "'")
    .replace(/[“”„‟＂]/gu, '"')
    .replace(/″/gu, '"')
    .replace(/^−$/u, 'minus')
    .replace(/[−﹣－‐‑]/gu, '-')
    .replace(/^([^\p{L}\p{N}]*)[–—](?=[.,]?\d)/u, '$1-')
    .replace(/[Ⅰ-Ⅻⅰ-ⅻ]/gu, (roman) => String(romanValue(roman)))
    .replace(
      /(\d?)([¼-¾⅐-⅞↉])/gu,
      (_, digit: string, sign: string) =>
        `${digit === '' ? '' : digit + invisiblePlus}${sign.normalize('NFKC')}`,
    )
    .replace(/[⁺⁻]?[⁰¹²³⁴-⁹]+/gu, (power) => `^${power.normalize('NFKC').replace('−', '-')}`)
    .split(/([™℠])/u)
    .map((part, i) => (i % 2 === 1 ? part : part.normalize('NFKC')))
    .join('');
}

/** Between a whole number and the fraction that belongs to it: "2½". */
export const invisiblePlus = '\u2064';
/** The line of "½": such a fraction is nothing else. */
export const fractionSlash = '\u2044';

/** Pieces between spaces. Spaces that group the digits of a number ("10 000", never broken) are none. */
export function piecesOf(text: string): string[] {
  return text
    .replace(/(?<!\d)\d{1,3}(?:[\u00A0\u2009\u202F]\d{3})+(?!\d)/gu, (n) => n.replace(/\D/gu, ''))
    .replace(/(^|[\s(])"([^"]*)"(?=$|[\s).,;:!?])/gu, '$1$2')
    .replace(/(^|[\s(])'([^']*\d)'(?=$|[\s).,;:!?])/gu, '$1$2')
    .replace(/(^|\s)(\p{Sc})\s+(?=\d)/gu, '$1$2')
    .split(/[\s\u200B]+/u)
    .filter((piece) => piece !== '');
}

/** "Ⅳ" is one character; it is said as the number. */
function romanValue(letter: string): number {
  const code = letter.codePointAt(0) ?? 0;
  return code - (code >= 0x2170 ? 0x2170 : 0x2160) + 1;
}

const latinLetters: Readonly<Record<string, string>> = {
  ß: 'ss',
  æ: 'ae',
  œ: 'oe',
  ø: 'o',
  đ: 'd',
  ð: 'd',
  ł: 'l',
  ı: 'i',
  þ: 'th',
  ħ: 'h',
  ŋ: 'ng',
};

/** "café" as "cafe", "straße" as "strasse"; letters of other scripts stay, and need the word list. */
export function unaccented(text: string): string {
  return text
    .normalize('NFD')
    .replace(/(\p{Script=Latin})\p{M}+/gu, '$1')
    .normalize('NFC')
    .replace(/[ßæœøđðłıþħŋ]/gu, (letter) => latinLetters[letter] ?? letter);
}
