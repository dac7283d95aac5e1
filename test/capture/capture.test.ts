import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { encodeWav } from '../../src/audio/index.js';
import { Capture, type CaptureOptions } from '../../src/capture/index.js';
import { PcmReader } from '../../src/capture/pcm.js';
import { randomFrom } from '../../src/measure/evaluate/statistics.js';
import type { Chunk, MicState } from '../../src/records.js';
import { systemClock, type Clock } from '../../src/runtime/clock.js';
import { AudioClock } from '../sim/audio-clock.js';
import { isAlive, MicSim, until, type MicRun } from '../sim/mic-sim.js';
import { TestClock } from '../sim/test-clock.js';

const defaults: CaptureOptions = {
  source: 'recorder',
  recorder: 'arecord',
  device: '',
  rateHz: 16000,
  channels: 1,
  channel: 0,
  gainDb: 0,
  path: '',
  pace: 'realtime',
  silentAfterMs: 10_000,
  stallAfterMs: 60_000,
  backoffMinMs: 10,
  backoffMaxMs: 100,
};

/** A capture of its own with everything that it said. */
class Ear {
  readonly chunks: Chunk[] = [];
  readonly states: { state: MicState; why: string }[] = [];
  readonly overruns: number[] = [];
  ended: { error?: unknown } | null = null;
  readonly capture: Capture;

  constructor(
    options: Partial<CaptureOptions> = {},
    clock: Clock = systemClock,
    onChunk: (chunk: Chunk) => void = () => undefined,
  ) {
    this.capture = new Capture(
      { ...defaults, ...options },
      16000,
      {
        onChunk: (chunk) => {
          this.chunks.push(chunk);
          onChunk(chunk);
        },
        onState: (state, why) => void this.states.push({ state, why }),
        onOverrun: (lostMs) => void this.overruns.push(lostMs),
        onEnd: (error) => void (this.ended = { error }),
      },
      clock,
      () => 0.5,
    );
    this.capture.start();
  }

  /** Waits for the nth time that the state is said. */
  async state(state: MicState, times = 1): Promise<string> {
    const all = () => this.states.filter((s) => s.state === state);
    await until(`${state}, ${times} times`, () => all().length >= times);
    return all()[times - 1]?.why ?? '';
  }

  heard(count: number): Promise<void> {
    return until(`${count} chunks`, () => this.chunks.length >= count);
  }
}

type Test = Parameters<Parameters<typeof t.test>[0]>[0];

async function withMic(t: Test, ...runs: MicRun[]): Promise<MicSim> {
  const mic = await MicSim.create(...runs);
  const restore = mic.install();
  t.teardown(async () => {
    restore();
    await mic.remove();
  });
  return mic;
}

void t.test('a microphone by name: chunks without gaps, and no process left behind', async (t) => {
  const mic = await withMic(t, {});
  const ear = new Ear({ device: 'plughw:CARD=Device' });
  await ear.heard(5);
  await ear.capture.stop();
  t.same(
    ear.states.map((s) => s.state),
    ['up'],
  );
  let at = 0;
  for (const chunk of ear.chunks) {
    t.equal(chunk.firstSample, at);
    at += chunk.samples.length;
  }
  t.notOk(ear.chunks.some((c) => c.gapBefore));
  const [start] = await mic.starts();
  const args = start?.args.join(' ') ?? '';
  t.match(args, /-D plughw:CARD=Device/);
  t.match(args, /-r 16000/);
  t.match(args, /-t raw/);
  t.match(args, /-f S16_LE/);
  t.match(args, /--period-time=30000/, 'in short pieces');
  t.same(await mic.alive(), []);
});

for (const recorder of ['rec', 'sox'] as const)
  void t.test(`${recorder} gives short pieces too, of the device that is named`, async (t) => {
    const mic = await withMic(t, {});
    const ear = new Ear({ recorder, device: 'hw:2' });
    await ear.heard(3);
    await ear.capture.stop();
    t.match(await mic.starts(), [{ soxOptions: '--buffer 1024', audioDevice: 'hw:2' }]);
  });

void t.test('one channel of several, all mixed, and gain', async (t) => {
  await withMic(t, { value: [1000, -2000, 3001], channels: 3 });
  for (const [channel, gainDb, expected] of [
    [1, 0, -2000],
    [2, 20 * Math.log10(2), 6002],
    [-1, 0, 667],
    [2, 40, 32768],
  ] as const) {
    const ear = new Ear({ channels: 3, channel, gainDb });
    await ear.heard(2);
    await ear.capture.stop();
    const got = 32768 * (ear.chunks[1]?.samples[7] ?? 0);
    t.ok(Math.abs(got - expected) < 0.5, `channel ${channel}, ${gainDb} dB: ${got}`);
  }
});

