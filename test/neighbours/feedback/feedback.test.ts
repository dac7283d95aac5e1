/** Sounds, light and program: told in time, never heard by the microphone, and no harm when they are missing. */
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { encodeWav, parseWav } from '../../../src/audio/index.js';
import { Feedback } from '../../../src/neighbours/feedback/feedback.js';
import { soundOf } from '../../../src/neighbours/feedback/sounds.js';
import type { House } from '../../../src/neighbours/index.js';
import { OneProgram } from '../../../src/neighbours/shared/one-program.js';
import type { Context } from '../../../src/publish/index.js';
import type { Heard } from '../../../src/records.js';
import { systemClock } from '../../../src/runtime/clock.js';
import { Daemon } from '../../sim/daemon.js';
import { LinesLog } from '../../sim/lines-log.js';
import { isAlive, MicSim, until } from '../../sim/mic-sim.js';
import { Mosquitto, Subscriber } from '../../sim/mosquitto.js';
import { TestClock } from '../../sim/test-clock.js';
import { tinyLexicon } from '../../sim/tiny-checkpoint.js';
import { speak, toneBundle } from '../../sim/tone-model.js';

type Test = Parameters<Parameters<typeof t.test>[0]>[0];

async function folderOf(t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'kikitori-feedback-'));
  t.teardown(async () => rm(folder, { recursive: true, force: true }));
  return folder;
}

async function script(path: string, ...lines: string[]): Promise<string> {
  await writeFile(path, `#!/bin/sh\n${lines.join('\n')}\n`);
  await chmod(path, 0o755);
  return path;
}

const textOf = async (path: string) => readFile(path, 'utf8').catch(() => '');
const linesOf = async (path: string) =>
  (await textOf(path)).split('\n').filter((line) => line !== '');

const context: Context = {
  ...{ boot: 'b', seq: 7, startedAtMs: 0, endedAtMs: 900, latencyMs: 20, model: 'm', grammar: 'g' },
};
const heardOf = (more: Partial<Heard>): Heard => ({
  ...{ accepted: true, text: 'stop the conveyor', intent: 'Stop', slots: {}, confidence: 0.9 },
  ...{ words: [], startSample: 0, endSample: 1, startMs: 0, endMs: 1, evidence: {} },
  ...more,
});

function houseOf(feedback: Readonly<Record<string, unknown>>, clock = systemClock) {
  const lines = new LinesLog();
  const covers: string[] = [];
  const config = {
    feedback: {
      ...{ sounds: 'off', device: '', volumeDb: -12, tailMs: 250, led: '', program: '' },
      ...{ programTimeoutMs: 60_000, programSounds: false, ...feedback },
    },
  };
  const house = {
    ...{ clock, log: lines.log, config: () => config },
    coverMicrophone: () => () => {
      covers.push('begin');
      return (tailMs: number) => void covers.push(`end ${tailMs}`);
    },
  } as unknown as House;
  return { house, lines, covers };
}

void t.test('three sounds: short, different, without a click, as loud as asked for', async (t) => {
  const wavs = (['heard', 'accepted', 'refused'] as const).map((signal) => {
    const { rateHz, channels } = parseWav(soundOf(signal, -12), signal);
    return { rateHz, samples: channels[0] ?? new Float32Array() };
  });
  const durations = wavs.map(({ samples, rateHz }) => samples.length / rateHz);
  t.same(durations, [0.08, 0.2, 0.38]);
  for (const { samples } of wavs) {
    const peak = samples.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
    t.ok(peak > 0.15 && peak <= 10 ** (-12 / 20), `a peak of ${peak.toFixed(3)}`);
    t.ok(Math.abs(samples[0] ?? 1) < 0.001 && Math.abs(samples.at(-1) ?? 1) < 0.001);
    const step = samples.reduce(
      (most, v, i) => Math.max(most, Math.abs(v - (samples[i - 1] ?? 0))),
      0,
    );
    t.ok(step < 0.06, 'no jump');
  }
});

void t.test('the real aplay plays them', async (t) => {
  const folder = await folderOf(t);
  const raw = join(folder, 'played.raw');
  const { house, covers } = houseOf({ sounds: 'answers', device: `tee:null,${raw},raw` });
  const feedback = new Feedback(house);
  feedback.heard(heardOf({}), context);
  await until('it was played', async () => covers.length === 2);
  t.same(covers, ['begin', 'end 250'], 'the microphone is covered meanwhile');
  const wav = Buffer.from(soundOf('accepted', -12)).subarray(44);
  t.same((await readFile(raw)).subarray(0, wav.length), wav);
  await feedback.close();
});

