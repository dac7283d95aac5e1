import type { Confidence, Decoding, EndpointTimes, Manifest } from '../../bundle/index.js';
import { certaintyOf, interpolated, scoreOf, signs, type Lexicon } from '../../recognizer/index.js';
import { chooseDecoding, otherLooks, weightingsBeside, type GridPoint } from './decoding.js';
import {
  makeExamples,
  makerOf,
  nothingRight,
  pronounceable,
  type JudgedExample,
  type Kind,
  type SpokenClip,
} from './examples.js';
import { chooseEndpoint } from './pauses.js';
import { fitLogistic, type Fitted } from './logistic.js';
import { phoneChain } from './phone-chain.js';
import {
  areaUnderCurve,
  bins,
  calibrationError,
  risingCurve,
  type Bin,
  type Judged,
  type Scored,
} from './reliability.js';

export type { SpokenClip } from './examples.js';

export interface Calibration {
  readonly decoding: Decoding;
  readonly confidence: Confidence;
  readonly endpoint: EndpointTimes;
  /** What the confidence was fitted on, for a look or another fit. */
  readonly judged: readonly JudgedExample[];
  readonly report: CalibrationReport;
}

export interface CalibrationReport {
  readonly grid: readonly GridPoint[];
  readonly clips: number;
  readonly examples: Readonly<Record<string, number>>;
  /** On examples of clips that neither the weights nor the curve were fitted on. */
  readonly heldOut: {
    readonly calibrationError: number;
    readonly areaUnderCurve: number;
    readonly bins: readonly Bin[];
  };
  /** What the threshold does to the examples of each kind. */
  readonly threshold: {
    readonly value: number;
    readonly point: string;
    readonly acceptedOf: Readonly<Record<string, number>>;
    readonly rightAccepted: number;
  };
}

/** The threshold lets these shares through of speech that is no command, and of noise that got as far as a sentence. */
export const falseAcceptShares = { otherSpeech: 0.05, noise: 0.005 } as const;
/**
 * So many right commands may be refused to keep one wrong one from being executed. Where the probability that no other
 * command was meant is below cost / (1 + cost), refusing is the cheaper mistake.
 */
export const wrongCommandCost = 4;
const folds = 5;
/** One clip in so many makes the first confidence, which chooses among the weightings of all clips. */
const firstShare = 3;

/**
 * Priors, blank weight, confidence, threshold and the times that end an utterance, from held-out speech. Each clip gets grammars of its
 * own, so the choice does not depend on any one grammar; see examples.ts. `given`: with looks as `otherLooks`.
 */
export async function calibrate(
  manifest: Manifest,
  given: readonly SpokenClip[],
  lexicon: Lexicon,
  random: () => number,
  progress: (line: string) => void,
): Promise<Calibration> {
  const clips = pronounceable(given, lexicon);
  const maker = makerOf(clips, lexicon, random);
  const spoken = clips.filter((c) => c.text !== '');
  const { decoding: first, grid } = chooseDecoding(
    spoken.flatMap(({ clip, text }) =>
      [maker.many(text), maker.optional(text)].map((grammar) => ({ clip, text, grammar })),
    ),
    manifest.units.length,
    progress,
  );
  const chain = phoneChain(lexicon.pronunciations(), manifest.units.length);
  const judge = async (decoding: Decoding, confidence: Confidence, some: readonly SpokenClip[]) => {
    const examples = await makeExamples(
      { ...manifest, decoding, confidence: { ...confidence, chain } },
      some,
      maker,
      random,
      progress,
    );
    return { examples, fitted: fitConfidence(examples) };
  };
  // Weightings and vocal tracts are chosen by confidence, which must be there before: fitted on the first alone.
  const some = clips.filter((_, i) => i % firstShare === 0);
  const before = await judge(first, manifest.confidence, some);
  const decoding = { ...first, weightings: weightingsBeside(first), ...otherLooks };
  const { examples, fitted } = await judge(decoding, before.fitted.confidence, clips);
  const { confidence, ...rest } = fitted;
  const stepMs = manifest.features.hopMs * manifest.features.stride;
  const endpoint = chooseEndpoint(spoken, lexicon, stepMs, manifest.endpoint);
  return {
    decoding,
    confidence: { ...confidence, chain },
    endpoint,
    judged: examples,
    report: { grid, clips: clips.length, ...rest },
  };
}

