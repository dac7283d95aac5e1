/** Grammars of a wanted size from the dictionary's own words. */
import { dictionary } from 'cmu-pronouncing-dictionary';
import { randomFrom } from '../../src/measure/evaluate/statistics.js';
import { buildLexicon, Lexicon } from '../../src/recognizer/index.js';

const units =
  '<blank> AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W Y Z ZH'.split(
    ' ',
  );
const vocabulary = 2000;
const wordsEach = 5;

const words = Object.keys(dictionary).filter((w) => /^[a-z]{3,9}$/.test(w));
const step = Math.floor(words.length / vocabulary);
const chosen = words.filter((_, i) => i % step === 0).slice(0, vocabulary);

/** A lexicon of the words that the benches use. */
export async function openLexicon(): Promise<Lexicon> {
  const wanted = new Set(chosen);
  const entries = Object.entries(dictionary).filter(([w]) => wanted.has(w.replace(/\(\d+\)$/, '')));
  return Lexicon.read(buildLexicon(Object.fromEntries(entries), units), 'bench');
}

/** `count` random sentences of five words, one by one. */
export function listedSentences(count: number): string {
  const random = randomFrom(7);
  const pick = () => chosen[Math.floor(random() * chosen.length)] ?? '';
  const sentences = Array.from({ length: count }, () =>
    Array.from({ length: wordsEach }, pick).join(' '),
  );
  return JSON.stringify({ intents: { Listed: { data: [{ sentences }] } } });
}

/** As many sentences as two lists side by side. */
export function templateSentences(count: number): string {
  const side = Math.round(Math.sqrt(count));
  const list = (from: number) => ({ values: chosen.slice(from, from + side) });
  return JSON.stringify({
    intents: { Template: { data: [{ sentences: ['take {thing} to {place}'] }] } },
    lists: { thing: list(0), place: list(side) },
  });
}
