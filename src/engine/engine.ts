import { parseWav } from '../audio/index.js';
import { Bundle, sha256, type Decoding } from '../bundle/index.js';
import { Frontend, shiftRows, warpRows } from '../frontend/index.js';
import type { Heard } from '../records.js';
import {
  AcousticModel,
  compileGrammar,
  Lexicon,
  parseUserWords,
  Recognizer,
  wakePhrase,
  type CompiledGrammar,
  type GrammarDetails,
  type Look,
  type RecognizerOptions,
  type WakePhrase,
  type WakeSettings,
  type WholeAcoustic,
} from '../recognizer/index.js';
import { KikitoriError } from '../runtime/errors.js';
import { processorMs } from '../runtime/processor-time.js';
import { hasFusedMultiplyAdd } from '../runtime/processor.js';
import { bothFaults, type FreeWords, type FreeWordsReader } from './free-words.js';
import { readGrammar } from './grammar-files.js';
import { readText } from './read-text.js';

export { readGrammar } from './grammar-files.js';
export { readText } from './read-text.js';

/** What a site gives to be heard. */
export interface Site {
  readonly grammarPath?: string;
  /** Larger graphs of sentences are refused. */
  readonly phonesMax?: number;
  /** Sentences may have open slots; without it any words are no part of them. */
  readonly freeWords?: FreeWordsReader;
  /** Free words are read even if no sentence has an open slot. */
  readonly dictation?: boolean;
}

/** A site's sentences, and what any words in their open slots are heard with: one is never replaced without the other. */
export interface SiteGrammar extends GrammarDetails {
  readonly freeWords?: FreeWords;
}

export interface EngineOptions extends Site {
  readonly modelPath: string;
  /** A site's own words. */
  readonly wordsPath?: string;
  readonly threads?: number;
  /** Vocal-tract warp of the frontend; 1 is as trained. */
  readonly warp?: number;
  readonly recognizer?: RecognizerOptions;
}

/**
 * A bundle and a grammar made into something that hears. The daemon, `transcribe` and `evaluate` use
 * the same, so what is measured is what ships.
 */
export class Engine {
  private constructor(
    readonly bundle: Bundle,
    readonly acoustic: AcousticModel,
    readonly lexicon: Lexicon,
    private readonly options: EngineOptions,
  ) {}

  static async open(options: EngineOptions): Promise<Engine> {
    const bundle = await Bundle.open(options.modelPath);
    const [acoustic, lexicon] = await Promise.all([
      AcousticModel.open(bundle, { threads: options.threads ?? 1 }),
      readLexicon(bundle, options.wordsPath),
    ]);
    // What computes the network has its own copy, and the lexicon is unpacked.
    bundle.forget('model.onnx');
    bundle.forget('lexicon');
    return new Engine(bundle, acoustic, lexicon, options);
  }

  /** Nothing may hear with it any more. */
  async close(): Promise<void> {
    await this.acoustic.close();
  }

  frontend(warp = this.options.warp ?? 1): Frontend {
    return new Frontend(this.bundle.manifest.features, { warp });
  }

  /** Reads the site's files and compiles them. Throws with all that is wrong with any of them. `known`: free words of before. */
  async compile(site: Site = this.options, known?: FreeWords): Promise<SiteGrammar> {
    const { freeWords, dictation = false } = site;
    let grammar: GrammarDetails;
    try {
      grammar = await this.sentences(site);
    } catch (error) {
      throw (
        (await freeWords?.(this.lexicon, known).then(
          () => error,
          (other: unknown) => bothFaults(error, other),
        )) ?? error
      );
    }
    if (freeWords === undefined || (grammar.graph.open === undefined && !dictation)) return grammar;
    return { ...grammar, freeWords: await freeWords(this.lexicon, known) };
  }

  /** The sentences alone. Where they have open slots nothing is heard with them yet. */
  async sentences(site: Site = this.options): Promise<GrammarDetails> {
    const { grammarPath: file, phonesMax, freeWords } = site;
    if (file === undefined) throw new KikitoriError('no grammar was given', { kind: 'usage' });
    const source = await readGrammar(file);
    const size = phonesMax === undefined ? {} : { phonesMax };
    const openSlots = freeWords !== undefined;
    return compileGrammar(source, { file, lexicon: this.lexicon, ...size, openSlots });
  }

  /** The wake phrase with its pronunciations. Throws a configuration error for one that cannot be. */
  wakePhrase(settings: WakeSettings): WakePhrase {
    return wakePhrase(settings, this.lexicon);
  }

