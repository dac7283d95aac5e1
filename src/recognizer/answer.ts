import type { Heard, HeardWord, OpenSlotHeard, RejectReason } from '../records.js';
import { confidenceAt, probabilityOf, type Evidence } from './confidence.js';
import type { Decided } from './finding.js';
import type { Interpretation } from './graph.js';
import { shownWord } from './grammar/open-slot.js';
import type { UtteranceContext } from './context.js';
import { slotConfidenceMin, type OpenSlots } from './open-slots.js';
import { commandProbability, commandProbabilityMin } from './talk.js';
import type { AlignedPhone } from './search/align.js';
import type { SentenceWord } from './search/word-history.js';

/** A sentence this far from what was said, per phone, is no command at all. */
const notACommandRatio = -3;

/** Where an utterance lies, and whether it was as long as one may be. */
export interface Extent {
  readonly startSample: number;
  readonly durationMs: number;
  readonly full: boolean;
}

/** What is told of an utterance: the sentence, whether it is accepted and, if not, why. */
export function answerOf(
  decided: Decided | undefined,
  extent: Extent,
  context: UtteranceContext,
): Heard {
  if (decided === undefined) return nothing(extent, context);
  const { told, phones, ratios, second, evidence, score, certainty, slots } = decided;
  const meaning = slots?.meaning ?? decided.meaning;
  const { startSample } = extent;
  const closed = meaning.refuse === true ? 0 : probabilityOf(score, context.confidence);
  // As certain as its least certain part.
  const meant = meantAsCommand(slots, evidence);
  const confidence = Math.min(closed, slots?.confidence ?? 1, meant);
  // Whatever thresholds a site or an intent has: never while an opposite that is no command is ahead.
  const behind = second !== undefined && second.margin < 0;
  const ambiguous =
    behind || (meaning.minConfidence === undefined && certainty < context.minCertainty);
  const reason = extent.full
    ? 'too-long'
    : (reasonAgainst(closed, ambiguous, meaning, evidence, context) ?? slotReason(slots, meant));
  const words = heardWords(told, phones, ratios, context, slots);
  const endMs = words.at(-1)?.endMs ?? extent.durationMs;
  return {
    accepted: reason === undefined,
    ...(reason === undefined ? {} : { reason }),
    ...(ambiguous ? { ambiguous: true as const } : {}),
    text: slots === undefined ? textOf(told, context) : words.map((w) => w.word).join(' '),
    intent: meaning.refuse === true ? null : meaning.intent,
    slots: meaning.slots,
    ...(meaning.confirm === true ? { confirm: true } : {}),
    said: meaning.said,
    ...(slots === undefined ? {} : { openSlots: openSlotsOf(slots, context) }),
    confidence,
    words,
    startSample,
    endSample: startSample + Math.round(endMs * context.samplesPerMs),
    startMs: words[0]?.startMs ?? 0,
    endMs,
    ...(second === undefined
      ? {}
      : { second: { text: textOf(second.words, context), margin: second.margin } }),
    evidence: { ...evidence, ...slotEvidence(slots) },
  };
}

function slotEvidence(slots: OpenSlots | undefined): Readonly<Record<string, number>> {
  if (slots === undefined) return {};
  const { confidence, talk } = slots;
  return { slots: confidence, ...(talk === undefined ? {} : { talk }) };
}

/** When a stretch of frames began and ended. */
function timesOf(
  startFrame: number,
  endFrame: number,
  { stepMs, lookaheadMs }: Pick<UtteranceContext, 'stepMs' | 'lookaheadMs'>,
) {
  return {
    startMs: Math.round(startFrame * stepMs),
    endMs: Math.round((endFrame + 1) * stepMs + lookaheadMs),
  };
}

function openSlotsOf(
  { slots }: OpenSlots,
  context: UtteranceContext,
): Record<string, OpenSlotHeard> {
  return Object.fromEntries(
    [...slots.values()].flatMap(({ name, confidence, startFrame, endFrame }) =>
      name === undefined
        ? []
        : [
            [
              name,
              {
                confidence: Number(confidence.toFixed(3)),
                ...timesOf(startFrame, endFrame, context),
              },
            ],
          ],
    ),
  );
}

/** The words as they are told: without the wake phrase. */
export function textOf(
  words: readonly Pick<SentenceWord, 'word'>[],
  { grammar: { graph, hidden } }: Pick<UtteranceContext, 'grammar'>,
): string {
  return words.flatMap(({ word }) => (word === hidden ? [] : [shownWord(graph, word)])).join(' ');
}

/** Whether the fixed words alone are accepted; if not, nobody need know what was said between them. */
export function acceptsFixed({ meaning, score }: Decided, context: UtteranceContext): boolean {
  const confidence = probabilityOf(score, context.confidence);
  return meaning.refuse !== true && confidence >= (meaning.minConfidence ?? context.minConfidence);
}

function reasonAgainst(
  confidence: number,
  ambiguous: boolean,
  meaning: Interpretation,
  evidence: Evidence,
  { minConfidence }: UtteranceContext,
): RejectReason | undefined {
  if (meaning.refuse === true) return 'not-a-command';
  if (confidence >= (meaning.minConfidence ?? minConfidence))
    return ambiguous ? 'ambiguous' : undefined;
  return evidence.llrMean < notACommandRatio ? 'not-a-command' : 'low-confidence';
}

/** Why what was said in open slots is refused, although the fixed words are not. */
function slotReason(slots: OpenSlots | undefined, meant: number): RejectReason | undefined {
  if (slots === undefined) return undefined;
  if (slots.tooLong) return 'too-long';
  if (slots.confidence < slotConfidenceMin) return 'low-confidence';
  return meant < commandProbabilityMin ? 'not-a-command' : undefined;
}

/** Probability that a command with open slots is no talk; 1 for what was not asked. */
function meantAsCommand(slots: OpenSlots | undefined, { lead }: Evidence): number {
  return slots?.talk === undefined ? 1 : commandProbability({ talk: slots.talk, lead });
}

function heardWords(
  words: readonly SentenceWord[],
  phones: readonly AlignedPhone[],
  ratios: readonly number[],
  context: UtteranceContext,
  slots: OpenSlots | undefined,
): HeardWord[] {
  const { graph } = context.grammar;
  const told = (word: string, startFrame: number, endFrame: number, confidence: number) => ({
    word,
    ...timesOf(startFrame, endFrame, context),
    confidence: Number(confidence.toFixed(3)),
  });
  return words.flatMap(({ word, startFrame, endFrame }, position) => {
    if (word === graph.open)
      return (slots?.slots.get(position)?.words ?? []).map((w) =>
        told(w.text, w.startFrame, w.endFrame, w.confidence),
      );
    const confidence = confidenceAt(position, phones, ratios);
    return told(graph.words[word] ?? '', startFrame, endFrame, confidence);
  });
}

function nothing(
  { startSample, durationMs, full }: Extent,
  { samplesPerMs }: UtteranceContext,
): Heard {
  return {
    accepted: false,
    reason: full ? 'too-long' : 'noise',
    text: '',
    intent: null,
    slots: {},
    confidence: 0,
    words: [],
    startSample,
    endSample: startSample + Math.round(durationMs * samplesPerMs),
    startMs: 0,
    endMs: durationMs,
    evidence: {},
  };
}
