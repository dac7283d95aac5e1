import { createHash } from 'node:crypto';
import type { TrieModel } from '../language/trie-model.js';
import {
  compileDictation,
  parseBoosts,
  type DictationGraph,
} from '../recognizer/dictation/index.js';
import type { Lexicon } from '../recognizer/index.js';
import { KikitoriError, messageOf } from '../runtime/errors.js';
import { readModelFile } from './model-file.js';
import { readText } from './read-text.js';

export interface FreeWordsFiles {
  /** A file of `kikitori lm`. */
  readonly languageModelPath: string;
  /** A site's own terms and how much likelier each is; empty or none: no such list. */
  readonly boostPath?: string;
}

/** What dictation listens for. */
export interface FreeWords {
  readonly graph: DictationGraph;
  /** Of the language model's file. */
  readonly sha256: string;
  /** Terms of the boost list that nothing says how to pronounce. */
  readonly unsaid: readonly string[];
}

/** Reads both files and compiles them against a lexicon. Throws when one is missing, damaged or wrong, and names both if both are. */
export async function readFreeWords(
  lexicon: Lexicon,
  { languageModelPath, boostPath = '' }: FreeWordsFiles,
): Promise<FreeWords> {
  const [terms, language] = await Promise.allSettled([
    readBoosts(boostPath),
    readLanguageModel(languageModelPath),
  ]);
  if (terms.status === 'rejected' && language.status === 'rejected')
    throw new KikitoriError([terms, language].map(({ reason }) => messageOf(reason)).join('\n'), {
      kind: 'input',
    });
  if (terms.status === 'rejected') throw terms.reason;
  if (language.status === 'rejected') throw language.reason;
  const [boosted, { model, sha256 }] = [terms.value, language.value];
  const graph = compileDictation(model, lexicon, { boosted });
  return { graph, sha256, unsaid: unsaidOf(boosted, graph) };
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

async function readLanguageModel(path: string): Promise<{ model: TrieModel; sha256: string }> {
  const { model, file } = await readModelFile(path, {
    expected: 'a language model of "kikitori lm"',
    hint: 'an ARPA file becomes one by kikitori lm import',
  });
  return { model, sha256: createHash('sha256').update(file).digest('hex') };
}
