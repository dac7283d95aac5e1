import { setImmediate } from 'node:timers/promises';
import type { ListedModel } from '../../language/model.js';
import { KikitoriError } from '../../runtime/errors.js';
import type { Guesses, Lexicon } from '../lexicon/index.js';
import { weakForms } from '../lexicon/weak-forms.js';
import { LanguageCache } from './language-cache.js';
import { LookAhead } from './look-ahead.js';
import {
  prefixTree,
  PronunciationList,
  pronunciationsMax,
  type PrefixTree,
} from './prefix-tree.js';

/** How much each source says; see docs/dictation.md. */
export interface DictationWeights {
  /** ln P of the language model counts so many times. */
  readonly language: number;
  /** Added for each word, nats: above 0 for more words. */
  readonly word: number;
}

export const defaultWeights: DictationWeights = { language: 0.9, word: -2 };

/** What is listened for, shared by all searches; none changes it but for the answers it keeps. */
export interface DictationGraph {
  readonly tree: PrefixTree;
  readonly model: ListedModel;
  /** Its answers, kept from one search to the next. */
  readonly cache: LanguageCache;
  readonly weights: DictationWeights;
  /** Weighted, the most that any word below a node can still get. Keeps answers too. */
  readonly lookAhead: LookAhead;
  /** The most that any pronunciation is worth more, 0 or above. */
  readonly mostBonus: number;
  /** Nats that each pronunciation is worth more than the language model says; null: none is. */
  readonly bonus: Float32Array | null;
  /** The same by word, of those that are worth more. */
  readonly boosts: ReadonlyMap<number, number>;
  /** Words of the model, and of the site, that can be said; and those left out since nothing says how they sound. */
  readonly words: number;
  readonly unpronounced: number;
  wordAt(word: number): string;
  /** Number of a word in the language model. */
  readonly modelWord: (word: number) => number;
}

export interface DictationOptions {
  readonly weights?: Partial<DictationWeights> | undefined;
  /** A site's own terms and the nats that each is worth more; words that the model does not know count as unknown ones. */
  readonly boosted?: ReadonlyMap<string, number>;
  /** Says how words sound as the lexicon does, and may know it from before. */
  readonly guesses?: Pick<Guesses, 'lookup'> | undefined;
}

/** Words between two rests: of unknown ones a board guesses so many in some 50 ms. */
const wordsAtOnce = 16;

/** The words of a language model with the lexicon's pronunciations, as a tree. Throws when none has one. */
export function compileDictation(
  model: ListedModel,
  lexicon: Lexicon,
  options: DictationOptions = {},
): DictationGraph {
  const work = compiling(model, lexicon, options);
  for (;;) {
    const { done, value } = work.next();
    if (done === true) return value;
  }
}

/** The same beside other work, which has its turn again and again: letters to sounds take seconds. */
export async function compileDictationInTurns(
  model: ListedModel,
  lexicon: Lexicon,
  options: DictationOptions = {},
): Promise<DictationGraph> {
  const work = compiling(model, lexicon, options);
  for (;;) {
    const { done, value } = work.next();
    if (done === true) return value;
    await setImmediate();
  }
}

function* compiling(
  model: ListedModel,
  lexicon: Lexicon,
  { weights: some = {}, boosted = new Map(), guesses }: DictationOptions,
): Generator<undefined, DictationGraph> {
  const weights = { ...defaultWeights, ...some };
  const list = new PronunciationList();
  const own = [...boosted.keys()].filter((text) => !isKnown(model, text));
  let words = 0;
  let unpronounced = 0;
  const take = (word: number, text: string) => {
    const ways = waysToSay(text, lexicon, guesses);
    if (ways.length === 0) unpronounced++;
    else words++;
    for (const phones of ways) list.add(word, phones);
    if (list.size > pronunciationsMax)
      throw new KikitoriError(`the vocabulary has more than ${pronunciationsMax} pronunciations`, {
        kind: 'input',
        hint: 'build the language model with fewer words',
      });
  };
  for (let word = 0; word < model.size; word++) {
    const text = model.wordAt(word);
    // <s> and such are said by nobody.
    if (!/^<.*>$/.test(text)) take(word, text);
    if (word % wordsAtOnce === 0) yield;
  }
  own.forEach((text, i) => {
    take(model.size + i, text);
  });
  if (words === 0)
    throw new KikitoriError('no word of the language model has a pronunciation', {
      kind: 'input',
      expected: 'words of letters, in the language of the bundle',
    });
  yield;
  const tree = prefixTree(list);
  yield;
  const modelWord = (word: number) => (word < model.size ? word : model.unknown);
  const wordAt = (word: number) =>
    word < model.size ? model.wordAt(word) : (own[word - model.size] ?? '');
  const boosts = new Map<number, number>();
  if (boosted.size > 0)
    for (const word of tree.word) {
      const nats = boosted.get(wordAt(word));
      if (nats !== undefined) boosts.set(word, nats);
    }
  const bonus = boosts.size === 0 ? null : new Float32Array(tree.word.length);
  for (let i = 0; bonus !== null && i < bonus.length; i++)
    bonus[i] = boosts.get(tree.word[i] ?? 0) ?? 0;
  const mostBonus = Math.max(0, ...boosts.values());
  const weight = weights.language;
  const lookAhead = new LookAhead(tree, { model, weight, modelWord, bonus, mostBonus });
  const cache = new LanguageCache(model);
  const said = { words, unpronounced, wordAt, modelWord };
  return { tree, model, cache, weights, lookAhead, mostBonus, bonus, boosts, ...said };
}

/** The same words, weighed otherwise; neither is changed by the other. */
export function withWeights(
  graph: DictationGraph,
  some: Partial<DictationWeights>,
): DictationGraph {
  const weights = { ...defaultWeights, ...some };
  const { tree, model, modelWord, bonus, mostBonus } = graph;
  const weight = weights.language;
  const lookAhead = new LookAhead(tree, { model, weight, modelWord, bonus, mostBonus });
  return { ...graph, weights, lookAhead, cache: new LanguageCache(model) };
}

function isKnown(model: ListedModel, text: string): boolean {
  const word = model.numberOf(text);
  return word !== undefined && word !== model.unknown;
}

/** Different ones that the lexicon has, and weak forms of function words. Markers such as <s> and words with figures have none. */
export function waysToSay(
  text: string,
  lexicon: Lexicon,
  guesses: Pick<Guesses, 'lookup'> = lexicon,
): number[][] {
  const word = text.toLowerCase();
  const own = lexicon.ownWords.has(word);
  if (!own && !/^[a-z][a-z'.-]*$/.test(word)) return [];
  const ways = guesses.lookup(word).map(({ phones }) => [...phones]);
  if (!own && Object.hasOwn(weakForms, word))
    for (const names of weakForms[word] ?? [])
      ways.push(names.split(' ').map((name) => lexicon.units.indexOf(name)));
  const different = new Map(ways.map((phones) => [phones.join(), phones]));
  return [...different.values()].filter(
    (phones) => phones.length > 0 && phones.every((p) => p > 0),
  );
}