void t.test('who is told what', async (t) => {
  const folder = await folderOf(t);
  const out = join(folder, 'told.txt');
  const program = await script(join(folder, 'tell'), `cat >> "${out}"`, `env >> "${out}.env"`);
  const { house, covers } = houseOf({ program });
  process.env['KIKITORI_TEST_SECRET'] = 'swordfish';
  t.teardown(() => delete process.env['KIKITORI_TEST_SECRET']);
  const feedback = new Feedback(house);
  const told = async (count: number) => {
    await until(`${count} are told`, async () => (await linesOf(out)).length === count);
    return JSON.parse((await linesOf(out)).at(-1) ?? '') as Record<string, unknown>;
  };
  feedback.event('wake');
  t.same(await told(1), { event: 'heard' });
  await until('it is over', async () => (await textOf(`${out}.env`)) !== '');
  feedback.heard(heardOf({ accepted: false, reason: 'not-a-command', text: '' }), context);
  t.match(await told(2), { event: 'refused', reason: 'not-a-command' });
  feedback.heard(heardOf({ slots: { speed: 3 } }), context);
  t.match(await told(3), { event: 'accepted', intent: 'Stop', id: 'b-7', slots: { speed: 3 } });
  // Nobody asked: people talk to each other.
  feedback.heard(heardOf({ accepted: false, reason: 'not-a-command', text: '' }), context);
  feedback.heard(heardOf({ accepted: false, reason: 'ambiguous' }), context);
  t.match(await told(4), { event: 'refused', reason: 'ambiguous' });
  feedback.pushToTalk();
  t.same(await told(5), { event: 'heard' });
  t.notMatch(await textOf(`${out}.env`), 'swordfish');
  t.same(covers, [], 'a program that is silent covers nothing');
  await feedback.close();
});

void t.test('a light: on while it hears, long for accepted, three times for refused', async (t) => {
  const folder = await folderOf(t);
  await writeFile(join(folder, 'max_brightness'), '255\n');
  await writeFile(join(folder, 'brightness'), '7\n');
  const clock = new TestClock();
  const { house, lines } = houseOf({ led: folder }, clock);
  const feedback = new Feedback(house);
  const value = async () => (await textOf(join(folder, 'brightness'))).split('\n')[0] ?? '';
  const becomes = async (wanted: string) =>
    until(`it is ${wanted}`, async () => Number(await value()) === Number(wanted));
  await becomes('0');
  feedback.partial({ text: 'stop', startSample: 5 });
  await becomes('255');
  feedback.heard(heardOf({}), context);
  await clock.advance(999);
  await becomes('255');
  await clock.advance(1);
  await becomes('0');
  feedback.heard(heardOf({ accepted: false, reason: 'low-confidence' }), context);
  for (const wanted of ['255', '0', '255', '0', '255', '0']) {
    await becomes(wanted);
    await clock.advance(150);
  }
  feedback.event('wake');
  await becomes('255');
  await feedback.close();
  t.equal(Number(await value()), 0, 'dark when it is stopped');
  t.same(lines.lines, []);
});

