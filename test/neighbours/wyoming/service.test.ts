/** The service in a real port, with a network that hears tones and a clock that the test moves. */
import { rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { encodeWav } from '../../../src/audio/index.js';
import { loadConfig } from '../../../src/config/index.js';
import { Engine } from '../../../src/engine/engine.js';
import type { House } from '../../../src/neighbours/index.js';
import { frameOf } from '../../../src/neighbours/wyoming/frames.js';
import { WyomingService } from '../../../src/neighbours/wyoming/service.js';
import { randomFrom } from '../../../src/measure/evaluate/statistics.js';
import { openSlotModel } from '../../../src/recognizer/dictation/index.js';
import { LinesLog } from '../../sim/lines-log.js';
import { until } from '../../sim/mic-sim.js';
import { PlainLanguageModel } from '../../sim/plain-language-model.js';
import { TestClock } from '../../sim/test-clock.js';
import { tinyLexicon } from '../../sim/tiny-checkpoint.js';
import { speak, toneBundle } from '../../sim/tone-model.js';
import { pcm16, WyomingClient } from '../../sim/wyoming-client.js';

const grammarText = `intents:
  Stop: {data: [{sentences: ["stop [the] conveyor [{n}]"]}]}
  Light: {data: [{sentences: ["turn (on|off) the (kitchen|hall) light"]}]}
lists:
  n: {values: [{in: one, out: 1}, {in: two, out: 2}]}
`;
const lexicon = tinyLexicon();
const said = (text: string) => speak(text, { beforeMs: 300, afterMs: 900 }, lexicon);

type Test = Parameters<Parameters<typeof t.test>[0]>[0];

const opened = (async () => {
  const { folder, path } = await toneBundle();
  const grammarPath = join(folder, 'sentences.yaml');
  await writeFile(grammarPath, grammarText);
  const engine = await Engine.open({ modelPath: path, grammarPath });
  return { folder, engine, grammar: await engine.compile() };
})();
t.teardown(async () => {
  const { folder, engine } = await opened;
  await engine.close();
  await rm(folder, { recursive: true, force: true });
});

async function stage(
  t: Test,
  { phrase = '', clients = 4, ready = true } = {},
  other?: Awaited<typeof opened>['grammar'],
) {
  const { engine, grammar: usual } = await opened;
  const grammar = other ?? usual;
  const clock = new TestClock();
  const lines = new LinesLog();
  const config = loadConfig(undefined, {
    KIKITORI_WYOMING_LISTEN: '127.0.0.1:0',
    KIKITORI_WYOMING_CLIENTS: String(clients),
    KIKITORI_RECOGNIZER_WAKE_PHRASE: phrase,
  });
  const ground = { config: () => config, clock, random: randomFrom(1), log: lines.log };
  const service = new WyomingService(ground);
  const mic = { quiet: Promise.resolve() };
  const now = { engine };
  const enter = () =>
    service.open({
      ...ground,
      engine: () => now.engine,
      grammar: () => grammar,
      recognizer: (...[acoustic, more]: Parameters<House['recognizer']>) =>
        now.engine.recognizer(grammar, more, acoustic),
      spare: () => mic.quiet,
    } as unknown as House);
  if (ready) await enter();
  await until('it listens', () => lines.with('wyoming.listening').length > 0);
  const port = (lines.with('wyoming.listening')[0] as unknown as AddressInfo).port;
  const clientsOpen: WyomingClient[] = [];
  const client = async () => {
    const one = await WyomingClient.open(port);
    clientsOpen.push(one);
    return one;
  };
  t.teardown(async () => {
    for (const one of clientsOpen) one.close();
    await service.close();
  });
  return { clock, lines, service, mic, now, enter, client, port };
}

void t.test('describe is answered before there is a model, and again after', async (t) => {
  const { client, enter } = await stage(t, { ready: false, phrase: 'hey machine' });
  const one = await client();
  const before = await one.send('describe').event('info');
  t.match(before, {
    asr: [{ name: 'kikitori', installed: true, requires_external_vad: false }],
    intent: [{ name: 'kikitori' }],
    wake: [{ models: [{ name: 'hey_machine', phrase: 'hey machine' }] }],
    tts: [],
  });
  await enter();
  const after = await one.send('describe').event('info', 2);
  t.match(after, { asr: [{ models: [{ languages: ['en'] }] }] });
});

void t.test('an order that comes before the model is there is heard when it is', async (t) => {
  const { client, enter } = await stage(t, { ready: false });
  const one = (await client()).order(said('stop the conveyor two'));
  const other = await client();
  await other.send('describe').event('info');
  t.equal(one.got.filter(({ type }) => type === 'transcript').length, 0);
  await enter();
  t.equal(await one.text(), 'stop the conveyor two');
});

void t.test('an order is answered at its end, and its rest is not heard', async (t) => {
  const { client, lines } = await stage(t);
  const one = await client();
  one.send('transcribe', {}).audio(said('turn on the hall light'));
  t.equal(await one.text(), 'turn on the hall light', 'the end of speech is found here');
  one.audio(said('stop the conveyor')).send('audio-stop').send('ping', { text: 'x' });
  t.same(await one.event('pong'), { text: 'x' });
  t.equal(one.got.filter(({ type }) => type === 'transcript').length, 1);
  t.match(lines.with('wyoming.accepted'), [{ intent: 'Light' }]);
  t.notMatch(JSON.stringify(lines.lines), /hall/, 'no words in the log');
});

void t.test('order after order on one connection', async (t) => {
  const { client } = await stage(t);
  const one = await client();
  for (const [i, text] of ['stop conveyor one', 'turn off the kitchen light'].entries()) {
    one.order(said(text));
    t.equal((await one.event('transcript', i + 1))['text'], text);
  }
});

void t.test('what is no command has an empty text: words, noise, silence, nothing', async (t) => {
  const { client } = await stage(t);
  const random = randomFrom(2);
  const one = await client();
  const clips = [
    said('red machine go left please'),
    new Float32Array(16_000),
    Float32Array.from({ length: 16_000 }, () => (random() - 0.5) * 0.01),
    new Float32Array(0),
  ];
  for (const [i, clip] of clips.entries()) {
    one.order(clip);
    t.equal((await one.event('transcript', i + 1))['text'], '');
  }
});

void t.test('any rate, width and channels; a WAV header is not heard', async (t) => {
  const { client } = await stage(t);
  const clip = said('stop the conveyor two');
  const wav = Buffer.from(encodeWav(clip, 16_000));
  const stereo8k = new Float32Array(clip.length);
  for (let i = 0; i < clip.length / 2; i++) stereo8k.fill((clip[2 * i] ?? 0) / 1, 2 * i, 2 * i + 2);
  const wide = Buffer.alloc(4 * clip.length);
  clip.forEach((v, i) => wide.writeInt32LE(Math.round(v * 2 ** 31), 4 * i));
  const cases: [string, object, Buffer][] = [
    ['a file as audio', { rate: 16_000, width: 2, channels: 1 }, wav],
    ['a file of another kind than is said', { rate: 44_100, width: 2, channels: 2 }, wav],
    ['32 bits', { rate: 16_000, width: 4, channels: 1 }, wide],
    ['stereo', { rate: 16_000, width: 2, channels: 2 }, pcm16(doubled(clip))],
  ];
  for (const [name, format, bytes] of cases) {
    const one = await client();
    one.send('transcribe').send('audio-start', { ...format });
    for (let at = 0; at < bytes.length; at += 1001)
      one.send('audio-chunk', { ...format }, bytes.subarray(at, at + 1001));
    one.send('audio-stop');
    t.equal(await one.text(), 'stop the conveyor two', name);
  }
});

const doubled = (samples: Float32Array) =>
  Float32Array.from({ length: 2 * samples.length }, (_, i) => samples[i >> 1] ?? 0);

void t.test('text to intent, by either name of the request', async (t) => {
  const { client } = await stage(t);
  const one = await client();
  const wanted = { name: 'Stop', entities: [{ name: 'n', value: 2 }] };
  t.same(await one.send('recognize', { text: 'stop the conveyor two' }).event('intent'), wanted);
  t.same(await one.send('transcript', { text: 'Stop conveyor 2.' }).event('intent', 2), wanted);
  const none = ['open the door', '', 'stop', 7, 'x '.repeat(10_000), '}{"'.repeat(50)];
  for (const [i, text] of none.entries())
    t.same(await one.send('recognize', { text }).event('not-recognized', i + 1), {});
});

void t.test('any words in a command: audio to text, and that text to its intent', async (t) => {
  const { engine, folder } = await opened;
  const grammarPath = join(folder, 'open.yaml');
  await writeFile(
    grammarPath,
    'intents: {Set: {data: [{sentences: ["set {dictation} to blue"]}]}}',
  );
  const words = ['<unk>', '<s>', '</s>', 'the', 'hall', 'light', 'kitchen'];
  const ln = new Map(words.map((word): [string, number] => [word, -3]));
  const model = new PlainLanguageModel({ order: 2, words, ln, backOff: new Map() });
  const freeWords = async () => ({
    ...openSlotModel(model, engine.lexicon),
    ...{ lexicon: engine.lexicon, sha256: '', boosted: new Map(), unsaid: [] },
  });
  const { client } = await stage(t, {}, await engine.compile({ grammarPath, freeWords }));
  const one = await client();
  one.send('transcribe', {}).audio(said('set the hall light to blue'));
  const text = await one.text();
  t.equal(text, 'set the hall light to blue');
  t.same(await one.send('recognize', { text }).event('intent'), {
    name: 'Set',
    entities: [{ name: 'dictation', value: 'the hall light' }],
  });
});

void t.test('a wake phrase, once each time, with the time of its chunk', async (t) => {
  const { client } = await stage(t, { phrase: 'red machine' });
  const one = await client();
  one.send('detect', { names: ['red_machine'] });
  one.send('audio-start', { rate: 16_000, width: 2, channels: 1 });
  one.audio(said('go left please')).audio(said('red machine'));
  const { name, timestamp } = await one.event('detection');
  t.equal(name, 'red_machine');
  t.ok(Number(timestamp) > 500, `at ${String(timestamp)} ms of the second piece`);
  one.audio(said('go left please')).audio(said('red machine'));
  await one.event('detection', 2);
  one.send('audio-stop').send('ping');
  await one.event('pong');
  t.equal(one.got.filter(({ type }) => type === 'not-detected').length, 0);
  one.send('detect', {}).audio(said('go left')).send('audio-stop');
  await one.event('not-detected');
  one
    .send('detect', { names: ['alexa'] })
    .audio(said('red machine'))
    .send('audio-stop');
  await one.event('not-detected', 2);
});

void t.test('without a phrase there is nothing to wake', async (t) => {
  const { client } = await stage(t);
  const one = await client();
  t.match(await one.send('detect').event('error'), { code: 'no-wake' });
  await one.closed();
});

void t.test('several at once are each heard as alone; one too many is told', async (t) => {
  const { client } = await stage(t, { clients: 3 });
  const texts = ['stop the conveyor two', 'turn on the hall light', 'turn off the kitchen light'];
  const several = await Promise.all(texts.map(() => client()));
  for (const one of several)
    one.send('transcribe').send('audio-start', { rate: 16_000, width: 2, channels: 1 });
  for (const one of several) await one.send('ping').event('pong');
  const extra = (await client()).order(said(texts[0] ?? ''));
  t.match(await extra.event('error'), { code: 'busy' });
  await extra.closed();
  for (const [i, one] of several.entries()) one.audio(said(texts[i] ?? ''));
  t.same(await Promise.all(several.map((one) => one.text())), texts);
  const later = (await client()).order(said(texts[1] ?? ''));
  t.equal(await later.text(), texts[1], 'the places are free again');
});

void t.test('nobody is heard while the microphone needs the processor', async (t) => {
  const { client, mic } = await stage(t);
  let release: () => void = () => undefined;
  mic.quiet = new Promise((resolve) => (release = resolve));
  const one = await client();
  one.order(said('stop the conveyor two'));
  const other = await client();
  await other.send('describe').event('info');
  t.equal(one.got.length, 0);
  mic.quiet = Promise.resolve();
  release();
  t.equal(await one.text(), 'stop the conveyor two');
});

void t.test('garbage is told why, and harms nobody', async (t) => {
  const { client, lines } = await stage(t);
  const random = randomFrom(5);
  const good = await client();
  for (let i = 0; i < 60; i++) {
    const bad = await client();
    bad.bytes(Buffer.from(Array.from({ length: 300 }, () => Math.floor(random() * 256))));
    bad.bytes('\n');
    if (i % 3 === 0) bad.close();
    else t.match(await bad.event('error'), { code: 'frame' });
  }
  for (const wrong of [
    { rate: 0, width: 2, channels: 1 },
    { rate: 16_000, width: 9, channels: 1 },
    { rate: 16_000, width: 2, channels: 'many' },
  ]) {
    const bad = await client();
    t.match(await bad.send('audio-start', wrong).event('error'), { code: 'audio' });
    await bad.closed();
  }
  t.equal(await good.order(said('stop conveyor')).text(), 'stop conveyor');
  t.equal(lines.with('wyoming.cut').length, 1, 'a line for all of them');
});

void t.test('events that it does not know are passed over, payload and all', async (t) => {
  const { client } = await stage(t);
  const one = await client();
  one.send('select-program', { name: 'kikitori' }).send('played', {}, Buffer.alloc(5000));
  one.bytes(frameOf('audio-chunk')).order(said('stop conveyor two'));
  t.equal(await one.text(), 'stop conveyor two');
});

void t.test('who sends nothing, half a frame, or no audio is let go of', async (t) => {
  const { client, clock } = await stage(t);
  const silent = await client();
  const half = await client();
  const drip = await client();
  const starting = await client();
  const idle = await client();
  half.bytes('{"type":"desc');
  starting.send('transcribe').send('audio-start').send('ping');
  idle.send('ping');
  await Promise.all([starting.event('pong'), idle.event('pong')]);
  for (let i = 0; i < 4; i++) {
    drip.bytes(' ');
    for (let j = 0; j < 50; j++) await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(3000);
  }
  await Promise.all([silent.closed(), half.closed(), drip.closed()]);
  t.notOk(starting.over || idle.over);
  await clock.advance(20_000);
  await starting.closed();
  t.notOk(idle.over);
  await clock.advance(280_000);
  await idle.closed();
});

void t.test('of a thousand connections the newest is served', async (t) => {
  const { client, service } = await stage(t);
  const busy = await client();
  busy.send('transcribe').send('audio-start', { rate: 16_000, width: 2, channels: 1 });
  await busy.send('ping').event('pong');
  const many: WyomingClient[] = [];
  for (let i = 0; i < 1000; i++) many.push(await client());
  const last = await client();
  await last.send('describe').event('info');
  await until('most are let go of', () => many.filter(({ over }) => over).length >= 936);
  t.equal(await busy.audio(said('stop conveyor')).text(), 'stop conveyor', 'who speaks stays');
  await service.close();
});

void t.test('who does not read is cut off, and the flood of events is borne', async (t) => {
  const { client, clock, lines } = await stage(t);
  const slow = await client();
  slow.socket.pause();
  let sent = true;
  for (let i = 0; i < 40_000 && sent; i++)
    sent = slow.socket.write('{"type":"describe"}\n') || slow.socket.writableLength < 5e6;
  const other = await client();
  t.equal(await other.order(said('stop conveyor')).text(), 'stop conveyor');
  await until('it is cut off', async () => {
    await clock.advance(10_000);
    return lines.with('wyoming.cut').length > 0;
  });
  t.match(lines.with('wyoming.cut'), [{ why: 'it does not read its answers' }]);
});

void t.test(
  'an order amid which the model is replaced is told so; the next is heard',
  async (t) => {
    const { client, now } = await stage(t);
    const { folder, engine } = await opened;
    const old = await Engine.open({ modelPath: join(folder, 'tones') });
    now.engine = old;
    const clip = said('stop the conveyor two');
    const one = await client();
    one.send('transcribe').audio(clip.subarray(0, 12_000)).send('ping');
    await one.event('pong');
    now.engine = engine;
    await old.close();
    one.audio(clip.subarray(12_000)).send('audio-stop');
    t.match(await one.event('error'), { code: 'not-heard', text: /say it again/ });
    await one.closed();
    t.equal(await (await client()).order(clip).text(), 'stop the conveyor two');
  },
);

void t.test('a client that goes amid its order leaves its place', async (t) => {
  const { client } = await stage(t, { clients: 1 });
  for (let i = 0; i < 5; i++) {
    const gone = await client();
    gone.send('transcribe').audio(said('stop the').subarray(0, 9000));
    await gone.send('ping').event('pong');
    gone.close();
    await until('the place is free', async () => {
      const next = (await client()).send('audio-start').send('ping');
      await until('an answer', () => next.got.length > 0);
      const free = next.got.some(({ type }) => type === 'pong');
      next.close();
      return free;
    });
  }
  t.pass();
});

void t.test('a client that has said all and waits is answered', async (t) => {
  const { client } = await stage(t);
  const one = await client();
  one.order(said('stop conveyor two')).socket.end();
  t.equal(await one.text(), 'stop conveyor two');
  await one.closed();
});

void t.test('a port that is taken is tried again', async (t) => {
  const { port, service } = await stage(t);
  const clock = new TestClock();
  const lines = new LinesLog();
  const config = loadConfig(undefined, { KIKITORI_WYOMING_LISTEN: `127.0.0.1:${port}` });
  const second = new WyomingService({
    config: () => config,
    clock,
    random: randomFrom(1),
    log: lines.log,
  });
  t.teardown(() => second.close());
  await until('it is refused', () => lines.with('wyoming.no-port').length > 0);
  await service.close();
  await until('it has the port', async () => {
    await clock.advance(5000);
    return lines.with('wyoming.listening').length > 0;
  });
  t.equal(lines.with('wyoming.no-port').length, 1, 'said once');
});
