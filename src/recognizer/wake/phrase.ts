import { KikitoriError } from '../../runtime/errors.js';
import type { CompiledGrammar, DecodingGraph } from '../graph.js';
import type { Lexicon } from '../lexicon/index.js';

/** What an operator says about the wake phrase. */
export interface WakeSettings {
  readonly phrase: string;
  /** Lowest score that counts; see WakeSpotter. Absent: defaultWakeThreshold. */
  readonly threshold?: number;
  /** After the phrase was heard it is not heard again for this long. */
  readonly refractoryMs?: number;
  /** How long a command may be waited for after it. */
  readonly listenMs?: number;
}

/** A phrase with every way to say it, as unit ids. */
export interface WakePhrase extends Required<WakeSettings> {
  readonly variants: readonly (readonly number[])[];
}

/** Fitted on four phrases by crowds and two of synthetic voices (bench/notes/2026-11-25-refusal-0.2.0.md); `kikitori evaluate --wake` shows a phrase's own. */
export const defaultWakeThreshold = -1.2;
const defaultRefractoryMs = 2000;
const defaultListenMs = 5000;
const variantsMax = 24;
/** Shorter phrases are in everything that is said. */
const phonesMin = 4;

/** Looks the phrase up. Throws for words without letters and for phrases too short to be told apart. */
export function wakePhrase(settings: WakeSettings, lexicon: Lexicon): WakePhrase {
  const words = settings.phrase.toLowerCase().split(/\s+/).filter(Boolean);
  const fault = (what: string, expected: string) =>
    new KikitoriError(what, { kind: 'config', where: 'recognizer.wake.phrase', expected });
  if (words.length === 0) throw fault('there is no wake phrase', 'some words, like "hey machine"');
  let variants: number[][] = [[]];
  for (const word of words) {
    const ways = lexicon.lookup(word);
    if (ways.length === 0) throw fault(`"${word}" has no pronunciation`, 'words of letters');
    variants = variants.flatMap((head) => ways.map((way) => [...head, ...way.phones]));
    variants = variants.slice(0, variantsMax);
  }
  const shortest = Math.min(...variants.map((v) => v.length));
  if (shortest < phonesMin)
    throw fault(
      `"${settings.phrase}" has ${shortest} sounds`,
      `at least ${phonesMin}: two words or a long one`,
    );
  return {
    phrase: words.join(' '),
    threshold: settings.threshold ?? defaultWakeThreshold,
    refractoryMs: settings.refractoryMs ?? defaultRefractoryMs,
    listenMs: settings.listenMs ?? defaultListenMs,
    variants,
  };
}

/** The same sentences, each after the wake phrase, which is one hidden word of the new graph. */
export function afterWake(grammar: CompiledGrammar, wake: WakePhrase): CompiledGrammar {
  const { graph } = grammar;
  const hidden = graph.words.length;
  return {
    ...grammar,
    hidden,
    graph: prefixed(graph, wake.variants, wake.phrase),
    phonesOf: (word) => (word === hidden ? wake.variants : grammar.phonesOf(word)),
    interpret: (words, texts) =>
      grammar.interpret(
        words.filter((w) => w !== hidden),
        texts,
      ),
  };
}

/** New states before the old ones: a start with one chain of phones for each variant. */
function prefixed(
  graph: DecodingGraph,
  variants: readonly (readonly number[])[],
  phrase: string,
): DecodingGraph {
  const word = graph.words.length;
  const arcs: { unit: number; target: number; word: number }[][] = [[]];
  const states = 1 + variants.reduce((n, v) => n + v.length - 1, 0);
  for (const phones of variants) {
    let from = 0;
    phones.forEach((unit, i) => {
      const last = i === phones.length - 1;
      const target = last ? states : arcs.push([]) - 1;
      arcs[from]?.push({ unit, target, word: last ? word : -1 });
      from = target;
    });
  }
  const flat = arcs.flat();
  const starts = [0];
  for (const list of arcs) starts.push((starts.at(-1) ?? 0) + list.length);
  const join = (head: number[], tail: Int32Array) => Int32Array.from([...head, ...tail]);
  return {
    states: states + graph.states,
    arcStart: Int32Array.from([
      ...starts,
      ...Array.from(graph.arcStart.subarray(1), (at) => at + flat.length),
    ]),
    arcUnit: join(
      flat.map((a) => a.unit),
      graph.arcUnit,
    ),
    arcTarget: Int32Array.from([
      ...flat.map((a) => a.target),
      ...Array.from(graph.arcTarget, (t) => t + states),
    ]),
    arcWord: join(
      flat.map((a) => a.word),
      graph.arcWord,
    ),
    final: Uint8Array.from([...new Uint8Array(states), ...graph.final]),
    words: [...graph.words, phrase],
    ...(graph.open === undefined ? {} : { open: graph.open }),
    ...(graph.arcCost === undefined
      ? {}
      : { arcCost: Float32Array.from([...new Float32Array(flat.length), ...graph.arcCost]) }),
  };
}