void t.test('what is missing is said once', async (t) => {
  const folder = await folderOf(t);
  const { house, lines } = houseOf({
    ...{ led: join(folder, 'none'), program: join(folder, 'none.sh') },
    ...{ sounds: 'all', device: 'no-such-card' },
  });
  const feedback = new Feedback(house);
  const failed = () => lines.with('feedback.failed').map(({ what }) => what);
  for (let times = 1; times <= 3; times++) {
    feedback.heard(heardOf({}), context);
    await until('all of them failed', () => failed().length >= 3);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  t.same(failed().sort(), ['led', 'program', 'sound']);
  await feedback.close();
});

void t.test('a program: one at a time, a limit, and its children end with it', async (t) => {
  const folder = await folderOf(t);
  const out = join(folder, 'out');
  const ends: (string | null)[] = [];
  const open = (command: string, limitMs: number, clock = systemClock) =>
    new OneProgram({
      ...{ command, args: [], limitMs, clock, onEnd: (why) => ends.push(why) },
    });
  const gate = join(folder, 'gate');
  const slow = await script(
    join(folder, 'slow'),
    `cat >> "${out}"`,
    `while [ ! -e "${gate}" ]; do sleep 0.05; done`,
  );
  const one = open(slow, 60_000);
  for (const text of ['first\n', 'second\n', 'third\n']) one.give(text);
  await until('the first one runs', async () => (await textOf(out)) !== '');
  await writeFile(gate, '');
  await until('two have ended', () => ends.length === 2);
  t.same(await linesOf(out), ['first', 'third'], 'of those that waited the newest');
  await one.close();

  // It hangs, does not read, and left a child that holds its standard error.
  const pids = join(folder, 'pids');
  const hangs = await script(
    join(folder, 'hangs'),
    `sleep 1000 & echo $! >> "${pids}"`,
    `echo $$ >> "${pids}"; trap '' TERM; wait`,
  );
  // The limit is reached when the child is there, however long that takes.
  const limitMs = 1234;
  let late = () => {};
  const two = open(hangs, limitMs, {
    ...systemClock,
    after: (ms, callback) => {
      if (ms !== limitMs) return systemClock.after(ms, callback);
      late = callback;
      return () => {};
    },
  });
  two.give('x'.repeat(1_000_000));
  await until('both run', async () => (await linesOf(pids)).length === 2);
  late();
  await until('it was ended', () => ends.length === 3);
  t.equal(ends[2], `not done within ${limitMs} ms, and ended`);
  const leaves = await script(
    join(folder, 'leaves'),
    `sleep 1000 & echo $! >> "${pids}"`,
    'exit 3',
  );
  const three = open(leaves, 60_000);
  three.give('');
  await until('it has ended', () => ends.length === 4);
  t.equal(ends[3], 'ended with status 3');
  const four = open(hangs, 60_000);
  four.give('');
  await until('it runs', async () => (await linesOf(pids)).length >= 5);
  await four.close();
  for (const pid of await linesOf(pids))
    await until(`${pid} is gone`, async () => {
      const status = await textOf(`/proc/${pid}/status`);
      return !isAlive(Number(pid)) || status.includes('State:\tZ');
    });
  t.equal(ends.length, 4, 'what is closed is not told of');
});

void t.test('the microphone hears the loudspeaker, and no command comes of it', async (t) => {
  const lexicon = tinyLexicon();
  const said = (text: string) => speak(text, { beforeMs: 300, afterMs: 300 }, lexicon);
  const grammar = `intents:
  Stop: {data: [{sentences: ["stop [the] conveyor"]}]}
  Hall: {data: [{sentences: ["turn on the hall light"]}]}
  Kitchen: {data: [{sentences: ["turn on the kitchen light"]}]}
`;
  for (const covered of [true, false]) {
    const broker = await Mosquitto.open();
    const subscriber = await Subscriber.open(broker.url);
    const mic = await MicSim.create({});
    // A loudspeaker that says a command, and is done when the microphone has heard it.
    await writeFile(
      join(mic.folder, 'echo.wav'),
      encodeWav(said('turn on the hall light'), 16_000),
    );
    const lines = [
      'input=$(cat | tr -d "\\0")',
      covered ? '' : 'case "$input" in *Stop*) ;; *) exit 0;; esac',
      `echo "${mic.folder}/./$$/../echo.wav" > "${mic.folder}/last.txt"`,
      `mkdir -p "${mic.folder}/$$"; cat "${mic.folder}/last.txt" >> "${mic.folder}/say.txt"`,
      `while ! grep -qF "/$$/" "${mic.folder}/played.txt" 2>/dev/null; do sleep 0.05; done`,
    ];
    await mkdir(join(mic.folder, 'bin'), { recursive: true });
    const aplay = await script(join(mic.folder, 'bin', 'aplay'), ...lines);
    const { path: model } = await toneBundle();
    const daemon = await Daemon.start({
      ...{ url: broker.url, model, grammar, mic },
      feedback: covered
        ? { sounds: 'answers', tailMs: 2000 }
        : { program: aplay, programTimeoutMs: 60_000 },
    });
    t.teardown(async () => {
      await daemon.remove();
      await mic.remove();
      await subscriber.close();
      await broker.close();
    });
    const intents = () =>
      subscriber.messages.filter((m) => m.topic.includes('/intent/')).map((m) => m.json['intent']);
    await daemon.event('mic.up');
    await mic.say(said('stop the conveyor'));
    await until('it is played', async () =>
      (await textOf(join(mic.folder, 'played.txt'))).includes('/./'),
    );
    if (!covered) {
      await until('it hears itself', () => intents().includes('Hall'));
      t.pass('without the cover the loudspeaker is a speaker');
      continue;
    }
    // Said until it is heard again: the tail has its time.
    for (let times = 0; !intents().includes('Kitchen'); times++) {
      if (times === 20) throw new Error('it does not hear any more');
      await mic.say(said('turn on the kitchen light'));
      await mic.played();
      await new Promise((resolve) => setTimeout(resolve, 1500));
    }
    t.same([...new Set(intents())], ['Stop', 'Kitchen'], 'the loudspeaker is not heard');
    t.same(daemon.events('feedback.failed'), []);
  }
});