  /** The network in other ways: begun later (`shifts`), then as other vocal tracts (`warps`). */
  looks(
    decoding: Pick<Decoding, 'shifts' | 'warps'> = this.bundle.manifest.decoding,
    acoustic: WholeAcoustic = this.acoustic,
  ): Look[] {
    const { features } = this.bundle.manifest;
    const { shifts = [], warps = [] } = decoding;
    return [
      ...shifts.map(
        (shift): Look =>
          (rows) =>
            acoustic.whole(shiftRows(features, rows, shift)),
      ),
      ...warps.map(
        (warp): Look =>
          (rows) =>
            acoustic.whole(warpRows(features, rows, warp)),
      ),
    ];
  }

  /** `acoustic`: this network in another way, as one that waits its turn. */
  recognizer(
    grammar: CompiledGrammar & Pick<SiteGrammar, 'freeWords'>,
    overrides: RecognizerOptions = {},
    acoustic: WholeAcoustic = this.acoustic,
  ): Recognizer {
    return new Recognizer(this.bundle.manifest, acoustic, grammar, {
      looks: this.looks(undefined, acoustic),
      ...(grammar.freeWords === undefined ? {} : { openSlots: grammar.freeWords }),
      ...this.options.recognizer,
      ...overrides,
    });
  }
}

/** The bundle's lexicon with a site's own words, without loading the network. */
export async function readLexicon(bundle: Bundle, wordsPath?: string): Promise<Lexicon> {
  const lexicon = Lexicon.read(bundle.file('lexicon'), bundle.path);
  if (lexicon.units.join() !== bundle.manifest.units.join()) {
    throw new KikitoriError('the lexicon does not fit: its units are not those of the network', {
      kind: 'bundle',
      where: bundle.path,
      hint: 'pack the bundle again',
    });
  }
  if (wordsPath === undefined) return lexicon;
  const source = await readText(wordsPath, 'a file of words with pronunciations');
  return lexicon.withUserWords(parseUserWords(source, wordsPath, lexicon));
}

/** One clip, whole, as one utterance. */
export async function hearClip(
  engine: Engine,
  recognizer: Recognizer,
  samples: Float32Array,
): Promise<Heard> {
  return recognizer.recognizeWhole(engine.frontend().feed(samples));
}

/** `other processor`: others than recorded, on one that may; the phrase alone decides then. */
export type LogitsAnswer = 'same' | 'different' | 'other processor' | 'not recorded';

/**
 * Whether this processor computes the bundle's own clip bit for bit as the machine that packed it.
 * The kernel does on every processor, ONNX Runtime with 8-bit networks on those with fused multiply-add (all 64-bit ARM, x86
 * since 2013).
 */
export async function ownLogits(engine: Engine): Promise<LogitsAnswer> {
  const wanted = engine.bundle.manifest.selftest.logits;
  if (wanted === undefined) return 'not recorded';
  const wav = parseWav(engine.bundle.file('selftest.wav'), 'selftest.wav');
  const rows = engine.frontend().feed(wav.channels[0] ?? new Float32Array(0)).data;
  const logits = await engine.acoustic.logits(rows);
  if (sha256(new Uint8Array(logits.buffer)) === wanted.sha256) return 'same';
  const exact = engine.acoustic.computedBy === 'kernel' || hasFusedMultiplyAdd();
  return exact ? 'different' : 'other processor';
}

/** The clip that the bundle carries, heard with the sentences that belong to it. */
export async function hearOwnClip(engine: Engine, monotonicMs: () => number) {
  const { selftest } = engine.bundle.manifest;
  const grammar = compileGrammar(JSON.stringify(selftest.grammar), {
    file: 'selftest',
    lexicon: engine.lexicon,
  });
  const wav = parseWav(engine.bundle.file('selftest.wav'), 'selftest.wav');
  const samples = wav.channels[0] ?? new Float32Array(0);
  const clipMs = (1000 * Math.max(1, samples.length)) / wav.rateHz;
  const [begin, beginProcessor] = [monotonicMs(), processorMs()];
  const heard = await hearClip(engine, engine.recognizer(grammar), samples);
  const realTimeFactor = (monotonicMs() - begin) / clipMs;
  const processorFactor = (processorMs() - beginProcessor) / clipMs;
  const logits = await ownLogits(engine);
  return {
    passed: heard.text === selftest.text && logits !== 'different',
    wanted: selftest.text,
    heard: heard.text,
    confidence: heard.confidence,
    logits,
    realTimeFactor,
    /** Without waiting for other programs. */
    processorFactor,
  };
}
