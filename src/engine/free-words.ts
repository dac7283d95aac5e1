import { createHash } from 'node:crypto';
import type { LanguageManifest } from '../bundle/index.js';
import type { ListedModel } from '../language/model.js';
import {
  defaultWeights,
  openSlotModelInTurns,
  parseBoosts,
  withWeights,
  type DictationGraph,
  type DictationWeights,
  type OpenSlotModel,
} from '../recognizer/dictation/index.js';
import type { Lexicon } from '../recognizer/index.js';
import { KikitoriError, messageOf } from '../runtime/errors.js';
import { readGuesses, writeGuesses } from './guess-store.js';
import { readModelFile, type ReadModel } from './model-file.js';
import { readText } from './read-text.js';

export interface FreeWordsFiles {
  /** A file of `kikitori lm`, or a bundle of one. */
  readonly languageModelPath: string;
  /** A site's own terms and how much likelier each is; empty or none: no such list. */
  readonly boostPath?: string | undefined;
  /** Other than the defaults. */
  readonly weights?: Partial<DictationWeights> | undefined;
  /** Folder in which is kept how unknown words sound; absent: it is guessed each time. */
  readonly guessesFolder?: string | undefined;
}

/** What any words are heard with: in open slots of commands, and in mode dictation. */
export interface FreeWords extends OpenSlotModel {
  /** Of the language model's file; '' where it is no file of `kikitori lm`. */
  readonly sha256: string;
  /** Of its bundle; absent: it is a file alone, without a name. */
  readonly manifest?: LanguageManifest | undefined;
  /** What else they were made of: they are made again only if any of it has changed. */
  readonly lexicon: Lexicon;
  readonly boosted: ReadonlyMap<string, number>;
  readonly guessesFolder?: string | undefined;
  /** Terms of the boost list that nothing says how to pronounce. */
  readonly unsaid: readonly string[];
}

/** Reads them and compiles them against a lexicon. `known`: those that were read before. `read`: the language model, as it was read. */
export type FreeWordsReader = (
  lexicon: Lexicon,
  known?: FreeWords,
  read?: ReadModel,
) => Promise<FreeWords>;

/**
 * Reads both files and compiles them against a lexicon, beside other work. Throws when one is missing, damaged or wrong, and names
 * both if both are. `known` is given back where nothing has changed: to compile takes seconds.
 */
export async function readFreeWords(
  lexicon: Lexicon,
  { languageModelPath, boostPath = '', guessesFolder, weights }: FreeWordsFiles,
  known?: FreeWords,
  read?: ReadModel,
): Promise<FreeWords> {
  const [terms, language] = await Promise.allSettled([
    readBoosts(boostPath),
    read === undefined ? readLanguageModel(languageModelPath) : read,
  ]);
  if (terms.status === 'rejected' && language.status === 'rejected')
    throw bothFaults(terms.reason, language.reason);
  if (terms.status === 'rejected') throw terms.reason;
  if (language.status === 'rejected') throw language.reason;
  const [boosted, { model, file, manifest }] = [terms.value, language.value];
  const sha256 = createHash('sha256').update(file).digest('hex');
  const same = known?.lexicon === lexicon && known.sha256 === sha256;
  if (same && alike([...known.boosted], [...boosted])) {
    const kept = alike(known.manifest, manifest) ? known : { ...known, manifest };
    if (alike(known.graph.weights, { ...defaultWeights, ...weights })) return kept;
    return { ...kept, graph: withWeights(known.graph, weights ?? {}) };
  }
  const made = await freeWordsOf(model, sha256, lexicon, boosted, { guessesFolder, weights });
  return { ...made, manifest };
}

const alike = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);

/** The same words, as they stand, for another bundle: its lexicon may say them otherwise. */
export async function freeWordsFor(lexicon: Lexicon, known: FreeWords): Promise<FreeWords> {
  const { graph, sha256, boosted, manifest, guessesFolder } = known;
  if (known.lexicon === lexicon) return known;
  return {
    ...(await freeWordsOf(graph.model, sha256, lexicon, boosted, {
      guessesFolder,
      weights: graph.weights,
    })),
    manifest,
  };
}

/** A language model's words and own terms, compiled against a lexicon beside other work. */
export async function freeWordsOf(
  model: ListedModel,
  sha256: string,
  lexicon: Lexicon,
  boosted: ReadonlyMap<string, number>,
  { guessesFolder, weights }: Pick<FreeWordsFiles, 'guessesFolder' | 'weights'> = {},
): Promise<FreeWords> {
  const guesses =
    guessesFolder === undefined ? undefined : await readGuesses(guessesFolder, lexicon);
  const free = await openSlotModelInTurns(model, lexicon, { boosted, guesses, weights });
  if (guessesFolder !== undefined && guesses !== undefined)
    await writeGuesses(guessesFolder, lexicon, guesses);
  return {
    ...free,
    sha256,
    lexicon,
    boosted,
    guessesFolder,
    unsaid: unsaidOf(boosted, free.graph),
  };
}

/** Two files that are wrong are told at once. What is no fault of a file goes first and alone. */
export function bothFaults(one: unknown, other: unknown): unknown {
  if (!(one instanceof KikitoriError)) return one;
  if (!(other instanceof KikitoriError)) return other;
  return new KikitoriError(`${messageOf(one)}\n${messageOf(other)}`, { kind: one.kind });
}

/** Terms in nats; none for an empty path. */
export async function readBoosts(path: string): Promise<Map<string, number>> {
  if (path === '') return new Map();
  return parseBoosts(await readText(path, 'a list of terms, "word: FACTOR"'), path);
}

/** Terms that will never be heard. */
export function unsaidOf(
  boosted: ReadonlyMap<string, number>,
  graph: DictationGraph,
): readonly string[] {
  const said = new Set([...graph.boosts.keys()].map((word) => graph.wordAt(word)));
  return [...boosted.keys()].filter((word) => !said.has(word));
}

const readLanguageModel = (path: string): Promise<ReadModel> =>
  readModelFile(path, {
    expected: 'a language model of "kikitori lm"',
    hint: 'an ARPA file becomes one by kikitori lm import',
  });
