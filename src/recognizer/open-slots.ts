import { confidenceAt, phoneRatios } from './confidence.js';
import type { UtteranceContext } from './context.js';
import { Dictation } from './dictation/dictation.js';
import type { OpenSlotModel } from './dictation/open-slot-model.js';
import type { Interpretation } from './graph.js';
import { alignSentence } from './search/align.js';
import type { SentenceWord } from './search/word-history.js';

/** A slot of more words is refused as too long. */
export const slotWordsMax = 12;
/** A slot that is less certain is refused: see bench/notes/2026-11-30-open-slots.md. */
export const slotConfidenceMin = 0.3;

export interface SlotWord {
  readonly text: string;
  readonly startFrame: number;
  readonly endFrame: number;
  readonly confidence: number;
}

/** What was said in the open slots of a sentence. */
export interface OpenSlots {
  /** By the place of the slot among the words told. */
  readonly words: ReadonlyMap<number, readonly SlotWord[]>;
  /** Of the least certain slot; 0 for one without words. */
  readonly confidence: number;
  readonly tooLong: boolean;
  /** What the sentence means with these words. */
  readonly meaning: Interpretation;
}

/** Frames between the fixed words beside a slot, silence included. */
export function slotSpan(told: readonly SentenceWord[], position: number, frames: number) {
  const before = told[position - 1];
  const after = told[position + 1];
  return {
    from: before === undefined ? 0 : before.endFrame + 1,
    to: after === undefined ? frames : after.startFrame,
  };
}

/**
 * The second pass: each open slot of the sentence is searched by itself, in the frames that the fixed words leave to it. The
 * language model begins after the words before it and goes on to the word after it. Undefined: no slot is open.
 */
export function hearOpenSlots(
  { told }: { readonly told: readonly SentenceWord[] },
  scores: Float32Array,
  { grammar, acoustic, openSlots }: UtteranceContext,
): OpenSlots | undefined {
  const { open, words: names } = grammar.graph;
  if (openSlots === undefined) return undefined;
  if (!told.some(({ word }) => word === open)) return undefined;
  const { model } = openSlots.graph;
  const { units } = acoustic;
  const numberOf = (text: string) => model.numberOf(text) ?? model.unknown;
  const words = new Map<number, readonly SlotWord[]>();
  let context = model.begin;
  told.forEach(({ word }, position) => {
    if (word !== open) {
      for (const text of (names[word] ?? '').split(' '))
        context = model.advance(context, numberOf(text));
      return;
    }
    const { from, to } = slotSpan(told, position, scores.length / units);
    const next = told[position + 1];
    const nextText = next === undefined ? undefined : (names[next.word] ?? '').split(' ')[0];
    const span = scores.subarray(from * units, to * units);
    const search = new Dictation(openSlots.graph, undefined, undefined, {
      context,
      ...(nextText === undefined ? {} : { next: numberOf(nextText) }),
    });
    search.feed(span, units);
    const found = search.finish().words;
    for (const { text } of found) context = model.advance(context, numberOf(text));
    words.set(position, judged(found, span, units, openSlots, from));
  });
  const texts = new Map([...words].map(([at, said]) => [at, textOfSlot(said)]));
  return {
    words,
    confidence: Math.min(...[...words.values()].map(meanConfidence)),
    tooLong: [...words.values()].some((said) => said.length > slotWordsMax),
    meaning: grammar.interpret(
      told.map(({ word }) => word),
      texts,
    ),
  };
}

export const textOfSlot = (words: readonly SlotWord[]) => words.map((w) => w.text).join(' ');

const meanConfidence = (words: readonly SlotWord[]) =>
  words.length === 0 ? 0 : words.reduce((sum, w) => sum + w.confidence, 0) / words.length;

/**
 * Noise gives words too, and no other words that would be likelier. So the share that the search gives a word counts with how
 * well its phones are heard, as for the words of a command.
 */
function judged(
  found: readonly SlotWord[],
  span: Float32Array,
  units: number,
  model: OpenSlotModel,
  from: number,
): SlotWord[] {
  const { phones } = alignSentence(
    found.map(({ text }) => model.phonesOf(text)),
    span,
    units,
  );
  const ratios = phoneRatios(phones, span, units);
  return found.map(({ text, startFrame, endFrame, confidence }, position) => ({
    text,
    startFrame: startFrame + from,
    endFrame: endFrame + from,
    confidence: confidence * confidenceAt(position, phones, ratios),
  }));
}
