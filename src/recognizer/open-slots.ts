import { setImmediate } from 'node:timers/promises';
import { confidenceAt, phoneRatios } from './confidence.js';
import type { UtteranceContext } from './context.js';
import type { Beside, SearchLimits } from './dictation/dictation-search.js';
import { Dictation, type Dictated } from './dictation/dictation.js';
import type { OpenSlotModel } from './dictation/open-slot-model.js';
import type { Interpretation } from './graph.js';
import { alignSentence } from './search/align.js';
import type { SentenceWord } from './search/word-history.js';
import { leadOverTalk, type SearchedSlot } from './talk.js';

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

/** What was said in one open slot. */
export interface OpenSlot {
  /** Name of the slot that it fills; undefined where the meaning has none for it. */
  readonly name: string | undefined;
  readonly text: string;
  /** Mean of its words; 0 without any. */
  readonly confidence: number;
  /** Of its words, or where they would be. */
  readonly startFrame: number;
  readonly endFrame: number;
  readonly words: readonly SlotWord[];
}

/** What was said in the open slots of a sentence. */
export interface OpenSlots {
  /** By their place among the words told. */
  readonly slots: ReadonlyMap<number, OpenSlot>;
  /** Of the least certain slot. */
  readonly confidence: number;
  readonly tooLong: boolean;
  /** How far the command is ahead of any words at all, in nats (see talk.ts); absent where the slots are refused anyway. */
  readonly talk?: number;
  /** What the sentence means with these words. */
  readonly meaning: Interpretation;
}

/** Frames that are searched at once, 0.3 s: what else the process does, such as taking audio in, has its turn between. */
const framesAtOnce = 10;

/** Frames that are searched, and beside which words. */
interface Stretch extends Beside {
  readonly from: number;
  readonly to: number;
  readonly limits?: SearchLimits;
}

/** Searches of the slots of one utterance. What more is said in a slot at the end goes on from where the search was. */
export class SlotSearches {
  private readonly searches = new Map<string, Dictation>();

  /** Frames `from` to `to` of the scores, searched beside these words. */
  async search(
    model: OpenSlotModel,
    scores: Float32Array,
    units: number,
    { from, to, limits, ...beside }: Stretch,
  ): Promise<Dictated> {
    const key = `${from} ${beside.context ?? ''} ${beside.next ?? ''} ${limits?.beam ?? ''}`;
    const known = this.searches.get(key);
    const search =
      known === undefined || known.frames > to - from
        ? new Dictation(model.graph, limits, undefined, beside)
        : known;
    this.searches.set(key, search);
    for (let at = from + search.frames; at < to; at = from + search.frames) {
      const end = Math.min(to, at + framesAtOnce);
      search.feed(scores.subarray(at * units, end * units), units);
      await setImmediate();
    }
    return search.finish();
  }
}

/** Frames between the fixed words beside a slot, silence included. `begin`: where the sentence may begin. */
export function slotSpan(
  told: readonly SentenceWord[],
  position: number,
  frames: number,
  begin = 0,
) {
  const before = told[position - 1];
  const after = told[position + 1];
  return {
    from: before === undefined ? begin : before.endFrame + 1,
    to: after === undefined ? frames : after.startFrame,
  };
}

/**
 * The second pass: each open slot of the sentence is searched by itself, in the frames that the fixed words leave to it. The
 * language model begins after the words before it and goes on to the word after it. Undefined: no slot is open.
 */
export async function hearOpenSlots(
  { told, begin }: { readonly told: readonly SentenceWord[]; readonly begin: number },
  scores: Float32Array,
  context: UtteranceContext,
  searches = new SlotSearches(),
): Promise<OpenSlots | undefined> {
  const { grammar, acoustic, openSlots } = context;
  const { open, words: names } = grammar.graph;
  if (openSlots === undefined) return undefined;
  if (!told.some(({ word }) => word === open)) return undefined;
  const { model } = openSlots.graph;
  const { units } = acoustic;
  const numberOf = (text: string) => model.numberOf(text) ?? model.unknown;
  const frames = scores.length / units;
  const heard = new Map<number, SearchedSlot & { words: readonly SlotWord[] }>();
  let state = model.begin;
  for (const [position, { word }] of told.entries()) {
    if (word !== open) {
      for (const text of (names[word] ?? '').split(' '))
        state = model.advance(state, numberOf(text));
      continue;
    }
    const { from, to } = slotSpan(told, position, frames, begin);
    const next = told[position + 1];
    const nextText = next === undefined ? undefined : (names[next.word] ?? '').split(' ')[0];
    const found = await searches.search(openSlots, scores, units, {
      ...{ from, to, context: state },
      ...(nextText === undefined ? {} : { next: numberOf(nextText) }),
    });
    for (const { text } of found.words) state = model.advance(state, numberOf(text));
    const span = scores.subarray(from * units, to * units);
    const words = judged(found.words, span, units, openSlots, from);
    heard.set(position, { words, from, to, score: found.score });
  }
  const ids = told.map(({ word }) => word);
  const texts = new Map([...heard].map(([at, { words }]) => [at, textOfSlot(words)]));
  const slotNames = slotNamesOf(ids, texts, grammar);
  const slots = new Map(
    [...heard].map(([at, { words, from, to }]): [number, OpenSlot] => [
      at,
      {
        name: slotNames.get(at),
        text: textOfSlot(words),
        confidence: meanConfidence(words),
        startFrame: words[0]?.startFrame ?? from,
        endFrame: words.at(-1)?.endFrame ?? Math.max(from, to - 1),
        words,
      },
    ]),
  );
  const confidence = Math.min(...[...slots.values()].map((slot) => slot.confidence));
  const tooLong = [...slots.values()].some(({ words }) => words.length > slotWordsMax);
  // Of a bundle without a phone chain nothing says how far the fixed words lead.
  const asked =
    !tooLong && confidence >= slotConfidenceMin && context.confidence.chain !== undefined;
  const command = { told, begin, slots: heard };
  const talk = asked
    ? { talk: await leadOverTalk(command, scores, context, openSlots, searches) }
    : {};
  return {
    slots,
    confidence,
    tooLong,
    ...talk,
    meaning: grammar.interpret(ids, texts),
  };
}

/** Signs that no text has: a place of private use for each place of a sentence. */
const markOf = (place: number) => String.fromCharCode(0xe000 + (place % 0x1900));

/** Which slot each open place fills: asked with texts of the same shape that are told apart. */
function slotNamesOf(
  ids: readonly number[],
  texts: ReadonlyMap<number, string>,
  grammar: Pick<UtteranceContext['grammar'], 'interpret'>,
): Map<number, string> {
  const marked = new Map(
    [...texts].map(([at, text]) => [
      at,
      text === '' ? markOf(at) : text.replace(/\S/g, markOf(at)),
    ]),
  );
  const { said } = grammar.interpret(ids, marked);
  const found = Object.entries(said);
  return new Map(
    [...texts.keys()].flatMap((at) => {
      const [name] = found.find(([, words]) => words.includes(markOf(at))) ?? [];
      return name === undefined ? [] : [[at, name]];
    }),
  );
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
