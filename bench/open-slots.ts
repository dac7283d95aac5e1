/**
 * Any words inside commands, by synthetic voices: fixed words right, words of the slot right, what is refused, time.
 *   npm run build && node dist/bench/open-slots.js --language-model FILE [--model DIR] [--voices N] [--show]
 * --voices: of those installed the first so many, espeak-ng, flite and festival in turn.
 * Right: the intent is the one that was said; the slot's words by edits. Refused ones count as said in `accepted`.
 * Noise and sentences of no command say what a slot makes of them.
 */
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { Engine, hearClip } from '../src/engine/engine.js';
import { TrieModel } from '../src/language/trie-model.js';
import { randomFrom } from '../src/measure/evaluate/statistics.js';
import { installedVoices, padded, speak } from '../src/measure/evaluate/synthesis.js';
import { wordErrors } from '../src/measure/evaluate/word-errors.js';
import { openSlotModel } from '../src/recognizer/dictation/index.js';
import { compileGrammar } from '../src/recognizer/index.js';
import type { Heard } from '../src/records.js';
import { commit, machine } from './lib/report.js';

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: 'models/kikitori-en' },
    'language-model': { type: 'string', default: '' },
    voices: { type: 'string', default: '6' },
    show: { type: 'boolean', default: false },
  },
});
const say = (line: string) => process.stdout.write(`${line}\n`);

const grammar = {
  lists: { item: { wildcard: true }, place: { wildcard: true } },
  intents: {
    AddItem: { data: [{ sentences: ['add {item} to [my|the] shopping list'] }] },
    Note: { data: [{ sentences: ['(take|make) a note {dictation}'] }] },
    Move: { data: [{ sentences: ['move the {item} over to the {place}'] }] },
    Lights: { data: [{ sentences: ['turn (on|off) the lights'] }] },
    Timer: { data: [{ sentences: ['set a timer for (five|ten|twenty) minutes'] }] },
  },
};

interface Said {
  readonly intent: string | null;
  readonly text: string;
  readonly slots: Readonly<Record<string, string>>;
}

const item = (words: string): Said => ({
  intent: 'AddItem',
  text: `add ${words} to my shopping list`,
  slots: { item: words },
});
const note = (words: string): Said => ({
  intent: 'Note',
  text: `take a note ${words}`,
  slots: { dictation: words },
});
const move = (words: string, place: string): Said => ({
  intent: 'Move',
  text: `move the ${words} over to the ${place}`,
  slots: { item: words, place },
});
const closed = (intent: string | null, text: string): Said => ({ intent, text, slots: {} });

const sentences: readonly Said[] = [
  ...[
    'milk',
    'brown bread',
    'two bottles of water',
    'chicken and rice',
    'soap',
    'a dozen eggs',
  ].map(item),
  ...[
    'the machine is running hot since the morning',
    'call my brother tomorrow evening',
    'the door does not close',
    'water is coming through the roof',
  ].map(note),
  move('wooden box', 'window'),
  move('chairs', 'other side of the room'),
  closed('Lights', 'turn off the lights'),
  closed('Timer', 'set a timer for ten minutes'),
];
const others: readonly Said[] = [
  'what a lovely day it is for a walk',
  'i have not seen him since last winter',
  'the train to london was late again',
  'she asked whether we would come to dinner',
].map((text) => closed(null, text));

const engine = await Engine.open({ modelPath: values.model });
const model = new TrieModel(await readFile(values['language-model']));
const openSlots = openSlotModel(model, engine.lexicon);
const compiled = compileGrammar(JSON.stringify(grammar), {
  file: 'open-slots',
  lexicon: engine.lexicon,
  openSlots: true,
});
const recognizer = engine.recognizer(compiled, { openSlots });
say(`open slots at ${commit()}; ${JSON.stringify(machine())}`);
say(`${openSlots.graph.words} words; ${compiled.graph.arcUnit.length} phones in the graph`);

const byProgram = new Map<string, Awaited<ReturnType<typeof installedVoices>>>();
for (const voice of await installedVoices())
  byProgram.set(voice.program, [...(byProgram.get(voice.program) ?? []), voice]);
const lists = [...byProgram.values()];
const voices = Array.from({ length: 20 }, (_, i) => lists.flatMap((l) => l.slice(i, i + 1)))
  .flat()
  .slice(0, Number(values.voices));