void t.test('it ends with 0, with 1, by a signal: said why, and opened again', async (t) => {
  const mic = await withMic(
    t,
    { afterMs: 150, status: 0 },
    {
      afterMs: 150,
      status: 1,
      stderr: 'xrun\narecord: main:830: audio open error: No such device\n',
    },
    { afterMs: 150, fault: 'kill' },
    {},
  );
  const ear = new Ear();
  t.match(await ear.state('lost', 1), /arecord ended with status 0$/);
  t.match(await ear.state('lost', 2), /status 1: arecord: .* No such device$/);
  t.match(await ear.state('lost', 3), /by SIGKILL/);
  await ear.state('up', 4);
  await ear.heard(ear.chunks.length + 3);
  await ear.capture.stop();
  t.equal(ear.chunks.filter((c) => c.gapBefore).length, 3, 'audio after a gap does not join');
  t.notOk(ear.chunks[0]?.gapBefore);
  ear.chunks.forEach((chunk, i) => {
    const before = ear.chunks[i - 1];
    if (before !== undefined)
      t.equal(chunk.firstSample, before.firstSample + before.samples.length);
  });
  t.equal((await mic.starts()).length, 4);
  t.same(await mic.alive(), []);
});

/** Keeps the times that were asked for. */
class NotingClock extends TestClock {
  readonly delays: number[] = [];
  override after(ms: number, callback: () => void): () => void {
    this.delays.push(ms);
    return super.after(ms, callback);
  }
}

void t.test('pauses double up to a limit, and are short again once it works', async (t) => {
  const failing: MicRun = { afterMs: 0 };
  const mic = await withMic(t, failing, failing, failing, failing, failing, {
    play: [5500],
    then: 'end',
  });
  const clock = new NotingClock();
  // The watchdog and the ends of processes take other times than these.
  const ear = new Ear({ backoffMinMs: 1111, backoffMaxMs: 5555, stallAfterMs: 120_000 }, clock);
  const pauses = () => clock.delays.filter((ms) => ms % 1111 === 0);
  for (let n = 1; n <= 5; n++) {
    await until(`pause ${n}`, () => pauses().length === n);
    await clock.advance(pauses()[n - 1] ?? 0);
  }
  for (let second = 1; second <= 5; second++) {
    await ear.heard(10 * second);
    await clock.advance(1000);
  }
  await until('the last pause', () => pauses().length === 6);
  t.same(pauses(), [1111, 2222, 4444, 5555, 5555, 1111]);
  await ear.capture.stop();
  t.same(
    ear.states.map((s) => s.state),
    ['lost', 'up', 'lost'],
  );
  t.same(await mic.alive(), []);
});

void t.test('no bytes: the watchdog restarts it, even a stopped or deaf process', async (t) => {
  const mic = await withMic(
    t,
    { afterMs: 200, fault: 'stall', deaf: true },
    { afterMs: 200, fault: 'stall' },
    {},
  );
  const clock = new TestClock();
  const ear = new Ear({ stallAfterMs: 2000, backoffMinMs: 10, backoffMaxMs: 10 }, clock);
  const [first, second] = [1, 2];
  for (const start of [first, second]) {
    await until('audio', async () => (await mic.starts()).length === start);
    await ear.state('up', start);
    await until(
      'the stall',
      () => ear.chunks.reduce((n, c) => n + c.samples.length, 0) >= start * 3200,
    );
    const pid = (await mic.starts())[start - 1]?.pid ?? 0;
    // A process that is stopped takes no SIGTERM until it is continued.
    if (start === second) process.kill(pid, 'SIGSTOP');
    await clock.advance(3000);
    t.match(await ear.state('lost', start), /no audio for 2\d\d\d ms/);
    if (start === first) t.ok(isAlive(pid), 'deaf: SIGTERM was not enough');
    await clock.advance(2500);
    await until('its end', () => !isAlive(pid));
    await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(100);
  }
  await ear.state('up', 3);
  await ear.capture.stop();
  t.same(await mic.alive(), []);
});

void t.test('faster than real time is no microphone', async (t) => {
  const mic = await withMic(t, { afterMs: 100, fault: 'flood' }, {});
  const ear = new Ear();
  t.match(await ear.state('lost'), /faster than real time/);
  await ear.state('up', 2);
  await ear.capture.stop();
  const seconds = ear.chunks.reduce((n, c) => n + c.samples.length, 0) / 16000;
  t.ok(seconds < 60, `${seconds} s of it went on`);
  t.same(await mic.alive(), []);
});

void t.test('what waited in a full pipe comes at once, and is audio', async (t) => {
  await withMic(t, { fast: true, play: [6000], then: 'end' });
  // No time passes: this process was held up, and looks anew.
  const ear = new Ear({}, new TestClock());
  t.match(await ear.state('lost'), /ended with status 0/);
  await ear.capture.stop();
  t.equal(
    ear.chunks.reduce((n, c) => n + c.samples.length, 0),
    6 * 16_000,
  );
});

void t.test('another rate than was asked for', async (t) => {
  const warned =
    "Recording raw data 'stdin' : Signed 16 bit Little Endian, Rate 16000 Hz, Mono\nWarning: rate is not accurate (requested = 16000Hz, got = 48000Hz)\n         please, try the plug plugin \n";
  const mic = await withMic(t, { afterMs: 100, fault: 'none', stderr: warned }, {});
  const ear = new Ear();
  t.match(
    await ear.state('lost'),
    /gives 48000 samples a second in place of 16000: set capture.rateHz to 48000, or .*plughw:/,
    'arecord says it and goes on',
  );
  await ear.state('up', 2);
  await ear.capture.stop();
  t.same(await mic.alive(), []);
});

