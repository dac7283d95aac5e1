/** What the page asks of the device: each is a POST with a JSON object, answered with one. */
import { basename } from 'node:path';
import type { House } from '../neighbour.js';
import type { CheckThread } from './check-thread.js';
import type { Gate } from './gate.js';
import { grammarBytesMax, readGrammar, saveGrammar, type GrammarHouse } from './grammar-file.js';
import { Refusal, textOf } from './http.js';
import { SentenceDesk } from './sentence.js';

/** Of a sentence that is tried. */
const sentenceLettersMax = 300;
/** Of a body without a grammar in it. */
export const smallBytesMax = 4096;
/** JSON writes some letters with two signs. */
export const grammarBodyBytesMax = 2 * grammarBytesMax + smallBytesMax;

export type Body = Readonly<Record<string, unknown>>;
export type Action = (body: Body) => Promise<unknown>;

/** Of the requests of MQTT those that the page has buttons for. */
const asked: Readonly<Record<string, (body: Body) => Body>> = {
  mute: ({ mute }) => ({ mute: mute !== false }),
  listen: () => ({}),
  stop: () => ({}),
  selftest: () => ({}),
};

export interface Api {
  readonly actions: ReadonlyMap<string, { readonly bytesMax: number; readonly act: Action }>;
  readonly grammar: () => Promise<unknown>;
}

export function apiOf(house: House, gate: Gate, checks: CheckThread): Api {
  const desk = new SentenceDesk();
  const check = async (text: string) => {
    const { path, phonesMax, wordsPath } = house.config().grammar;
    const modelPath = house.engine().bundle.path;
    const openSlots = house.hasFreeWords();
    const job = { text, file: basename(path), phonesMax, modelPath, wordsPath, openSlots };
    const checked = await checks.check(job);
    if (checked === null)
      throw new Refusal(429, 'Other sentences are being checked. Try again in a moment.');
    return checked;
  };
  const heavy = async <T>(work: () => T | Promise<T>): Promise<T> => {
    const turn = await gate.through(work);
    if (turn === null) throw new Refusal(429, 'The device is busy. Try again in a moment.');
    return turn.done;
  };
  const grammarHouse = (): GrammarHouse => ({
    path: house.config().grammar.path,
    check,
    reload: async () => {
      await house.spare();
      const { status, error } = await house.ask('grammar');
      return status === 'ok' ? null : (error ?? 'it was refused');
    },
  });
  const small = (act: Action) => ({ bytesMax: smallBytesMax, act });
  const large = (act: Action) => ({ bytesMax: grammarBodyBytesMax, act });
  const grammarText = (body: Body) => {
    const text = textOf(body, 'text', grammarBytesMax);
    if (Buffer.byteLength(text) > grammarBytesMax)
      throw new Refusal(413, `the sentences are too long: at most ${grammarBytesMax / 1024} kB`);
    return text;
  };
  return {
    grammar: async () => readGrammar(house.config().grammar.path),
    actions: new Map([
      ...Object.entries(asked).map(
        ([name, payload]) => [name, small(async (body) => house.ask(name, payload(body)))] as const,
      ),
      [
        'sentence',
        small(async (body) => {
          const text = textOf(body, 'text', sentenceLettersMax).trim();
          if (text === '') throw new Refusal(400, 'expected a sentence');
          return heavy(() => desk.ask(text, house.grammar(), house.engine().lexicon));
        }),
      ],
      [
        'grammar/check',
        large(async (body) => {
          const text = grammarText(body);
          return check(text);
        }),
      ],
      [
        'grammar/save',
        large(async (body) => {
          const text = grammarText(body);
          const before = textOf(body, 'before', 64);
          return saveGrammar(text, before, grammarHouse());
        }),
      ],
    ]),
  };
}