const random = randomFrom(28);

const wordsOf = (text: string) => text.split(' ').filter(Boolean);
const slotsText = (slots: Readonly<Record<string, unknown>>) =>
  Object.keys(slots)
    .sort()
    .flatMap((key) => wordsOf(String(slots[key])));

interface Tally {
  said: number;
  right: number;
  accepted: number;
  wholly: number;
  words: number;
  errors: number;
}
const tally = (): Tally => ({ said: 0, right: 0, accepted: 0, wholly: 0, words: 0, errors: 0 });
const open = tally();
const plain = tally();
const foreign = tally();
const certain: { readonly right: boolean; readonly slots: number }[] = [];
let elapsedMs = 0;
let audioMs = 0;

async function heardOf(samples: Float32Array): Promise<Heard> {
  const began = performance.now();
  const heard = await hearClip(engine, recognizer, samples);
  elapsedMs += performance.now() - began;
  audioMs += samples.length / 16;
  return heard;
}

for (const voice of voices) {
  const own = tally();
  for (const wanted of [...sentences, ...others]) {
    const samples = padded(await speak(voice, wanted.text), 16_000, random);
    const heard = await heardOf(samples);
    const into =
      wanted.intent === null
        ? [foreign]
        : slotsText(wanted.slots).length > 0
          ? [open, own]
          : [plain];
    const ref = slotsText(wanted.slots);
    const right = heard.intent === wanted.intent;
    const errors = right ? wordErrors(slotsText(heard.slots), ref) : null;
    const count = errors === null ? ref.length : errors.substituted + errors.left + errors.added;
    for (const t of into) {
      t.said++;
      t.right += Number(right);
      t.accepted += Number(heard.accepted);
      if (right) t.words += ref.length;
      if (right) t.errors += count;
      t.wholly += Number(right && heard.accepted && count === 0);
    }
    if (right && ref.length > 0)
      certain.push({ right: count === 0, slots: heard.evidence['slots'] ?? 0 });
    if (values.show)
      say(
        `${voice.name}: ${wanted.text} -> ${heard.text} ${heard.accepted ? 'accepted' : (heard.reason ?? '')} ${heard.confidence.toFixed(2)} slots ${(heard.evidence['slots'] ?? NaN).toFixed(2)}`,
      );
  }
  say(`${voice.name}: ${inWords(own)}`);
}

function inWords(t: Tally): string {
  return `${t.said} said, fixed words right ${t.right}, accepted ${t.accepted}, wholly right ${t.wholly}; words of the slots right ${(100 * (1 - t.errors / Math.max(1, t.words))).toFixed(1)} % of ${t.words}`;
}

say(`with open slots: ${inWords(open)}`);
say(`without, beside them: ${inWords(plain)}`);
say(`no commands: ${foreign.said} said, accepted ${foreign.accepted}`);
let noises = 0;
let taken = 0;
for (const level of [0.01, 0.1])
  for (let n = 0; n < 10; n++) {
    const noise = Float32Array.from({ length: 48_000 }, () => level * (random() * 2 - 1));
    const [voice] = voices;
    const inside = n % 2 === 0 && voice !== undefined;
    const head = inside ? await speak(voice, 'add') : new Float32Array(0);
    const tail = inside ? await speak(voice, 'to my shopping list') : new Float32Array(0);
    const heard = await heardOf(
      padded(Float32Array.from([...head, ...noise, ...tail]), 16_000, random),
    );
    noises++;
    taken += Number(heard.accepted);
    if (values.show && heard.text !== '')
      say(
        `noise ${level}: ${heard.text} ${heard.reason ?? 'accepted'} ${heard.confidence.toFixed(2)}`,
      );
  }
say(`noise alone, and in a slot: ${noises}, accepted ${taken}`);
for (const least of [0, 0.2, 0.3, 0.35, 0.4, 0.5, 0.6, 0.7]) {
  const kept = certain.filter(({ slots }) => slots >= least);
  say(
    `slots at ${least} or more: ${kept.length} of ${certain.length}, wholly right ${kept.filter((c) => c.right).length}`,
  );
}
say(`real-time factor ${(elapsedMs / audioMs).toFixed(2)}, the synthesis apart`);
await engine.close();
