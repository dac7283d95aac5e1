import type { SlotType } from '../../records.js';
import { KikitoriError } from '../../runtime/errors.js';
import type { CompiledGrammar, Interpretation } from '../graph.js';
import type { Lexicon, Pronunciation } from '../lexicon/index.js';
import { bestMeaning } from './best-meaning.js';
import { countSentences, determinize, type Dfa } from './dfa.js';
import { heardGraph, skipArcsMax } from './heard-graph.js';
import { interpretWords } from './interpret.js';
import { isJsgf } from './jsgf-lexer.js';
import { parseJsgf } from './jsgf.js';
import { emptySentences, ShadowedSentences, slotsFilledTwice } from './lost-meaning.js';
import { muteFaults } from './mute.js';
import { buildNfa, type Nfa } from './nfa.js';
import { withOpposites } from './opposites.js';
import { openFaults, openWord, unknownWords } from './open-slot.js';
import { readSentence } from './read-sentence.js';
import { GrammarTooLarge, type SlotMeaning } from './states.js';
import { placeInWords, type Fault, type ParsedGrammar, type Place } from './tree.js';
import { sha256Of, type GrammarSource } from './source.js';
import { slowWarning, tooSlow } from './search-cost.js';
import { skipPhrases, type SkipPhrases } from './skip-words.js';
import { parseYamlGrammar } from './yaml.js';

/** Everything that is wrong with a grammar, each with file, line and column. */
export class GrammarError extends KikitoriError {
  constructor(
    readonly file: string,
    readonly faults: readonly Fault[],
  ) {
    super(
      faults
        .slice(0, 50)
        .map((f) => `${placeInWords({ file, ...f })}: ${f.message}`)
        .join('\n'),
      { kind: 'grammar' },
    );
  }
}

export interface GrammarDetails extends CompiledGrammar {
  /** Names, in file order. */
  readonly intents: readonly string[];
  readonly warnings: readonly Fault[];
  readonly dfa: Dfa;
  /** Every slot that a sentence may fill, sorted, with the types that its values have. */
  readonly slots: ReadonlyMap<string, ReadonlySet<SlotType>>;
  /** What the lexicon gives for each word. */
  readonly pronunciations: ReadonlyMap<string, readonly Pronunciation[]>;
  /** What is listened for beside that: the words as they sound in a sentence. */
  readonly forms: ReadonlyMap<string, readonly Pronunciation[]>;
  /** A written sentence as word ids, however its numbers are written; null when it is none of the grammar's. */
  read(text: string): readonly number[] | null;
  /** What a written sentence means; null when it is none of the grammar's. */
  understand(text: string): Interpretation | null;
}

export interface CompileOptions {
  /** Named in errors; `.jsgf` and `.gram` are read as JSGF, everything else as YAML. */
  readonly file: string;
  readonly lexicon: Lexicon;
  /** A larger graph is refused. */
  readonly phonesMax?: number;
  /** There is a language model: any words can be heard in `wildcard` lists and in {dictation}. */
  readonly openSlots?: boolean;
}

/** Source -> automaton of phones, with its meaning. Throws GrammarError with every fault found. */
export function compileGrammar(source: GrammarSource, options: CompileOptions): GrammarDetails {
  try {
    return compile(source, options);
  } catch (error) {
    // Chains of rules, groups and YAML nodes are followed by recursion: the stack is their limit.
    if (!(error instanceof RangeError && /call stack/.test(error.message))) throw error;
    throw new GrammarError(options.file, [
      { line: 1, column: 1, message: 'parts inside parts inside parts, too deep to follow' },
    ]);
  }
}

