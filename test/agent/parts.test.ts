/** The daemon's small parts by themselves: what waits, whose wall clock, when the watchdog is fed. */
import t from 'tap';
import { Answers, healthOf, Pace } from '../../src/agent/health.js';
import { Intake } from '../../src/agent/intake.js';
import { Microphone } from '../../src/agent/microphone.js';
import { StreamClock } from '../../src/agent/stream-clock.js';
import { Watchdog } from '../../src/agent/watchdog.js';
import type { Chunk } from '../../src/records.js';
import { LinesLog } from '../sim/lines-log.js';
import { TestClock } from '../sim/test-clock.js';

const chunk = (firstSample: number, receivedAtMs = 0): Chunk => ({
  samples: new Float32Array(320),
  firstSample,
  receivedAtMs,
  gapBefore: false,
});

void t.test('audio and requests go one after the other, in order', async (t) => {
  const done: string[] = [];
  const intake = new Intake(async ({ firstSample }) => {
    await Promise.resolve();
    done.push(`audio ${firstSample}`);
  }, new LinesLog().log);
  void intake.take(chunk(0));
  void intake.take(chunk(320));
  await intake.serially(async () => void done.push('request'));
  await intake.take(chunk(640));
  t.same(done, ['audio 0', 'audio 320', 'request', 'audio 640']);
});

void t.test('what is too much is dropped, the oldest first, and said now and then', async (t) => {
  const lines = new LinesLog();
  const heard: number[] = [];
  let go: () => void = () => undefined;
  const first = new Promise<void>((resolve) => {
    go = resolve;
  });
  const intake = new Intake(async ({ firstSample }) => {
    await first;
    heard.push(firstSample);
  }, lines.log);
  for (let i = 0; i < 2000; i++) void intake.take(chunk(i));
  go();
  await intake.idle();
  t.equal(heard.at(-1), 1999, 'the newest is heard');
  t.ok(heard.length < 2000, `${heard.length} of 2000 were kept`);
  t.same(
    heard.slice(1),
    [...heard.slice(1)].sort((a, b) => a - b),
  );
  const said = lines.with('audio.dropped');
  t.ok(said.length >= 1 && said.length < 10, `said ${said.length} times`);
  t.equal(intake.droppedSamples, 320 * (2000 - heard.length));
});

void t.test('what follows dropped audio is marked: it does not join', async (t) => {
  const heard: Chunk[] = [];
  const nothing: () => void = () => undefined;
  let [begun, go] = [nothing, nothing];
  const first = new Promise<void>((resolve) => (begun = resolve));
  const wait = new Promise<void>((resolve) => (go = resolve));
  const intake = new Intake(async (chunk) => {
    heard.push(chunk);
    begun();
    await wait;
  }, new LinesLog().log);
  void intake.take(chunk(0));
  await first;
  for (let i = 1; i < 3000; i++) void intake.take(chunk(320 * i));
  go();
  await intake.idle();
  const joins = heard.filter(
    ({ firstSample }, i) => i > 0 && firstSample === (heard[i - 1]?.firstSample ?? 0) + 320,
  );
  t.equal(joins.length, heard.length - 2, 'dropped in long pieces, so that what is left joins');
  t.same(
    heard.flatMap(({ gapBefore }, i) => (gapBefore ? [i] : [])),
    [1],
  );
});

void t.test('a sample has the wall clock of its own time', async (t) => {
  const clock = new StreamClock(
    () => 16_000,
    () => 42,
  );
  t.equal(clock.wallOf(0), 42, 'no audio yet');
  clock.received(chunk(16_000, 10_000));
  t.equal(clock.wallOf(16_320), 10_000);
  t.equal(clock.wallOf(320), 9000);
});

void t.test(
  'the watchdog is fed while audio goes through, or the microphone is lost',
  async (t) => {
    const clock = new TestClock();
    const lines = new LinesLog();
    let fed = 0;
    const watchdog = new Watchdog(clock, { watchdog: () => fed++ }, lines.log);
    watchdog.feed(false);
    await clock.advance(9_999);
    watchdog.feed(false);
    t.equal(fed, 2);
    await clock.advance(1);
    watchdog.feed(false);
    t.equal(fed, 2, 'no audio for ten seconds');
    t.equal(lines.with('watchdog.withheld').length, 1);
    watchdog.feed(true);
    t.equal(fed, 3, 'nothing can be heard: that is known');
    watchdog.progress();
    watchdog.feed(false);
    t.equal(fed, 4);
  },
);

void t.test('a microphone that was never up is not reported as lost twice', async (t) => {
  const events: string[] = [];
  const microphone = new Microphone({
    log: new LinesLog().log,
    clock: new TestClock(),
    notifier: { status: () => undefined },
    onChange: () => undefined,
    onEvent: (name) => events.push(name),
  });
  microphone.changed('up', '');
  microphone.changed('lost', 'unplugged');
  microphone.changed('up', '');
  microphone.changed('silent', '');
  microphone.changed('up', '');
  t.same(events, ['mic-lost', 'mic-restored']);
});

void t.test('what the recorder lost is added up and said, not each time', async (t) => {
  const lines = new LinesLog();
  const clock = new TestClock();
  const microphone = new Microphone({
    ...{ log: lines.log, clock, onChange: () => undefined, onEvent: () => undefined },
    notifier: { status: () => undefined },
  });
  for (let i = 0; i < 100; i++) microphone.overrun(10.5);
  t.same(
    lines.with('mic.overrun').map(({ lostMs }) => lostMs),
    [11, 21, 32],
  );
  await clock.advance(10_000);
  microphone.overrun(10);
  t.equal(lines.with('mic.overrun').at(-1)?.['lostMs'], 1060);
  t.equal(microphone.overrunMs, 1060, 'all of it, said or not');
});

void t.test('health is numbers', async (t) => {
  const answers = new Answers();
  const pace = new Pace();
  const letters = {
    queued: 1,
    published: 2,
    dropped: 0,
    setAside: 0,
    lacks: [],
    refused: [],
    reduced: {},
  };
  const now = () =>
    healthOf({
      ...{
        mic: 'up',
        muted: false,
        audioLostMs: 1059.6,
        pace,
        letters,
        answers,
        clockSynced: true,
      },
      ...{ uptimeMs: 61_400, logDropped: 0, rssBytes: 123e6 },
    });
  t.notOk('confidence' in now(), 'nothing was accepted yet');
  answers.add(true, 0.9);
  answers.add(true, 0.8);
  answers.add(false, 0.1);
  pace.answered(333.3);
  for (let i = 0; i < 1000; i++) pace.heard(20, 5);
  t.match(now(), { accepted: 2, rejected: 1, confidence: 0.85, uptimeS: 61, rssMb: 123 });
  t.match(now(), { audioLostMs: 1060 });
  t.match(now(), { rtf: 0.25, latencyMs: 333 });
});
