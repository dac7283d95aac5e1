/**
 * What any words in commands cost a daemon: to take a language model in, to search a slot, and for how long nothing else has its
 * turn meanwhile. Processor time, so that what else runs here does not count.
 *   npm run build && node --expose-gc dist/bench/slot-time.js --language-model FILE [--model DIR] [--voices N]
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Engine } from '../src/engine/engine.js';
import { readFreeWords } from '../src/engine/free-words.js';
import { randomFrom } from '../src/measure/evaluate/statistics.js';
import { installedVoices, padded, speak } from '../src/measure/evaluate/synthesis.js';
import { Listener } from '../src/recognizer/index.js';
import { SlotSearches } from '../src/recognizer/open-slots.js';
import { processorMs } from '../src/runtime/processor-time.js';
import { commit, machine } from './lib/report.js';

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: 'models/kikitori-en' },
    'language-model': { type: 'string', default: '' },
    voices: { type: 'string', default: '3' },
  },
});
const grammar = `lists: {item: {wildcard: true}}
intents:
  Note: {data: [{sentences: ["(take|make) a note {dictation}"]}]}
  Add: {data: [{sentences: ["add {item} to [my|the] shopping list"]}]}
`;
const sentences = [
  'add milk to my shopping list',
  'add two bottles of water to my shopping list',
  'take a note the machine is running hot since the morning',
  'take a note water is coming through the roof and the door does not close',
];
const say = (line: string) => process.stdout.write(`${line}\n`);
const collect = (globalThis as { gc?: () => void }).gc ?? (() => undefined);
const rssMb = () => process.memoryUsage.rss() / 1e6;

/** The most processor time that passes between two turns of the event loop. */
async function longestTurn(work: () => Promise<void>): Promise<number> {
  let longest = 0;
  let last = processorMs();
  let over = false;
  const turn = () => {
    const now = processorMs();
    longest = Math.max(longest, now - last);
    last = now;
    if (!over) setImmediate(turn);
  };
  setImmediate(turn);
  await work();
  over = true;
  return longest;
}

const folder = await mkdtemp(join(tmpdir(), 'kikitori-slot-time-'));
try {
  const grammarPath = join(folder, 'sentences.yaml');
  await writeFile(grammarPath, grammar);
  const engine = await Engine.open({
    ...{ modelPath: values.model, grammarPath },
    freeWords: (lexicon, known) =>
      readFreeWords(lexicon, { languageModelPath: values['language-model'] }, known),
  });
  say(`slots at ${commit()}; ${JSON.stringify(machine())}`);
  collect();
  const beforeMb = rssMb();
  let began = processorMs();
  let compiled = await engine.compile();
  const firstMs = processorMs() - began;
  collect();
  const addedMb = rssMb() - beforeMb;
  began = processorMs();
  const turnMs = await longestTurn(async () => {
    compiled = await engine.compile(undefined, compiled.freeWords);
  });
  say(
    `${compiled.freeWords?.graph.words ?? 0} words: ${firstMs.toFixed(0)} ms to take in, ${addedMb.toFixed(0)} MB; unchanged ${(processorMs() - began).toFixed(0)} ms, at most ${turnMs.toFixed(0)} ms at once`,
  );
  const anew = await longestTurn(async () => {
    await engine.compile();
  });
  say(`taken in again while it hears: at most ${anew.toFixed(0)} ms at once`);

  const searched: { ms: number; seconds: number }[] = [];
  const search = Reflect.get<SlotSearches, 'search'>(SlotSearches.prototype, 'search');
  SlotSearches.prototype.search = async function (...args) {
    const begin = processorMs();
    const found = await search.apply(this, args);
    const [, , , { from, to }] = args;
    searched.push({ ms: processorMs() - begin, seconds: (to - from) * 0.03 });
    return found;
  };
  const recognizer = engine.recognizer(compiled);
  const random = randomFrom(28);
  let longest = 0;
  for (const voice of (await installedVoices()).slice(0, Number(values.voices)))
    for (const text of sentences) {
      const samples = padded(await speak(voice, text), 16_000, random, 1.2);
      const listener = new Listener(recognizer);
      const frontend = engine.frontend();
      const turn = await longestTurn(async () => {
        for (let at = 0; at < samples.length; at += 480)
          await listener.feed(frontend.feed(samples.slice(at, at + 480)));
      });
      longest = Math.max(longest, turn);
    }
  const sum = (of: (s: (typeof searched)[number]) => number) =>
    searched.reduce((all, s) => all + of(s), 0);
  const most = Math.max(...searched.map(({ ms }) => ms));
  say(
    `${searched.length} searches of ${sum((s) => s.seconds).toFixed(1)} s: ${(sum((s) => s.ms) / sum((s) => s.seconds)).toFixed(0)} ms a second, at most ${most.toFixed(0)} ms; with the network at most ${longest.toFixed(0)} ms at once`,
  );
  await engine.close();
} finally {
  await rm(folder, { recursive: true, force: true });
}
