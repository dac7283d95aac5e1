import { Engine, hearClip } from '../../src/engine/engine.js';
import { readModelFile } from '../../src/engine/model-file.js';
import { randomFrom } from '../../src/measure/evaluate/statistics.js';
import { installedVoices, padded, speak } from '../../src/measure/evaluate/synthesis.js';
import { wordErrors, wordsOfText } from '../../src/measure/evaluate/word-errors.js';
import { openSlotModel } from '../../src/recognizer/dictation/index.js';
import type { GrammarDetails } from '../../src/recognizer/index.js';
import { defaultModelPath } from '../../src/runtime/paths.js';

/** A sentence with open slots, in its house. */
export interface OpenSentence {
  readonly grammar: GrammarDetails;
  readonly text: string;
  readonly intent: string;
  /** What it means, the words of open slots among it. */
  readonly slots: Readonly<Record<string, unknown>>;
  /** Slots that hold any words. */
  readonly open: readonly string[];
}

/** Spoken by some synthetic voices and heard: lines of what came out. */
export async function hearSpoken(
  sentences: readonly OpenSentence[],
  { voices, languageModel }: { readonly voices: number; readonly languageModel: string },
  alike: (wanted: unknown, given: unknown) => boolean,
  say: (line: string) => void,
): Promise<void> {
  const engine = await Engine.open({ modelPath: defaultModelPath });
  const { model } = await readModelFile(languageModel, { expected: 'a model of "kikitori lm"' });
  const openSlots = openSlotModel(model, engine.lexicon);
  const random = randomFrom(28);
  for (const voice of someVoices(await installedVoices(), voices)) {
    const sum = {
      said: 0,
      intent: 0,
      fixed: 0,
      accepted: 0,
      wholly: 0,
      wrong: 0,
      words: 0,
      errors: 0,
    };
    for (const { grammar, text, intent, slots, open } of sentences) {
      const recognizer = engine.recognizer(grammar, { openSlots });
      const samples = padded(await speak(voice, text), 16_000, random);
      const heard = await hearClip(engine, recognizer, samples);
      const same = (name: string) => alike(slots[name], heard.slots[name]);
      const fixed =
        heard.intent === intent &&
        Object.keys({ ...slots, ...heard.slots })
          .filter((name) => name !== 'domain' || name in slots)
          .every((name) => open.includes(name) || same(name));
      const wholly = fixed && open.every(same);
      sum.said++;
      sum.intent += Number(heard.intent === intent);
      sum.fixed += Number(fixed);
      sum.accepted += Number(heard.accepted);
      sum.wholly += Number(wholly && heard.accepted);
      sum.wrong += Number(!fixed && heard.accepted);
      if (!fixed) continue;
      const wordsIn = (from: Readonly<Record<string, unknown>>) =>
        open.flatMap((name) => wordsOfText(textOf(from[name])));
      const { substituted, left, added, length } = wordErrors(wordsIn(heard.slots), wordsIn(slots));
      sum.words += length;
      sum.errors += substituted + left + added;
    }
    say(
      `${voice.name}: ${sum.said} said; intent right ${sum.intent}, and every fixed slot ${sum.fixed}; words of open slots right ${(100 * (1 - sum.errors / Math.max(1, sum.words))).toFixed(1)} % of ${sum.words}; accepted ${sum.accepted}, wholly right ${sum.wholly}, another command or fixed slot ${sum.wrong}`,
    );
  }
  await engine.close();
}

const textOf = (slot: unknown) => (typeof slot === 'string' ? slot : '');

/** Of each program in turn. */
function someVoices<V extends { readonly program: string }>(all: readonly V[], count: number): V[] {
  const byProgram = new Map<string, V[]>();
  for (const voice of all)
    byProgram.set(voice.program, [...(byProgram.get(voice.program) ?? []), voice]);
  const lists = [...byProgram.values()];
  return Array.from({ length: all.length }, (_, i) => lists.flatMap((l) => l.slice(i, i + 1)))
    .flat()
    .slice(0, count);
}
