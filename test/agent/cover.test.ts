/** What the device plays is not heard, late audio included; what the room says before and after it is. */
import t from 'tap';
import { Cover } from '../../src/agent/cover.js';
import type { Chunk } from '../../src/records.js';
import { TestClock } from '../sim/test-clock.js';

const rateHz = 16_000;
const length = 480;
const chunkMs = 30;

/** A microphone whose audio has a level for each chunk, received when the test says so. */
function stage() {
  const clock = new TestClock();
  const cover = new Cover(
    () => rateHz,
    () => clock.now(),
  );
  let firstSample = 0;
  let seed = 1;
  const capture = (level: number, gapBefore = false): Chunk => {
    const samples = Float32Array.from({ length }, () => {
      seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
      return level * (seed / 0x40000000 - 1);
    });
    const chunk = { samples, firstSample, receivedAtMs: clock.now(), gapBefore };
    firstSample += length;
    return chunk;
  };
  const levelOf = ({ samples }: Chunk) =>
    Math.sqrt(samples.reduce((sum, v) => sum + v * v, 0) / samples.length) * Math.sqrt(3);
  /** Captured and received at once, as time goes on. */
  const hear = async (level: number, chunks = 1, gapBefore = false) => {
    const levels: number[] = [];
    for (let i = 0; i < chunks; i++) {
      await clock.advance(chunkMs);
      levels.push(levelOf(cover.take(capture(level, gapBefore && i === 0))));
    }
    return levels;
  };
  return { clock, cover, capture, hear, levelOf };
}

const [room, loud] = [0.01, 0.5];
const isRoom = (level: number) => level > room / 2 && level < 2 * room;
const isLoud = (level: number) => level > loud / 2;

void t.test('the room in place of the sound, its tail included', async (t) => {
  const { cover, hear } = stage();
  await hear(room, 40);
  await hear(loud, 10);
  t.ok((await hear(loud)).every(isLoud), 'speech before it is heard');
  const end = cover.begin();
  t.ok((await hear(loud, 10)).every(isRoom), 'while it plays');
  end(90);
  t.ok((await hear(loud, 3)).every(isRoom), 'in its tail');
  await hear(loud, 1);
  t.ok((await hear(loud, 5)).every(isLoud), 'and heard again');
});

void t.test('audio that was recorded during the sound and came late', async (t) => {
  const { clock, cover, capture, hear, levelOf } = stage();
  await hear(room, 40);
  const end = cover.begin();
  // This process is held up for two seconds, in which the sound was played and ended.
  await clock.advance(600);
  end(250);
  await clock.advance(1400);
  const late = Array.from({ length: 66 }, () => cover.take(capture(loud))).map(levelOf);
  t.ok(late.slice(0, 28).every(isRoom), 'until 850 ms after its begin');
  t.ok(late.slice(31).every(isLoud), 'what was said afterwards is heard');
  await hear(loud, 1);
  t.ok((await hear(loud, 5)).every(isLoud));
});

void t.test('a clock that is set makes nobody deaf', async (t) => {
  for (const jumpMs of [3_600_000, -3_600_000]) {
    const { clock, cover, hear } = stage();
    await hear(room, 40);
    cover.begin()(100);
    await hear(room, 10);
    clock.jumpWall(jumpMs);
    await hear(loud, 2);
    t.ok((await hear(loud, 20)).every(isLoud), `by ${jumpMs} ms`);
    const end = cover.begin();
    t.ok((await hear(loud, 5)).every(isRoom));
    end(0);
    await hear(loud, 1);
    t.ok((await hear(loud, 20)).every(isLoud));
  }
});

void t.test('a sound that nobody ends is over after 20 s', async (t) => {
  const { cover, hear, clock } = stage();
  await hear(room, 10);
  cover.begin();
  await hear(room, 1);
  await clock.advance(20_000);
  t.ok((await hear(loud, 5, true)).every(isLoud));
});

void t.test('without any audio before it there is silence', async (t) => {
  const { cover, hear } = stage();
  cover.begin();
  t.same(await hear(loud, 2), [0, 0]);
});
