import type { Confidence, Decoding, Manifest } from '../../bundle/index.js';
import type { Acoustic } from '../../recognizer/index.js';
import {
  compileGrammar,
  Recognizer,
  type GrammarDetails,
  type Lexicon,
} from '../../recognizer/index.js';
import { fitLogistic, type Example } from './logistic.js';

/** A held-out clip after the network: what was said, and log-probabilities of every step. */
export interface NetworkClip {
  /** Empty for noise or speech that is to be refused. */
  readonly text: string;
  readonly logProbs: Float32Array;
  readonly steps: number;
}

export interface Calibration {
  readonly decoding: Decoding;
  readonly confidence: Confidence;
  readonly grid: readonly { priorWeight: number; blankBias: number; right: number }[];
  readonly clips: number;
  readonly examples: number;
}

/** Other words offered at a position, and positions of a sentence that get some. */
const alternatives = 9;
const positionsMax = 5;
const evidenceNames = ['llrMean', 'llrWorstWord', 'llrWorstPhone', 'margin', 'outside', 'rate'];

/**
 * Priors, blank weight and confidence from held-out speech. Each clip gets a grammar of its own: its
 * sentence with random other words offered at several positions, as a list of a site would. So the
 * choice does not depend on any one grammar.
 */
export async function calibrate(
  manifest: Manifest,
  clips: readonly NetworkClip[],
  lexicon: Lexicon,
  random: () => number,
  progress: (line: string) => void,
): Promise<Calibration> {
  const logPrior = estimatePrior(clips, manifest.units.length);
  const words = [...new Set(clips.flatMap((c) => c.text.split(' ')).filter((w) => w !== ''))];
  const spoken = clips
    .filter((c) => c.text !== '')
    .map((clip) => ({ clip, grammar: confusable(clip.text, words, lexicon, random) }));
  const grid: { priorWeight: number; blankBias: number; right: number }[] = [];
  for (const priorWeight of [0, 0.3, 0.45, 0.6, 0.75, 0.9]) {
    for (const blankBias of [-1, 0, 1, 2]) {
      const decoding = { priorWeight, logPrior, blankBias };
      let right = 0;
      for (const { clip, grammar } of spoken) {
        const heard = await hear({ ...manifest, decoding }, clip, grammar);
        if (heard.text === clip.text) right++;
      }
      grid.push({ priorWeight, blankBias, right: right / spoken.length });
      progress(
        `prior ${priorWeight}, blank ${blankBias}: ${((100 * right) / spoken.length).toFixed(1)} % right`,
      );
    }
  }
  const best = smoothedBest(grid);
  const decoding = {
    priorWeight: best.priorWeight,
    logPrior: logPrior.map((v) => Number(v.toFixed(4))),
    blankBias: best.blankBias,
  };
  const examples = await judge({ ...manifest, decoding }, spoken, clips, words, lexicon, random);
  const fitted = fitLogistic(examples, evidenceNames);
  const rounded = (v: number) => Number(v.toFixed(5));
  const weights = Object.fromEntries(
    Object.entries(fitted.weights).map(([n, v]) => [n, rounded(v)]),
  );
  return {
    decoding,
    confidence: { bias: rounded(fitted.bias), weights, threshold: 0.5 },
    grid,
    clips: clips.length,
    examples: examples.length,
  };
}

/** Log of the mean posterior of each unit. */
export function estimatePrior(clips: readonly NetworkClip[], units: number): number[] {
  const sum = new Float64Array(units);
  let steps = 0;
  for (const clip of clips) {
    if (clip.text === '') continue;
    steps += clip.steps;
    clip.logProbs.forEach((v, i) => (sum[i % units] = (sum[i % units] ?? 0) + Math.exp(v)));
  }
  return [...sum].map((v) => Math.log(Math.max(v / Math.max(steps, 1), 1e-5)));
}

/** The best point by the mean of itself and its neighbours: a plateau, not a peak of chance. */
function smoothedBest(grid: Calibration['grid']): { priorWeight: number; blankBias: number } {
  const score = (g: { priorWeight: number; blankBias: number; right: number }) => {
    const near = grid.filter(
      (o) =>
        Math.abs(o.priorWeight - g.priorWeight) < 0.31 &&
        Math.abs(o.blankBias - g.blankBias) < 1.01,
    );
    return g.right + near.reduce((s, o) => s + o.right, 0) / near.length;
  };
  return [...grid].sort((a, b) => score(b) - score(a))[0] ?? { priorWeight: 0, blankBias: 0 };
}

function confusable(
  text: string,
  words: readonly string[],
  lexicon: Lexicon,
  random: () => number,
): GrammarDetails {
  const pick = () => words[Math.floor(random() * words.length)] ?? 'zero';
  const said = text.split(' ');
  const chosen = new Set(
    said
      .map((_, i) => i)
      .sort(() => random() - 0.5)
      .slice(0, positionsMax),
  );
  const template = said
    .map((word, i) =>
      chosen.has(i) ? `(${[word, ...Array.from({ length: alternatives }, pick)].join('|')})` : word,
    )
    .join(' ');
  const others = Array.from({ length: 20 }, () =>
    Array.from({ length: said.length }, pick).join(' '),
  );
  return compile([template, ...others], lexicon);
}

function compile(sentences: readonly string[], lexicon: Lexicon): GrammarDetails {
  const source = JSON.stringify({
    intents: { said: { data: sentences.map((s) => ({ sentences: [s], slots: { text: s } })) } },
  });
  return compileGrammar(source, { file: 'calibration', lexicon });
}

/** Right answers, wrong answers, sentences that the grammar does not hold, and noise. */
async function judge(
  manifest: Manifest,
  spoken: readonly { clip: NetworkClip; grammar: GrammarDetails }[],
  clips: readonly NetworkClip[],
  words: readonly string[],
  lexicon: Lexicon,
  random: () => number,
): Promise<Example[]> {
  const examples: Example[] = [];
  const add = async (clip: NetworkClip, grammar: GrammarDetails) => {
    const heard = await hear(manifest, clip, grammar);
    if (Object.keys(heard.evidence).length === 0) return;
    examples.push({
      evidence: heard.evidence,
      right: heard.text === clip.text && clip.text !== '',
    });
  };
  for (const { clip, grammar } of spoken) {
    await add(clip, grammar);
    // The same clip under the sentences of others: everything it can say is wrong.
    const other = spoken[Math.floor(random() * spoken.length)];
    if (other !== undefined && other.clip.text !== clip.text) await add(clip, other.grammar);
    await add(
      clip,
      confusable(
        Array.from({ length: 4 }, () => words[Math.floor(random() * words.length)] ?? 'zero').join(
          ' ',
        ),
        words.filter((w) => !clip.text.split(' ').includes(w)),
        lexicon,
        random,
      ),
    );
  }
  for (const clip of clips.filter((c) => c.text === '')) {
    const other = spoken[Math.floor(random() * spoken.length)];
    if (other !== undefined) await add(clip, other.grammar);
  }
  return examples;
}

function hear(manifest: Manifest, clip: NetworkClip, grammar: GrammarDetails) {
  const replay: Acoustic = {
    units: manifest.units.length,
    dim: 1,
    begin: () => ({
      feed: async () => ({ data: clip.logProbs, steps: clip.steps }),
      finish: async () => ({ data: new Float32Array(0), steps: 0 }),
    }),
  };
  const recognizer = new Recognizer(manifest, replay, grammar);
  return recognizer.recognizeWhole({ data: new Float32Array(1), steps: 1, dim: 1, firstStep: 0 });
}
