/** Another language model takes over between two utterances; nothing that is said is lost or heard twice. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { Ear, type Ready } from '../../src/agent/ear.js';
import { Engine } from '../../src/engine/engine.js';
import { readFreeWords } from '../../src/engine/free-words.js';
import type { RecognizerEvent } from '../../src/recognizer/index.js';
import { languageTar } from '../sim/language-bundle.js';
import { tinyLexicon } from '../sim/tiny-checkpoint.js';
import { speak, toneBundle } from '../sim/tone-model.js';

const folder = await mkdtemp(join(tmpdir(), 'kikitori-test-'));
const tones = await toneBundle();
const grammarPath = join(folder, 'sentences.yaml');
await writeFile(grammarPath, 'intents: {Stop: {data: [{sentences: ["stop [the] conveyor"]}]}}\n');
const engine = await Engine.open({ modelPath: tones.path, grammarPath });
t.teardown(async () => {
  await engine.close();
  for (const at of [folder, tones.folder]) await rm(at, { recursive: true, force: true });
});
const grammar = await engine.compile();
const text = 'stop the conveyor two\nset the light to blue\nturn on the hall light\n'.repeat(3);
const words = async (version: string) => {
  const languageModelPath = await languageTar(folder, { version, text });
  return readFreeWords(engine.lexicon, { languageModelPath });
};
const [one, two] = [await words('1.0.0'), await words('2.0.0')];

const sentences = ['stop the conveyor two', 'set the light to blue', 'turn on the hall light'];
const parts = sentences.map((s) => speak(s, { beforeMs: 300, afterMs: 1200 }, tinyLexicon()));
const said = Float32Array.from(parts.flatMap((part) => [...part]));
const chunkSamples = 1600;

const versionOf = ({ grammar: { freeWords } }: Ready) => freeWords?.manifest?.version;

/** Plays everything; before the chunk that begins at `swapAt` other free words wait to take over. */
async function play(swapAt: number | null, first: Ready, next: Ready) {
  const left: (string | undefined)[] = [];
  const ear = new Ear(
    first,
    () => ({}),
    'dictation',
    (old) => left.push(versionOf(old)),
  );
  const events: RecognizerEvent[] = [];
  for (let at = 0; at < said.length; at += chunkSamples) {
    if (at === swapAt) {
      ear.replace(next);
      events.push(...(await ear.settle()));
    }
    const samples = said.slice(at, at + chunkSamples);
    const chunk = { samples, firstSample: at, receivedAtMs: 0, gapBefore: false };
    events.push(...(await ear.feed(chunk)));
  }
  events.push(...(await ear.stop()));
  const heard = events.flatMap((e) => (e.type === 'heard' ? [e.heard] : []));
  return { heard, left, now: versionOf(ear.newest) };
}

const before: Ready = { engine, grammar: { ...grammar, freeWords: one } };
const after: Ready = { engine, grammar: { ...grammar, freeWords: two } };
const deaf: Ready = { engine, grammar };

void t.test('sentences across a change at any moment are all heard, once', async (t) => {
  const whole = await play(null, before, after);
  t.same(
    whole.heard.map((h) => h.text),
    sentences,
  );
  for (let at = 0; at < said.length - 16_000; at += 5 * chunkSamples) {
    const { heard, left, now } = await play(at, before, after);
    t.same(
      [heard.map((h) => h.text), left, now],
      [sentences, ['1.0.0'], '2.0.0'],
      `at ${at / 16} ms`,
    );
    heard.forEach((h, i) =>
      t.ok(
        Math.abs(h.endSample - (whole.heard[i]?.endSample ?? 0)) <= 4 * 480,
        'at its place in the stream',
      ),
    );
  }
});

void t.test(
  'from none: what is said from then on; to none: what was being said is ended',
  async (t) => {
    const [first = new Float32Array(0)] = parts;
    const at = Math.ceil(first.length / chunkSamples) * chunkSamples;
    const late = await play(at, deaf, after);
    t.same(
      late.heard.map((h) => h.text),
      sentences.slice(1),
    );
    t.same([late.left, late.now], [[undefined], '2.0.0']);
    const middle = Math.floor(first.length / 3 / chunkSamples) * chunkSamples;
    const gone = await play(middle, before, deaf);
    t.same(
      gone.heard.map((h) => h.text),
      sentences.slice(0, 1),
    );
    t.same([gone.left, gone.now], [['1.0.0'], undefined]);
  },
);
