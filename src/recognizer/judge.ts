import type { Weighting } from '../bundle/index.js';
import { probabilityOf, speechFrames } from './confidence.js';
import type { Look } from './acoustic.js';
import type { UtteranceContext } from './context.js';
import { decide, findingOf, type Decided, type Finding, type Weighed } from './finding.js';
import { weighted } from './scores.js';
import { fillerScore } from './search/filler.js';
import type { Candidate } from './search/token-search.js';

/** Larger graphs get one look and one weighting: any other is a search after the last word, which is heard as latency. */
const weightingsArcsMax = 15_000;
/** Fewer frames with a phone than this are no speech. */
const speechFramesMin = 3;

/**
 * Below this probability after the first look there is no other. Talk between people is nearly all below it. Of 1,309
 * hearings of orders, more looks saved two from below.
 */
const hopelessProbability = 0.1;

/** What is at least this certain at first, and accepted, is answered at once. */
const plainCertainty = 0.97;

/** What was heard of an utterance, from its first step on. */
export interface Sounds {
  /** As the network gave them, row-major [steps, units]. */
  readonly logProbs: Float32Array;
  /** The same as they are searched. */
  readonly scores: Float32Array;
  /** Level of each step. */
  readonly levels: Float32Array;
  /** Rows of features, for other looks; none where there are no others. */
  readonly features: Float32Array;
  /** Of the complete sentences the best, if any. */
  readonly found: readonly Candidate[];
  /** Score of any phones in any order; absent in a bundle without a phone chain. */
  readonly fillerScore: number | undefined;
  /** As long as an utterance may be: refused whatever it is. */
  readonly full: boolean;
}

/** Whether utterances of this grammar may be looked at again. */
export function looksAgain({ looks, grammar }: UtteranceContext): boolean {
  return looks.length > 0 && grammar.graph.arcUnit.length <= weightingsArcsMax;
}

/**
 * What was said, under all weightings. Unless it is hopeless or plain, also begun a few frames later. In doubt also through all
 * vocal tracts. Undefined: nothing was said.
 */
export async function judge(
  sounds: Sounds,
  context: UtteranceContext,
): Promise<Decided | undefined> {
  const { scores, logProbs, found } = sounds;
  // The first weighting alone says whether anybody spoke. The others choose among sentences.
  if (found.length === 0 || speechFrames(scores, context.acoustic.units).length < speechFramesMin)
    return undefined;
  const findings = findingsOf([sounds, ...weighAgain(logProbs, context)], sounds, context);
  const decided = decide(findings, context);
  if (!looksAgain(context) || sounds.full || settled(decided, context)) return decided;
  const through = async (looks: readonly Look[]) => {
    for (const look of looks) {
      const seen = (await look(sounds.features)).data;
      findings.push(...findingsOf(weighAll(seen, context), sounds, context));
    }
    return decide(findings, context);
  };
  const shifts = context.decoding.shifts?.length ?? 0;
  const steady = await through(context.looks.slice(0, shifts));
  return doubtful(steady, context) ? through(context.looks.slice(shifts)) : steady;
}

/** Whether no other look is worth its cost: it is hopeless, as what people say to each other is, or plain. */
function settled(decided: Decided | undefined, { confidence }: UtteranceContext): boolean {
  if (decided === undefined) return true;
  const probability = probabilityOf(decided.score, confidence);
  return (
    probability < hopelessProbability ||
    (decided.certainty >= plainCertainty && probability >= confidence.threshold)
  );
}

/**
 * Whether another look may change the answer: it would be refused. By the bundle's own thresholds: the confidence must
 * not depend on those of a site.
 */
function doubtful(decided: Decided | undefined, { confidence }: UtteranceContext): boolean {
  if (decided === undefined) return false;
  return (
    probabilityOf(decided.score, confidence) < confidence.threshold ||
    decided.certainty < (confidence.minCertainty ?? 0)
  );
}

/** The whole utterance under all weightings. */
function* weighAll(logProbs: Float32Array, context: UtteranceContext): Generator<Weighed> {
  const { priorWeight, blankBias } = context.decoding;
  yield weigh(logProbs, { priorWeight, blankBias }, context);
  yield* weighAgain(logProbs, context);
}

/** The whole utterance under the bundle's other weightings. */
function* weighAgain(logProbs: Float32Array, context: UtteranceContext): Generator<Weighed> {
  const { decoding, grammar } = context;
  if (grammar.graph.arcUnit.length > weightingsArcsMax) return;
  for (const weighting of decoding.weightings ?? []) yield weigh(logProbs, weighting, context);
}

function weigh(
  given: Float32Array,
  weighting: Weighting,
  { decoding, acoustic, confidence }: UtteranceContext,
): Weighed {
  const { scores, logProbs } = weighted(given, decoding, weighting);
  const { chain } = confidence;
  const filler = chain === undefined ? undefined : fillerScore(scores, acoustic.units, chain);
  return { scores, logProbs, fillerScore: filler, votes: weighting.votes };
}

function findingsOf(
  weighed: Iterable<Weighed>,
  { levels }: Sounds,
  context: UtteranceContext,
): Finding[] {
  return [...weighed].flatMap((w) => findingOf(w, levels, context) ?? []);
}