function compile(source: GrammarSource, options: CompileOptions): GrammarDetails {
  const { file, lexicon } = options;
  const parsed =
    typeof source === 'string' && (isJsgf(source) || /\.(jsgf|gram)$/i.test(file))
      ? parseJsgf(source, lexicon.ownWords)
      : parseYamlGrammar(source, lexicon.ownWords, options.openSlots);
  const faults = [...parsed.faults, ...muteFaults(parsed.grammar)];
  try {
    const own = lexicon.ownWords;
    const nfa = buildNfa(parsed.grammar, faults, own);
    const skip = skipPhrases(parsed.grammar.skipWords, faults, own);
    if (faults.length > 0) {
      const sounds = soundsIn(nfa, lexicon);
      throw new GrammarError(file, [...faults, ...unspoken(nfa.words, sounds, [nfa.places])]);
    }
    return assemble(source, parsed.grammar, nfa, skip, options);
  } catch (error) {
    if (!(error instanceof GrammarTooLarge)) throw error;
    const hint =
      'fewer optional parts side by side, fewer permutations, or values split over several intents';
    throw new GrammarError(file, [
      ...faults,
      { line: 1, column: 1, message: `${error.message}; use ${hint}` },
    ]);
  }
}

function assemble(
  source: GrammarSource,
  grammar: ParsedGrammar,
  nfa: Nfa,
  skipped: SkipPhrases,
  { file, lexicon, phonesMax = Infinity }: CompileOptions,
): GrammarDetails {
  const best = grammar.order === 'home assistant';
  const shadowed = new ShadowedSentences(nfa);
  const dfa = determinize(nfa, (states) => shadowed.accepted(states));
  if (dfa.final[0] !== true && dfa.edges[0]?.size === 0) {
    throw new GrammarError(file, [
      ...(grammar.lost ?? []),
      { line: 1, column: 1, message: 'no sentence can be said: each needs what can never be said' },
    ]);
  }
  if (dfa.final[0] === true) throw new GrammarError(file, emptySentences(nfa));
  const words = [...nfa.words];
  const open = words.indexOf(openWord);
  const unclear = openFaults(dfa, open, nfa.places.get(openWord) ?? { line: 1, column: 1 });
  if (unclear.length > 0) throw new GrammarError(file, unclear);
  const skip = skipped.phrases.map((phrase) => words.push(phrase.join(' ')) - 1);
  const spelled = (word: string) => nfa.spelled.has(word) || skipped.spelled.has(word);
  const pronunciations = new Map(words.map((word) => [word, pronounce(word, lexicon, spelled)]));
  const places = [nfa.places, skipped.places];
  const mute = unspoken(words, (word) => pronunciations.get(word) ?? [], places);
  if (mute.length > 0) throw new GrammarError(file, mute);
  const listedOf = (word: string) => pronunciations.get(word) ?? lexicon.lookup(word);
  const heard = withOpposites(dfa, words, words.length, (word) => phonesIn(listedOf(word)));
  const all = [...words, ...heard.added];
  const listed = all.map(listedOf);
  const { graph, ways, forms, skipAnywhere, phonesWithSkip } = heardGraph(
    heard.dfa,
    all,
    listed,
    skip,
    lexicon.units,
  );
  const phones = graph.arcUnit.length;
  if (phones > phonesMax)
    throw new GrammarError(file, [{ line: 1, column: 1, message: tooSlow(phones, phonesMax) }]);
  const slow = slowWarning(phones);
  const mayBeSkipped = new Set(skip);
  const shown = (word: number) => (word === open ? unknownWords : (nfa.words[word] ?? ''));
  const interpret: CompiledGrammar['interpret'] = (sentence, texts) => {
    if (sentence.some((w) => w >= words.length)) return noCommand(sentence);
    const told = sentence.flatMap((word, i) =>
      mayBeSkipped.has(word) ? [] : [{ word, text: texts?.get(i) ?? shown(word) }],
    );
    const found = (best ? bestMeaning : interpretWords)(
      nfa,
      told.map(({ word }) => word),
      told.map(({ text }) => text),
    );
    if (found === null) throw new Error('the search gave words that the grammar does not allow');
    return found;
  };
  const read = (text: string) =>
    readSentence(text, dfa, words, mayBeSkipped, { own: lexicon.ownWords }, skipAnywhere);
  return {
    graph,
    dfa,
    intents: [...new Set(grammar.intents.map(({ name }) => name))],
    slots: slotsOf(nfa),
    sentences: countSentences(dfa),
    sha256: sha256Of(source),
    warnings: [
      ...(slow === undefined ? [] : [{ line: 1, column: 1, message: slow }]),
      ...(skipAnywhere ? [] : [skipAtEnds(skipped, phonesWithSkip)]),
      ...grammar.warnings,
      ...(grammar.lost ?? []),
      ...slotsFilledTwice(grammar),
      ...(best ? [] : shadowed.warnings()),
    ].sort(byPlace),
    pronunciations: withoutOpen(pronunciations),
    forms: withoutOpen(new Map(words.map((word, id) => [word, forms[id] ?? []]))),
    phonesOf: (word) => ways[word] ?? [],
    read: (text) => read(text)?.words ?? null,
    interpret,
    understand(text) {
      const found = read(text);
      return found === null ? null : interpret(found.words, found.texts);
    },
  };
}

