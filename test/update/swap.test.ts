/** What hears changes between two utterances; nothing that is said is lost or heard twice. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { Ear, type Ready } from '../../src/agent/ear.js';
import { Engine } from '../../src/engine/engine.js';
import type { RecognizerEvent } from '../../src/recognizer/index.js';
import { joined, silence, speak, toneBundle, toneGrammar } from '../sim/tone-bundle.js';

const folder = await mkdtemp(join(tmpdir(), 'kikitori-test-'));
t.teardown(() => rm(folder, { recursive: true, force: true }));
const grammarPath = join(folder, 'sentences.yaml');
await writeFile(grammarPath, toneGrammar);
const one = await toneBundle(join(folder, 'one.tar'), { version: '1.0.0' });
const two = await toneBundle(join(folder, 'two.tar'), { version: '2.0.0', confidence: 4 });

async function ready(path: string): Promise<Ready> {
  const engine = await Engine.open({ modelPath: path, grammarPath });
  return { engine, grammar: await engine.compile() };
}

const said = joined([
  silence(700),
  speak('stop'),
  silence(1200),
  speak('go left'),
  silence(900),
  speak('start'),
  silence(1500),
]);
const chunkOf = (at: number) => ({
  samples: said.slice(at, at + 1600),
  firstSample: at,
  receivedAtMs: 0,
  gapBefore: false,
});

/** Plays everything; before the chunk at `swapAt` another bundle waits to take over. */
async function play(swapAt: number | null) {
  const old: string[] = [];
  const ear = new Ear(
    await ready(one.path),
    () => ({}),
    'always',
    (gone) => {
      old.push(gone.engine.bundle.manifest.version);
      void gone.engine.close();
    },
  );
  const events: RecognizerEvent[] = [];
  for (let at = 0; at < said.length; at += 1600) {
    if (at === swapAt) {
      ear.replace(await ready(two.path));
      events.push(...(await ear.settle()));
    }
    events.push(...(await ear.feed(chunkOf(at))));
  }
  const heard = events.flatMap((e) => (e.type === 'heard' ? [e.heard] : []));
  return { heard, old, now: ear.engine.bundle.manifest.version };
}

void t.test('sentences across a swap at any chunk are all heard, once', async (t) => {
  const whole = await play(null);
  t.same(
    whole.heard.map((h) => [h.text, h.accepted]),
    [
      ['stop', true],
      ['go left', true],
      ['start', true],
    ],
  );
  for (let at = 0; at < said.length - 16_000; at += 3 * 1600) {
    const { heard, old, now } = await play(at);
    t.same(
      heard.map((h) => h.text),
      ['stop', 'go left', 'start'],
      `swapped at ${at / 16} ms`,
    );
    heard.forEach((h, i) =>
      t.ok(
        Math.abs(h.endSample - (whole.heard[i]?.endSample ?? 0)) <= 4 * 480,
        'at its place in the stream',
      ),
    );
    t.same([old, now], [['1.0.0'], '2.0.0']);
  }
});

void t.test('an utterance that has begun is ended by the bundle that began it', async (t) => {
  // In the middle of "go left".
  const at = Math.floor((700 + 600 + 1200 + 400) / 100) * 1600;
  const { heard } = await play(at);
  const confidences = heard.map((h) => Number(h.confidence.toFixed(3)));
  t.same(confidences, [0.953, 0.953, 0.982]);
});

void t.test('other sentences reach also the bundle that waits', async (t) => {
  const ear = new Ear(await ready(one.path), () => ({}), 'always');
  ear.replace(await ready(two.path));
  const other = join(folder, 'other.yaml');
  await writeFile(other, 'intents: {Go: {data: [{sentences: ["go left"]}]}}');
  const grammar = await ear.compile({ grammarPath: other });
  t.equal(grammar.sentences, 1);
  await ear.settle();
  t.equal(ear.engine.bundle.manifest.version, '2.0.0');
  t.equal(ear.grammar.sentences, 1);
  await t.rejects(ear.compile({ grammarPath: join(folder, 'none.yaml') }), {
    message: /no such file/,
  });
  t.equal(ear.grammar.sentences, 1, 'the old ones stay');
});
