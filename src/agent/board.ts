/** What the agent asks of the configuration and the board: how to reach the broker, whether the clock is right. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { brokerSecrets, type Config } from '../config/index.js';
import type { Engine, Site, SiteGrammar } from '../engine/engine.js';
import { readFreeWords, type FreeWords, type FreeWordsFiles } from '../engine/free-words.js';
import { defaultMinConfidence } from '../recognizer/dictation/index.js';
import type { EarOptions } from './ear.js';
import { agentVersion } from '../runtime/version.js';

/** Where the broker is and how to prove who we are; a secret that is not there is thrown now, not later. */
export function linkOptions(config: Config) {
  const m = config.publish.mqtt;
  return {
    url: m.url,
    protocolVersion: m.protocolVersion,
    qos: config.publish.qos === 0 ? (0 as const) : (1 as const),
    retain: config.publish.retain,
    clientId: m.clientId === '' ? `kikitori-${config.device.id}` : m.clientId,
    rejectUnauthorized: m.rejectUnauthorized,
    keepaliveMs: m.keepaliveMs,
    connectTimeoutMs: m.connectTimeoutMs,
    ...(m.username === '' ? {} : { username: m.username }),
    secrets: brokerSecrets(m, 'publish.mqtt'),
    ...(m.servername === '' ? {} : { servername: m.servername }),
  };
}

/** Whether the kernel says that the clock is disciplined; a board without a battery begins in the past. */
export function clockSynced(): boolean {
  try {
    readFileSync('/run/systemd/timesync/synchronized');
    return true;
  } catch {
    return false;
  }
}

/** What the configuration says about recognition; null leaves it to the bundle. */
export function recognizerOptions({ recognizer: r }: Config, engine: Engine): EarOptions {
  const set = (value: number | null) => value ?? undefined;
  return {
    minConfidence: set(r.minConfidence),
    minCertainty: set(r.minCertainty),
    dictationByRequest: r.dictation === 'push-to-talk',
    ...(r.mode === 'wake'
      ? { wake: engine.wakePhrase({ ...r.wake, threshold: set(r.wake.threshold) }) }
      : {}),
    endpoint: {
      finalMs: set(r.finalMs),
      openMs: set(r.openMs),
      holdMs: set(r.holdMs),
      prefixMs: set(r.prefixMs),
      maxUtteranceMs: set(r.maxUtteranceMs),
      preRollMs: set(r.preRollMs),
    },
  };
}

/** The files that free words are heard with: the operator's, or another language model. Undefined: none are heard. */
export function freeWordsFilesOf(
  { recognizer }: Config,
  languageModelPath = recognizer.languageModelPath,
): FreeWordsFiles | undefined {
  const { boostPath, languageWeight, wordInsertion } = recognizer;
  const weights = {
    ...(languageWeight === null ? {} : { language: languageWeight }),
    ...(wordInsertion === null ? {} : { word: wordInsertion }),
  };
  return languageModelPath === '' ? undefined : { languageModelPath, boostPath, weights };
}

/**
 * What the site gives to be heard. `mode`: as it is now, where a changed one waits for a restart. `guessesFolder`: null for who must
 * not write beside the daemon.
 */
export function siteOf(
  config: Config,
  mode = config.recognizer.mode,
  languageModelPath?: string,
  guessesFolder: string | null = join(config.state.dir, 'guesses'),
): Site {
  const named = freeWordsFilesOf(config, languageModelPath);
  const files = named && { ...named, ...(guessesFolder === null ? {} : { guessesFolder }) };
  return {
    grammarPath: config.grammar.path,
    phonesMax: config.grammar.phonesMax,
    ...(files === undefined
      ? {}
      : { freeWords: (lexicon, known, read) => readFreeWords(lexicon, files, known, read) }),
    dictation: mode === 'dictation',
  };
}

/** What this board runs; `shorter` for a broker that does not take the whole configuration. */
export function infoOf(
  { bundle: { manifest, sha256 } }: Engine,
  grammar: Pick<SiteGrammar, 'sha256' | 'sentences' | 'freeWords'>,
  config: Config,
) {
  const { freeWords } = grammar;
  const { confidence } = manifest;
  const { mode, minConfidence, minCertainty } = config.recognizer;
  const info = {
    version: agentVersion,
    model: { name: manifest.name, version: manifest.version, sha256 },
    grammar: { sha256: grammar.sha256, sentences: grammar.sentences },
    ...(freeWords === undefined ? {} : { languageModel: languageModelInfo(freeWords) }),
    thresholds: {
      minConfidence:
        minConfidence ?? (mode === 'dictation' ? defaultMinConfidence : confidence.threshold),
      minCertainty: minCertainty ?? confidence.minCertainty ?? 0,
    },
  };
  return { whole: { ...info, config }, shorter: { ...info, config: {}, shortened: true } };
}

function languageModelInfo({ manifest, sha256, graph }: FreeWords) {
  const { name, version } = manifest ?? {};
  return { sha256, words: graph.words, ...(name === undefined ? {} : { name, version }) };
}
