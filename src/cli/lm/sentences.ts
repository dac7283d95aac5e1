import { wordsOf } from '../../recognizer/index.js';
import { KikitoriError } from '../../runtime/errors.js';
import { linesOf } from './lines.js';

/** Words of other letters, in a text that is not mostly of them. */
export interface Foreign {
  count: number;
  readonly scripts: Map<string, number>;
  first?: { readonly where: string; readonly word: string };
}

export interface TextOptions {
  /** Running text in paragraphs, not one sentence a line. */
  readonly prose?: boolean;
}

/** How much of a text may be of other scripts: names and quotations. */
const foreignShareMax = 0.5;
/** A share says little of fewer words. */
const foreignWordsMin = 20;

/** Sentences of texts as words that can be said; of words in other scripts there is `<unk>`. */
export class Sentences {
  words = 0;
  readonly foreign: Foreign = { count: 0, scripts: new Map() };

  constructor(private readonly options: TextOptions = {}) {}

  async *of(path: string): AsyncGenerator<readonly string[], void, void> {
    let words = 0;
    let foreign = 0;
    let first: Foreign['first'];
    let line = 0;
    let paragraph: string[] = [];
    let begin = 0;
    const spoken = (text: string, at: number) => {
      const found = spokenWords(text).map((word) => {
        words += 1;
        if (/^[a-z']+$/.test(word)) return word;
        foreign += 1;
        first ??= { where: `${path}:${at}`, word };
        this.note(word, first);
        return '<unk>';
      });
      this.words += found.length;
      return found;
    };
    for await (const text of linesOf(path)) {
      line += 1;
      if (this.options.prose !== true) {
        const sentence = spoken(text, line);
        if (sentence.length > 0) yield sentence;
        continue;
      }
      if (text.trim() !== '') {
        if (paragraph.length === 0) begin = line;
        paragraph.push(text.trim());
        if (paragraph.length < paragraphLinesMax) continue;
      }
      for (const sentence of sentencesIn(paragraph.join(' '))) yield spoken(sentence, begin);
      paragraph = [];
    }
    for (const sentence of sentencesIn(paragraph.join(' '))) yield spoken(sentence, begin);
    if (words >= foreignWordsMin && foreign > foreignShareMax * words)
      refuse(first, foreign, words);
  }

  private note(word: string, first: Foreign['first']): void {
    const script = scriptOf(word);
    this.foreign.count += 1;
    this.foreign.scripts.set(script, (this.foreign.scripts.get(script) ?? 0) + 1);
    this.foreign.first ??= first;
  }
}

function refuse(first: Foreign['first'], foreign: number, words: number): never {
  const { where = '', word = '' } = first ?? {};
  throw new KikitoriError(
    `${foreign} of ${words} words are not of the letters a to z (${scriptOf(word)}), the first is ${JSON.stringify(word)}`,
    { kind: 'input', where, expected: 'English text' },
  );
}

/** A paragraph that never ends is cut. */
const paragraphLinesMax = 2000;

/** Letters, apostrophes within words, and punctuation that nobody says. */
const plain = /^(?:[\s"(]|[A-Za-z]+(?:'[A-Za-z]+)*(?:[-–—]|[.,;:!?)"]*(?=[\s"(]|$)))*$/;

/**
 * The usual words of a text. What holds nothing but letters and stops is taken apart here, thirty times faster; numbers,
 * units, signs and abbreviations are read as in a grammar.
 */
export function spokenWords(text: string): string[] {
  const even = text.replace(/[‘’]/g, "'").replace(/[“”]/g, '"').replace(/--+/g, '—');
  if (plain.test(even)) return even.toLowerCase().match(/[a-z]+(?:'[a-z]+)*/g) ?? [];
  return wordsOf(even);
}

const abbreviation =
  /(?:^|[\s("'])(?:mr|mrs|ms|dr|st|prof|rev|hon|capt|col|gen|lt|sgt|esq|vs|etc|viz|vol|no|fig|jr|sr|[a-z])\.$/i;

/** Sentences of a paragraph: they end with a full stop, a question or an exclamation, and a capital follows. */
export function sentencesIn(paragraph: string): string[] {
  const sentences: string[] = [];
  let from = 0;
  for (const end of paragraph.matchAll(/[.!?]+["'”’)\]]*\s+(?=["'“‘([]*[A-Z0-9])/g)) {
    const to = end.index + end[0].length;
    const before = paragraph.slice(from, end.index + 1);
    if (end[0].startsWith('.') && abbreviation.test(before.slice(-12))) continue;
    sentences.push(paragraph.slice(from, to).trim());
    from = to;
  }
  sentences.push(paragraph.slice(from).trim());
  return sentences.filter((sentence) => sentence !== '');
}

const scripts =
  'Latin Cyrillic Greek Han Hiragana Katakana Hangul Arabic Hebrew Devanagari Thai'.split(' ');
const scriptForms = scripts.map((name) => [name, new RegExp(`\\p{Script=${name}}`, 'u')] as const);

const scriptOf = (word: string): string =>
  scriptForms.find(([, form]) => form.test(word))?.[0] ?? 'signs';
