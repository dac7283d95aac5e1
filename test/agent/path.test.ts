/** The whole path in one process: samples to what was heard, by a network that hears tones. */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { randomFrom } from '../../src/measure/evaluate/statistics.js';
import { Engine, hearClip } from '../../src/engine/engine.js';
import type { Heard } from '../../src/records.js';
import { Listener } from '../../src/recognizer/index.js';
import { tinyBundle, tinyCheckpoint } from '../sim/tiny-checkpoint.js';
import { speak, toneBundle } from '../sim/tone-model.js';

type Test = Parameters<Parameters<typeof t.test>[0]>[0];

const grammarSource = `intents:
  Stop: {data: [{sentences: ["stop [the] conveyor [{n}]"]}]}
  Light: {data: [{sentences: ["turn (on|off) the (kitchen|hall) light"]}]}
  Speed: {data: [{sentences: ["set [the] speed to {percent} percent"]}]}
lists:
  n: {values: [{in: one, out: 1}, {in: two, out: 2}]}
  percent: {range: {from: 0, to: 100, step: 5}}
`;

async function opened({ path, folder }: { path: string; folder: string }): Promise<Engine> {
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const grammarPath = join(folder, 'sentences.yaml');
  await writeFile(grammarPath, grammarSource);
  return Engine.open({ modelPath: path, grammarPath });
}

const tones = toneBundle().then(opened);

void t.test('what is said is heard, word by word and in its time', async (t) => {
  const engine = await tones;
  const recognizer = engine.recognizer(await engine.compile());
  for (const [text, intent, slots] of [
    ['stop conveyor two', 'Stop', { n: 2 }],
    ['turn off the kitchen light', 'Light', {}],
    ['set the speed to thirty five percent', 'Speed', { percent: 35 }],
  ] as const) {
    const samples = speak(text, { beforeMs: 500, afterMs: 500 }, engine.lexicon);
    const heard = await hearClip(engine, recognizer, samples);
    t.match(heard, { text, intent, slots, accepted: true }, text);
    t.ok(heard.confidence > 0.7 && heard.confidence <= 1, `confidence ${heard.confidence}`);
    t.ok(Math.abs(heard.startMs - 500) < 120, `begins at ${heard.startMs}`);
    const endMs = (1000 * samples.length) / 16000 - 500 - 50;
    t.ok(Math.abs(heard.endMs - endMs) < 150, `ends at ${heard.endMs}, said until ${endMs}`);
    t.same(
      heard.words.map((w) => w.word),
      text.split(' '),
    );
  }
  const other = speak('kitchen machine red light go left', { beforeMs: 300, afterMs: 300 });
  t.match(await hearClip(engine, recognizer, other), { accepted: false });
});

void t.test('however the audio is cut: the same network outputs, bit for bit', async (t) => {
  const samples = speak('turn on the hall light', { beforeMs: 200, afterMs: 200 });
  const deep = await opened(await tinyBundle('deep', tinyCheckpoint([96, 64, 48], 5)));
  for (const engine of [await tones, deep]) await sameBits(t, engine, samples);
});

async function sameBits(t: Test, engine: Engine, samples: Float32Array): Promise<void> {
  const random = randomFrom(3);
  const run = async (cut: () => number) => {
    const frontend = engine.frontend();
    const stream = engine.acoustic.begin();
    const parts: Float32Array[] = [];
    for (let at = 0; at < samples.length;) {
      const size = cut();
      const steps = frontend.feed(samples.slice(at, at + size));
      parts.push((await stream.feed(steps.data)).data);
      at += size;
    }
    parts.push((await stream.finish()).data);
    return Buffer.concat(parts.map((p) => Buffer.from(p.buffer, p.byteOffset, p.byteLength)));
  };
  const whole = await run(() => samples.length);
  t.ok(whole.length > 10_000);
  let different = 0;
  for (let round = 0; round < 12; round++) {
    const most = round < 2 ? 100 : 6000;
    const cut = await run(() => 1 + Math.floor(most * random()));
    if (!cut.equals(whole)) different++;
  }
  t.equal(different, 0);
}

void t.test('however the audio is cut: the same answers of the listener', async (t) => {
  const engine = await tones;
  const recognizer = engine.recognizer(await engine.compile());
  const random = randomFrom(9);
  const audio = [
    speak('stop the conveyor', { beforeMs: 1500, afterMs: 1500 }),
    speak('go left red machine', { afterMs: 1700, seed: 2 }),
    speak('set speed to ninety percent', { afterMs: 1900, seed: 3 }),
  ].flatMap((part) => [...part]);
  const samples = Float32Array.from(audio);
  const run = async (cut: () => number) => {
    const frontend = engine.frontend();
    const listener = new Listener(recognizer);
    const heard: Heard[] = [];
    for (let at = 0; at < samples.length;) {
      const size = cut();
      for (const e of await listener.feed(frontend.feed(samples.slice(at, at + size))))
        if (e.type === 'heard') heard.push(e.heard);
      at += size;
    }
    return heard;
  };
  const whole = await run(() => samples.length);
  t.match(whole, [
    { text: 'stop the conveyor', accepted: true },
    { accepted: false },
    { text: 'set speed to ninety percent', slots: { percent: 90 }, accepted: true },
  ]);
  for (const most of [200, 1600, 9000, 40_000])
    t.same(await run(() => 1 + Math.floor(most * random())), whole, `pieces up to ${most} samples`);
});