/** Any words have no sound of their own. */
const withoutOpen = <T>(of: ReadonlyMap<string, T>): ReadonlyMap<string, T> =>
  new Map([...of].filter(([word]) => word !== openWord));

const byPlace = (a: Fault, b: Fault) =>
  (a.file ?? '').localeCompare(b.file ?? '', 'en') || a.line - b.line || a.column - b.column;

const skipAtEnds = ({ places }: SkipPhrases, phones: number): Fault => ({
  ...([...places.values()][0] ?? { line: 1, column: 1 }),
  message: `skip_words are heard before and after a sentence and not within: at every place they would make ${phones.toLocaleString('en')} phones to search, at most ${skipArcsMax.toLocaleString('en')}`,
});

function slotsOf({ edges }: Nfa): Map<string, Set<SlotType>> {
  const found = new Map<string, Set<SlotType>>();
  for (const from of edges)
    for (const { mark } of from) {
      if (mark?.kind !== 'close') continue;
      const types = found.get(mark.slot) ?? new Set();
      found.set(mark.slot, types.add(typeOfValue(mark)));
    }
  return new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function typeOfValue({ value, read }: SlotMeaning): SlotType {
  if (value === undefined) return read?.gives ?? 'string';
  return typeof value === 'number' ? 'number' : typeof value === 'boolean' ? 'boolean' : 'string';
}

type Sounds = (word: string) => readonly Pronunciation[];

const soundsIn =
  (nfa: Nfa, lexicon: Lexicon) =>
  (word: string): Pronunciation[] =>
    pronounce(word, lexicon, (w) => nfa.spelled.has(w));

/** Words without a pronunciation, where they stand. */
function unspoken(
  words: readonly string[],
  sounds: Sounds,
  places: readonly ReadonlyMap<string, Place>[],
): Fault[] {
  return words
    .filter((word) => word !== openWord && sounds(word).length === 0)
    .map((word) => ({
      ...(places.map((p) => p.get(word)).find((p) => p !== undefined) ?? { line: 1, column: 1 }),
      message: `"${word}" has no pronunciation: add it to the word list, as phones or as "sounds like ..."`,
    }));
}

const phonesIn = (ps: readonly Pronunciation[]) => ps.map((p) => p.phones);

/** A sentence with a word that means the other thing. */
function noCommand(sentence: readonly number[]): Interpretation {
  return {
    intent: '',
    slots: {},
    said: {},
    key: `no command: ${sentence.join(' ')}`,
    refuse: true,
  };
}

/** All ways to say a word or, for skip words, a short phrase. */
function pronounce(
  phrase: string,
  lexicon: Lexicon,
  spelled: (word: string) => boolean,
): Pronunciation[] {
  return phrase.split(' ').reduce<Pronunciation[]>((heads, word, i) => {
    const tails = pronounceWord(word, lexicon, spelled(word));
    if (i === 0) return tails;
    return heads.flatMap((h) =>
      tails.map((t) => ({ phones: [...h.phones, ...t.phones], source: t.source })),
    );
  }, []);
}

/** A word's pronunciations; with `spelled` also letter by letter, unless the site says how it sounds. */
export function pronounceWord(word: string, lexicon: Lexicon, spelled: boolean): Pronunciation[] {
  if (word === openWord) return [];
  const known = lexicon.lookup(word);
  if (!spelled || known[0]?.source === 'user') return known;
  const letters = lexicon.spell(word);
  const same = new Set(letters.map((p) => p.phones.join()));
  return [...letters, ...known.filter((p) => !same.has(p.phones.join()))];
}