/** Weights from all examples; the curve from scores that each come from a fit without the clip. */
export function fitConfidence(
  examples: readonly JudgedExample[],
): { confidence: Confidence } & Omit<CalibrationReport, 'grid' | 'clips'> {
  const scores = new Map<JudgedExample, number>();
  for (let fold = 0; fold < folds; fold++) {
    const inFold = (e: JudgedExample) => e.group % folds === fold;
    const fitted = fitParts(examples.filter((e) => !inFold(e)));
    for (const e of examples.filter(inFold)) scores.set(e, scoreOf(e.evidence, fitted));
  }
  const scoredOf = (chosen: readonly JudgedExample[]): Scored[] =>
    chosen.map((e) => ({ score: scores.get(e) ?? 0, right: e.right, weight: e.weight ?? 1 }));
  const judged = Array.from({ length: folds }, (_, fold) => {
    const curve = risingCurve(scoredOf(examples.filter((e) => e.group % folds !== fold)));
    return scoredOf(examples.filter((e) => e.group % folds === fold)).map((s): Judged => ({
      ...s,
      probability: interpolated(curve, s.score),
    }));
  }).flat();
  const curve = risingCurve(scoredOf(examples));
  const probability = (e: JudgedExample) => interpolated(curve, scores.get(e) ?? 0);
  const parts = fitParts(examples);
  const minCertainty = Number((wrongCommandCost / (1 + wrongCommandCost)).toFixed(2));
  const certain = (e: JudgedExample) => certaintyOf(e.evidence, parts) >= minCertainty;
  // What is refused as ambiguous passes no threshold.
  const passing = (e: JudgedExample) => (certain(e) ? probability(e) : 0);
  const threshold = chooseThreshold(examples, passing);
  const accepted = (kind: JudgedExample[]) =>
    kind.filter((e) => passing(e) >= threshold).length / Math.max(kind.length, 1);
  const kinds = [...new Set(examples.map((e) => e.kind))];
  const right = examples.filter((e) => e.right);
  return {
    confidence: {
      version: 3,
      ...parts,
      curve,
      threshold,
      minCertainty,
    },
    examples: Object.fromEntries(
      kinds.map((k) => [k, examples.filter((e) => e.kind === k).length]),
    ),
    heldOut: {
      calibrationError: calibrationError(judged),
      areaUnderCurve: areaUnderCurve(scoredOf(examples)),
      bins: bins(judged),
    },
    threshold: {
      value: threshold,
      point: `${100 * falseAcceptShares.otherSpeech} % of speech out of the grammar and ${100 * falseAcceptShares.noise} % of noise accepted at most, and where mistakes cost least`,
      acceptedOf: Object.fromEntries(
        kinds.map((k) => [k, accepted(examples.filter((e) => e.kind === k))]),
      ),
      rightAccepted: accepted(right),
    },
  };
}

/**
 * Two decimals, never certainty. At least what keeps out what the stated point says; above that, where the mistakes cost
 * least: a right command refused costs one, a wrong one carried out `wrongCommandCost`, be it that a command was misheard or that
 * other speech was taken for one, which is said as often.
 */
export function chooseThreshold<E extends Pick<JudgedExample, 'kind' | 'right'>>(
  examples: readonly E[],
  probability: (e: E) => number,
): number {
  const sorted = (some: readonly E[]) => some.map(probability).sort((a, b) => b - a);
  const of = (kind: string) => sorted(examples.filter((e) => e.kind === kind));
  const other = of('otherSpeech');
  const commands = examples.filter((e) => !nothingRight.includes(e.kind));
  const [right, misheard] = [true, false].map((r) => sorted(commands.filter((e) => e.right === r)));
  const limit = (kind: keyof typeof falseAcceptShares) =>
    of(kind)[Math.floor(falseAcceptShares[kind] * of(kind).length)];
  const both = Math.max(limit('otherSpeech') ?? 0.5, limit('noise') ?? 0);
  const least = Math.min(0.97, Math.max(0.3, Math.ceil(100 * both + 0.5) / 100));
  const share = (some: readonly number[] | undefined, threshold: number, said: number) =>
    (some ?? []).filter((p) => p >= threshold).length / Math.max(said, 1);
  const cost = (threshold: number) =>
    wrongCommandCost * share(other, threshold, other.length) +
    wrongCommandCost * share(misheard, threshold, commands.length) -
    share(right, threshold, commands.length);
  let best = least;
  for (let hundredths = Math.round(100 * least); hundredths <= 97; hundredths++)
    if (cost(hundredths / 100) < cost(best)) best = hundredths / 100;
  return best;
}

/**
 * Each question from the examples that ask it: right answers against noise, against speech outside of the
 * grammar, and against other commands where the grammar held what was said. Near-misses, words that only
 * sound like one of the grammar, count in the curve alone: no evidence tells them well enough.
 */
function fitParts(
  examples: readonly JudgedExample[],
): Fitted & { readonly rival: Fitted; readonly speech: Fitted } {
  const right = (...against: Kind[]) => examples.filter((e) => e.right || against.includes(e.kind));
  return {
    ...rounded(fitLogistic(right('otherSpeech', 'fragment'), signs.said)),
    rival: rounded(
      fitLogistic(
        examples.filter((e) => !nothingRight.includes(e.kind)),
        signs.rival,
      ),
    ),
    speech: rounded(fitLogistic(right('noise'), signs.speech)),
  };
}

function rounded({ bias, weights }: Fitted): Fitted {
  const five = (v: number) => Number(v.toFixed(5));
  return {
    bias: five(bias),
    weights: Object.fromEntries(Object.entries(weights).map(([n, v]) => [n, five(v)])),
  };
}
