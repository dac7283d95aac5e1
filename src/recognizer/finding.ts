import {
  certaintyOf,
  gatherEvidence,
  marginLookMax,
  phoneRatios,
  scoreOf,
  type Evidence,
  type LookEvidence,
} from './confidence.js';
import { clipped, duelOf } from './duel.js';
import type { Interpretation } from './graph.js';
import type { OpenSlots } from './open-slots.js';
import { alignSentence, type AlignedPhone } from './search/align.js';
import { fillerScore } from './search/filler.js';
import { runnersUp, type RunnersUp } from './search/runners-up.js';
import type { Candidate } from './search/token-search.js';
import type { SentenceWord } from './search/word-history.js';
import type { UtteranceContext } from './context.js';

/** Sentences kept at each place of the second search: enough that one of them usually means something else. */
const runnersUpKept = 16;
/** A sentence this far below the best one, as a logarithm of likelihoods, is no rival. */
const runnersUpWindow = 30;
/** So many sentences are looked through for one of another meaning. */
const othersMax = 50;
/** Larger graphs are searched once only: the second pass would be heard as latency. Their margin counts as none. */
const secondPassArcsMax = 250_000;

/**
 * How far an opposite must lead the command, as a log-likelihood ratio. Whoever knows the commands says the
 * opposite that is none once in twenty times: a prior odds of 20. Below the lead the opposite is a rival, and
 * lowers the margin of the command (docs/adr/0042-opposites.md).
 */
const oppositeLead = Math.log(20);

/** An utterance under certain weights of priors and blank, and what comes out of it. */
export interface Weighed {
  readonly scores: Float32Array;
  /** Of the network, less the utterance's own prior where it has one. */
  readonly logProbs: Float32Array;
  /** Score of any phones in any order; absent in a bundle without a phone chain. */
  readonly fillerScore: number | undefined;
  /** The best complete sentence, or none; absent before the search. */
  readonly found?: readonly Candidate[];
  /** Its sentence is never the answer: it only agrees or disagrees (see Weighting). */
  readonly votes?: boolean;
}

/** What one look under one weighting finds, and what speaks for it. */
export interface Finding {
  readonly meaning: Interpretation;
  /** The words without a wake phrase. */
  readonly told: readonly SentenceWord[];
  /** Frame after the wake phrase, where the sentence may begin; 0 without one. */
  readonly begin: number;
  readonly phones: readonly AlignedPhone[];
  /** Of each phone, against any phones. */
  readonly ratios: readonly number[];
  /** The best sentence that means something else. */
  readonly second?: { readonly words: readonly SentenceWord[]; readonly margin: number };
  readonly evidence: LookEvidence;
  readonly votes: boolean;
}

/** The finding that counts, with what all of them say of it. */
export interface Decided extends Finding {
  readonly evidence: Evidence;
  readonly score: number;
  readonly certainty: number;
  /** What was said in open slots, if it has any. */
  readonly slots?: OpenSlots;
}

/** The finding with the highest score. Agreement is part of it: a mistake rarely survives three vocal tracts. */
export function decide(
  findings: readonly Finding[],
  { confidence }: Pick<UtteranceContext, 'confidence'>,
): Decided | undefined {
  let most: Decided | undefined;
  for (const finding of findings) {
    if (finding.votes) continue;
    const means = (f: Finding) => f.meaning.key === finding.meaning.key;
    const evidence = {
      ...finding.evidence,
      agreement: mean(findings, (f) => (means(f) ? 1 : 0)),
      marginMean: mean(
        findings,
        (f) => (means(f) ? 1 : -1) * Math.min(f.evidence.margin, marginLookMax),
      ),
    };
    const score = scoreOf(evidence, confidence);
    if (most === undefined || score > most.score)
      most = { ...finding, evidence, score, certainty: certaintyOf(evidence, confidence) };
  }
  return most;
}

const mean = (findings: readonly Finding[], of: (finding: Finding) => number) =>
  findings.reduce((sum, f) => sum + of(f), 0) / findings.length;

