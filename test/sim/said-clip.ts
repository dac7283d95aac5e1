import type { NetworkClip } from '../../src/measure/evaluate/network.js';
import { randomFrom } from '../../src/measure/evaluate/statistics.js';
import { compileGrammar, type GrammarDetails } from '../../src/recognizer/index.js';
import { listenerManifest } from './spoken-network.js';
import { tinyLexicon } from './tiny-checkpoint.js';

/** What a network would say of words, written down: probabilities by unit, step by step. */
export type Row = Readonly<Record<number, number>>;

const lexicon = tinyLexicon();
const units = listenerManifest.units.length;
const random = randomFrom(6);

export const grammarOf = (
  sentences: readonly string[],
  intent: Readonly<Record<string, unknown>> = {},
): GrammarDetails => {
  const data = sentences.map((s) => ({ sentences: [s], slots: { text: s } }));
  return compileGrammar(JSON.stringify({ intents: { A: { ...intent, data } } }), {
    file: 'test',
    lexicon,
  });
};

/** Rows in which each unit has about the probability given, the others little and differently little. */
export function clipOf(rows: readonly Row[]): NetworkClip {
  const logProbs = new Float32Array(rows.length * units);
  rows.forEach((row, step) => {
    const p = Array.from({ length: units }, (_, u) => row[u] ?? 0.001 + 0.002 * random());
    const sum = p.reduce((a, b) => a + b, 0);
    p.forEach((v, u) => (logProbs[step * units + u] = Math.log(v / sum)));
  });
  return { logProbs, steps: rows.length, levels: new Float32Array(rows.length).fill(1) };
}

export const phonesOf = (text: string): number[] =>
  text.split(' ').flatMap((w) => [...(lexicon.lookup(w)[0]?.phones ?? [])]);

export const silence: readonly Row[] = Array.from({ length: 8 }, () => ({ 0: 0.95 }));

/** Each phone of the text for two steps at p, with blank at `blank`, and a step of blank after it. */
export const said = (text: string, p: number, blank: number): Row[] =>
  phonesOf(text).flatMap((unit) => [{ [unit]: p, 0: blank }, { [unit]: p, 0: blank }, { 0: 0.9 }]);