void t.test('another rate that nobody says: seen within two minutes', async (t) => {
  // 22,050 a second, by a clock that follows the audio.
  for (const [rate, lost] of [
    [22_050, true],
    [16_160, false],
  ] as const) {
    const mic = await withMic(t, { fast: true, play: [120_000], then: 'end' }, { afterMs: 0 });
    const clock = new AudioClock(rate);
    const ear = new Ear({ backoffMinMs: 60_000, backoffMaxMs: 60_000 }, clock, (chunk) =>
      clock.heard(chunk.samples.length),
    );
    const why = await ear.state('lost');
    if (lost) t.match(why, /^2\d{4} samples a second and more come in place of 16000/);
    else t.match(why, /ended with status 0/, 'one in a hundred is the clock of the device');
    await ear.capture.stop();
    await mic.remove();
  }
});

void t.test('digital silence is said, and its end', async (t) => {
  await withMic(t, { play: [300, -2000, 300, -300] });
  const ear = new Ear({ silentAfterMs: 1000 });
  t.match(await ear.state('silent'), /digital silence for 1\d\d\d ms: is it muted/);
  await ear.state('up', 2);
  await ear.capture.stop();
  t.same(
    ear.states.map((s) => s.state),
    ['up', 'silent', 'up'],
  );
});

void t.test('no such program: said with what to install, and it goes on trying', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'kikitori-empty-'));
  const before = process.env['PATH'];
  process.env['PATH'] = folder;
  const ear = new Ear();
  try {
    t.match(await ear.state('lost'), /arecord is not installed \(sudo apt-get install/);
  } finally {
    process.env['PATH'] = before;
  }
  const mic = await withMic(t, {});
  await ear.state('up');
  await ear.capture.stop();
  t.same(await mic.alive(), []);
  await rm(folder, { recursive: true });
});

void t.test('the real arecord on its null device floods, and is treated so', async (t) => {
  const ear = new Ear({ device: 'null', backoffMinMs: 60_000, backoffMaxMs: 60_000 });
  const why = await ear.state('lost');
  if (/not installed/.test(why)) {
    t.comment('alsa-utils is not installed');
    return;
  }
  t.match(why, /faster than real time|ended with/);
  await ear.capture.stop();
});

void t.test('a file: any rate and channels, gain, the end, and what cannot be read', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'kikitori-file-'));
  t.teardown(() => rm(folder, { recursive: true }));
  const path = join(folder, 'a.wav');
  await writeFile(path, encodeWav(new Float32Array(8000).fill(0.1), 8000));
  const ear = new Ear({ source: 'file', path, pace: 'fast', gainDb: 20 * Math.log10(2) });
  await until('the end', () => ear.ended !== null);
  t.equal(ear.ended?.error, undefined);
  t.equal(
    ear.chunks.reduce((n, c) => n + c.samples.length, 0),
    16000,
  );
  t.ok(Math.abs((ear.chunks[15]?.samples[0] ?? 0) - 0.2) < 0.001);

  const none = new Ear({ source: 'file', path: join(folder, 'none.wav') });
  await until('the end', () => none.ended !== null);
  t.match(String(none.ended?.error), /none\.wav: there is no such file/);
  t.equal(none.states[0]?.state, 'lost');
});

void t.test('bytes in any pieces are the same samples', async (t) => {
  const random = randomFrom(4);
  const bytes = Buffer.from(Array.from({ length: 6000 }, () => Math.floor(256 * random())));
  for (const channels of [1, 2, 3]) {
    const whole = new PcmReader(channels, -1, 3, 48000, 16000).feed(bytes);
    const reader = new PcmReader(channels, -1, 3, 48000, 16000);
    const parts: number[] = [];
    for (let at = 0; at < bytes.length;) {
      const size = 1 + Math.floor(9 * random());
      parts.push(...reader.feed(bytes.subarray(at, at + size)));
      at += size;
    }
    t.same(Float32Array.from(parts), whole);
  }
});

void t.test('what arecord lost for want of a processor is told, in any language', async (t) => {
  const said = ['overrun!!! (at least 125.731 ms long)', 'Überlauf!!! (mindestens 2000,004 ms)'];
  await withMic(t, {
    afterMs: 300,
    fault: 'none',
    stderr: `${said.join('\n')}\nunfinished!!! (at`,
  });
  const ear = new Ear();
  await until('both', () => ear.overruns.length >= 2);
  const before = ear.chunks.length;
  await ear.heard(before + 3);
  await ear.capture.stop();
  t.same(ear.overruns, [125, 2000]);
  t.equal(ear.chunks.filter(({ gapBefore }) => gapBefore).length, 1, 'what follows does not join');
  t.notMatch(ear.states, [{ state: 'lost' }], 'the microphone is there');
});