/** `levels`: one a step of the utterance. */
export function findingOf(
  weighed: Weighed,
  levels: Float32Array,
  context: UtteranceContext,
): Finding | undefined {
  const { grammar, stepMs } = context;
  const { units } = context.acoustic;
  const { candidates, crowded } = candidatesOf(weighed, context);
  const heard = foremost(candidates, context);
  if (heard === undefined) return undefined;
  const { best, meaning } = heard;
  const second = candidates
    .slice(0, othersMax)
    .find((c) => c !== best && meaningOf(c, context).key !== meaning.key);
  // With no other meaning in sight there is none within the window, or within the last runner-up.
  const last = crowded ? (candidates.at(-1) ?? best).score : -Infinity;
  const margin = best.score - (second?.score ?? last);
  const told = withoutHidden(best, context);
  const begin = beginOf(best, context);
  const { open } = grammar.graph;
  const closed = closedPart(told, begin, weighed.scores.length / units, open);
  const rest = closed.of(weighed.scores, units);
  const aligned = (words: readonly SentenceWord[]) =>
    alignSentence(
      words.map(({ word }) => grammar.phonesOf(word)),
      rest,
      units,
    );
  const isFixed = ({ word }: SentenceWord) => word !== open;
  const { phones: found, score: sentenceScore } = aligned(told.filter(isFixed));
  const places = told.flatMap((word, i) => (isFixed(word) ? [i] : []));
  const phones =
    places.length === told.length
      ? found
      : found.map((p) => ({ ...p, word: places[p.word] ?? p.word }));
  const ratios = phoneRatios(phones, rest, units);
  const secondTold = second === undefined ? undefined : withoutHidden(second, context);
  const idsOf = (words: readonly SentenceWord[]) => words.filter(isFixed).map(({ word }) => word);
  const secondPhones =
    secondTold === undefined ? undefined : aligned(secondTold.filter(isFixed)).phones;
  const duel =
    secondTold === undefined || secondPhones === undefined
      ? clipped(margin)
      : duelOf(
          { words: idsOf(told), phones: found },
          { words: idsOf(secondTold), phones: secondPhones },
          margin,
          { phonesOf: (word) => grammar.phonesOf(word), scores: rest, units },
        );
  const evidence = gatherEvidence({
    phones,
    sentenceScore,
    fillerScore: fillerFrom(closed.whole, rest, weighed.fillerScore, context),
    ratios,
    scores: rest,
    units,
    logProbs: closed.of(weighed.logProbs, units),
    levels: closed.of(levels, 1),
    margin,
    duel,
    secondPhones: secondPhones?.map((p) => p.unit) ?? null,
    sentences: grammar.sentences,
    stepMs,
  });
  return {
    meaning,
    told,
    begin,
    phones,
    ratios,
    ...(secondTold === undefined ? {} : { second: { words: secondTold, margin } }),
    evidence,
    votes: weighed.votes === true,
  };
}

function candidatesOf(
  { scores, found }: Weighed,
  { grammar, acoustic }: UtteranceContext,
): RunnersUp {
  const none = found !== undefined && found.length === 0;
  if (none || grammar.graph.arcUnit.length > secondPassArcsMax)
    return { candidates: found ?? [], crowded: true };
  return runnersUp(grammar.graph, scores, acoustic.units, {
    best: found?.[0]?.score,
    window: runnersUpWindow,
    k: runnersUpKept,
  });
}

/** The best sentence. An opposite that is no command counts only if it leads by oppositeLead; else the best command does. */
function foremost(
  candidates: readonly Candidate[],
  context: UtteranceContext,
): { readonly best: Candidate; readonly meaning: Interpretation } | undefined {
  const [first] = candidates;
  if (first === undefined) return undefined;
  const meaning = meaningOf(first, context);
  if (meaning.refuse !== true) return { best: first, meaning };
  for (const best of candidates.slice(1, othersMax)) {
    if (best.score <= first.score - oppositeLead) break;
    const other = meaningOf(best, context);
    if (other.refuse !== true) return { best, meaning: other };
  }
  return { best: first, meaning };
}

function meaningOf({ words }: Candidate, { grammar }: UtteranceContext): Interpretation {
  return grammar.interpret(words.map((w) => w.word));
}

function withoutHidden({ words }: Candidate, { grammar }: UtteranceContext): SentenceWord[] {
  return words.filter((w) => w.word !== grammar.hidden);
}

/** Where the sentence may begin: after a wake phrase. */
function beginOf({ words: [first] }: Candidate, { grammar }: UtteranceContext): number {
  return first !== undefined && first.word === grammar.hidden ? first.endFrame + 1 : 0;
}

/**
 * The frames that a sentence's evidence is made of: from `begin` on, without those of any words in open slots. So what is fixed
 * is judged as if nothing else had been said. Without open slots nothing is copied.
 */
function closedPart(
  told: readonly SentenceWord[],
  begin: number,
  frames: number,
  open: number | undefined,
) {
  const spans = told.filter(({ word }) => word === open);
  if (open === undefined || spans.length === 0)
    return {
      whole: begin === 0,
      of: (rows: Float32Array, width: number) => rows.subarray(begin * width),
    };
  const inSlot = (t: number) => spans.some((s) => t >= s.startFrame && t <= s.endFrame);
  const kept = Array.from({ length: frames }, (_, t) => t).filter((t) => t >= begin && !inSlot(t));
  return {
    whole: false,
    of(rows: Float32Array, width: number): Float32Array {
      const out = new Float32Array(kept.length * width);
      kept.forEach((t, i) => {
        out.set(rows.subarray(t * width, (t + 1) * width), i * width);
      });
      return out;
    },
  };
}

function fillerFrom(
  whole: boolean,
  rest: Float32Array,
  ofAll: number | undefined,
  { confidence, acoustic }: UtteranceContext,
): number | undefined {
  const { chain } = confidence;
  if (whole || chain === undefined) return ofAll;
  return fillerScore(rest, acoustic.units, chain);
}
