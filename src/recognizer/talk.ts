import type { UtteranceContext } from './context.js';
import { defaultLimits, type SearchLimits } from './dictation/dictation-search.js';
import type { Dictated } from './dictation/dictation.js';
import type { OpenSlotModel } from './dictation/open-slot-model.js';
import { alignSentence } from './search/align.js';
import type { SentenceWord } from './search/word-history.js';
import { talkWeights, type TalkWeights } from './talk-weights.js';

/** A command that is less likely to be one is refused: see bench/notes/2026-11-30-open-slots-people.md. */
export const commandProbabilityMin = 0.3;

/**
 * Probability that a command with open slots was meant, and that people are not just talking: a logistic regression on how far it
 * is ahead of any words, and how far its fixed words are ahead of any phones. Few or short fixed words are ahead of phones by
 * little.
 */
export function commandProbability(
  { talk, lead }: { readonly talk: number; readonly lead: number },
  weights: TalkWeights = talkWeights,
): number {
  return 1 / (1 + Math.exp(-(weights.bias + weights.talk * talk + weights.lead * lead)));
}

/** Frames of an open slot, and the score of what was found in them. */
export interface SearchedSlot {
  readonly from: number;
  readonly to: number;
  readonly score: number;
}

/** The fixed words of a command and what was found in its slots. */
export interface SearchedCommand {
  readonly told: readonly SentenceWord[];
  /** Frame at which it may begin. */
  readonly begin: number;
  /** By their place among the words. */
  readonly slots: ReadonlyMap<number, SearchedSlot>;
}

/** Only the score of any words counts, and a wider search gains none that matters. */
const talkLimits: SearchLimits = { ...defaultLimits, beam: 10 };

/** What of the searches is asked: those of an utterance that are kept over its pauses. */
interface Searches {
  search(
    model: OpenSlotModel,
    scores: Float32Array,
    units: number,
    stretch: { readonly from: number; readonly to: number; readonly limits: SearchLimits },
  ): Promise<Pick<Dictated, 'score'>>;
}

/**
 * Log-likelihood ratio of a command with open slots against any words at all, in nats: the utterance as fixed words with what
 * fills the slots, against the best that the language model has for the whole of it. The fixed words alone need not be foretold:
 * that they are said is what a command is. Any phones (search/filler.ts) are too weak a rival here. Where all that follows a few
 * words is free, they need not sound much like what was said.
 */
export async function leadOverTalk(
  { told, begin, slots }: SearchedCommand,
  scores: Float32Array,
  { grammar, acoustic }: UtteranceContext,
  openSlots: OpenSlotModel,
  searches: Searches,
): Promise<number> {
  const { units } = acoustic;
  const frames = scores.length / units;
  const { open, words: names } = grammar.graph;
  let score = 0;
  let from = begin;
  let fixed: SentenceWord[] = [];
  const closeRun = (to: number) => {
    const part = scores.subarray(from * units, to * units);
    score += alignSentence(
      fixed.map(({ word }) => grammar.phonesOf(word)),
      part,
      units,
    ).score;
    for (const { word } of fixed)
      score += openSlots.graph.weights.word * (names[word] ?? '').split(' ').length;
    fixed = [];
  };
  for (const [position, word] of told.entries()) {
    const slot = slots.get(position);
    if (word.word !== open || slot === undefined) {
      fixed.push(word);
      continue;
    }
    if (fixed.length > 0) closeRun(slot.from);
    score += slot.score;
    from = slot.to;
  }
  if (fixed.length > 0) closeRun(frames);
  const any = await searches.search(openSlots, scores, units, {
    ...{ from: begin, to: frames, limits: talkLimits },
  });
  return score - any.score;
}
