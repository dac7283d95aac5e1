import { createHash } from 'node:crypto';
import {
  copyFile,
  mkdtemp,
  readFile,
  readdir,
  rm,
  stat,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { randomFrom } from '../../src/measure/evaluate/statistics.js';
import { Outbox, type DropReason, type OutboxOptions } from '../../src/publish/index.js';
import { contents, letter, numbers } from '../sim/letters.js';
import { TestClock } from '../sim/test-clock.js';

const folders: string[] = [];
async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'kikitori-outbox-'));
  folders.push(path);
  return path;
}
t.teardown(async () => {
  for (const path of folders) await rm(path, { recursive: true, force: true });
});

interface Seen {
  readonly dropped: [number, DropReason][];
  readonly aside: [string, number][];
  readonly disk: (string | null)[];
}

function options(dir: string, clock: TestClock, more: Partial<OutboxOptions> = {}) {
  const seen: Seen = { dropped: [], aside: [], disk: [] };
  const all: OutboxOptions = {
    dir,
    maxBytes: 1_000_000,
    maxAgeMs: 86_400_000,
    clock,
    onDropped: (count, why) => seen.dropped.push([count, why]),
    onSetAside: (path, bad) => seen.aside.push([path, bad]),
    onDisk: (why) => seen.disk.push(why),
    onReady: () => undefined,
    ...more,
  };
  return { all, seen };
}

void t.test(
  'what was put is there after the next start, in order, without what was removed',
  async (t) => {
    const dir = await folder();
    const { all, seen } = options(dir, new TestClock());
    const first = await Outbox.open(all);
    await Promise.all([0, 1, 2, 3, 4].map((i) => first.put([letter(i)])));
    t.same(await contents(first), [0, 1, 2, 3, 4], 'five puts at once keep their order');
    first.remove(numbers(first)[1] ?? 0);
    await first.close();
    const second = await Outbox.open(all);
    t.same(await contents(second), [0, 2, 3, 4]);
    t.ok([...second.from(0)].every(({ earlier }) => earlier));
    await second.put([letter(5), letter(6)]);
    t.same(await contents(second), [0, 2, 3, 4, 5, 6]);
    t.same(
      [...second.from(0)].map(({ earlier }) => earlier),
      [true, true, true, true, false, false],
    );
    await second.close();
    t.same(seen, { dropped: [], aside: [], disk: [] });
  },
);

void t.test(
  'a power cut after any byte: every accepted letter is there, no more is claimed',
  async (t) => {
    const dir = await folder();
    const clock = new TestClock();
    const { all } = options(dir, clock);
    const outbox = await Outbox.open(all);
    const path = join(dir, 'letters.log');
    /** Size of the file when the promise of that put had resolved. */
    const accepted: number[] = [];
    for (let i = 0; i < 4; i++) {
      await outbox.put([letter(i)]);
      accepted.push((await stat(path)).size);
    }
    await outbox.close();
    const total = (await stat(path)).size;
    for (let cut = 0; cut <= total; cut++) {
      const other = await folder();
      await copyFile(path, join(other, 'letters.log'));
      await truncate(join(other, 'letters.log'), cut);
      const { all: again, seen } = options(other, clock);
      const reopened = await Outbox.open(again);
      const found = await contents(reopened);
      const wanted = accepted.filter((size) => size <= cut).length;
      if (found.length !== wanted || found.some((v, i) => v !== i) || seen.aside.length > 0)
        t.fail(`cut at ${cut}: found ${found.join()} wanted ${wanted}`);
      await reopened.put([letter(9)]);
      await reopened.close();
      const third = await Outbox.open(again);
      t.equal((await contents(third)).at(-1), 9, `goes on after a cut at ${cut}`);
      await third.close();
    }
  },
);

void t.test('a damaged file is set aside, said, and its good letters are taken over', async (t) => {
  const dir = await folder();
  const clock = new TestClock();
  const { all, seen } = options(dir, clock);
  const outbox = await Outbox.open(all);
  for (let i = 0; i < 20; i++) await outbox.put([letter(i)]);
  await outbox.close();
  const path = join(dir, 'letters.log');
  const bytes = await readFile(path);
  const lines = bytes.toString().split('\n');
  const at = bytes.indexOf(lines[7] ?? '');
  bytes[at + 30] = (bytes[at + 30] ?? 0) ^ 0xff;
  await writeFile(path, bytes);
  const again = await Outbox.open(all);
  t.same(
    await contents(again),
    [0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19],
  );
  t.equal(seen.aside.length, 1);
  t.equal(seen.aside[0]?.[1], 1, 'one bad line');
  t.same(await readFile(seen.aside[0]?.[0] ?? ''), bytes, 'the damaged file is kept as it was');
  await again.put([letter(20)]);
  await again.close();

  for (const garbage of [Buffer.alloc(5000, 10), Buffer.alloc(3_000_000, 7), Buffer.from('{}\n')]) {
    await writeFile(path, Buffer.concat([garbage, Buffer.from('\n')]));
    const fresh = options(dir, clock);
    await clock.advance(1);
    const third = await Outbox.open(fresh.all);
    t.equal(third.size, 0);
    t.equal(fresh.seen.aside.length, 1);
    await third.put([letter(1)]);
    t.same(await contents(third), [1]);
    await third.close();
  }
});

void t.test('limits: oldest first, counted, said', async (t) => {
  const dir = await folder();
  const clock = new TestClock();
  const { all, seen } = options(dir, clock, { maxBytes: 2000, maxAgeMs: 10_000 });
  const outbox = await Outbox.open(all);
  for (let i = 0; i < 20; i++) await outbox.put([letter(i, 100)]);
  t.ok(outbox.sizeBytes <= 2000, `${outbox.sizeBytes} bytes`);
  const left = await contents(outbox);
  t.same(
    left,
    Array.from({ length: left.length }, (_, k) => 20 - left.length + k),
    'the newest',
  );
  t.equal(
    seen.dropped.filter(([, why]) => why === 'full').reduce((n, [c]) => n + c, 0),
    20 - left.length,
  );
  await clock.advance(10_001);
  outbox.expire();
  t.equal(outbox.size, 0);
  t.same(seen.dropped.at(-1), [left.length, 'old']);
  await outbox.put([letter(99, 5000)]);
  t.same(seen.dropped.at(-1), [1, 'too-big']);
  t.equal(outbox.size, 0);
  await outbox.close();
});

void t.test('age survives a restart, and a clock that was never set drops nothing', async (t) => {
  const dir = await folder();
  const clock = new TestClock();
  const { all, seen } = options(dir, clock, { maxAgeMs: 60_000 });
  const first = await Outbox.open(all);
  await first.put([letter(0)]);
  await first.close();
  await clock.advance(40_000);
  const second = await Outbox.open(all);
  t.equal(second.size, 1);
  clock.jumpWall(365 * 86_400_000); // the time service sets the clock: no letter grows old by it
  second.expire();
  t.equal(second.size, 1);
  await clock.advance(20_001);
  second.expire();
  t.equal(second.size, 0);
  t.same(seen.dropped, [[1, 'old']]);
  await second.close();

  const unset = new TestClock(Date.UTC(1970, 0, 1));
  const third = await Outbox.open({ ...all, clock: unset });
  await third.put([letter(1)]);
  await third.close();
  unset.jumpWall(56 * 365 * 86_400_000);
  const fourth = await Outbox.open({ ...all, clock: unset });
  t.equal(fourth.size, 1, 'stamped 1970, found in 2025: its age is not known');
  await fourth.close();
});

void t.test('two processes cannot use one outbox', async (t) => {
  const dir = await folder();
  const { all } = options(dir, new TestClock());
  const first = await Outbox.open(all);
  await t.rejects(Outbox.open(all), {
    kind: 'storage',
    message: /another kikitori uses this outbox/,
  });
  await first.close();
  await (await Outbox.open(all)).close();
});

void t.test('a folder that cannot be made is an error before anything runs', async (t) => {
  const dir = await folder();
  await writeFile(join(dir, 'file'), '');
  const { all } = options(join(dir, 'file', 'outbox'), new TestClock());
  await t.rejects(Outbox.open(all), { kind: 'storage', message: /state\.dir/ });
});

void t.test('the file does not grow without end while letters come and go', async (t) => {
  const dir = await folder();
  const { all } = options(dir, new TestClock(), { maxBytes: 500_000 });
  const outbox = await Outbox.open(all);
  await outbox.put([letter(-5, 10)]); // one that is never acknowledged
  let largest = 0;
  for (let round = 0; round < 60; round++) {
    await outbox.put(Array.from({ length: 10 }, (_, i) => letter(i, 20_000)));
    for (const number of numbers(outbox).slice(1)) outbox.remove(number);
    largest = Math.max(largest, (await stat(join(dir, 'letters.log'))).size);
  }
  t.ok(largest < 2 * 500_000 + 4_500_000, `${largest} bytes at most, 12 MB went through`);
  t.same(await contents(outbox), [-5]);
  await outbox.close();
  const again = await Outbox.open(all);
  t.same(await contents(again), [-5], 'also after a restart');
  await again.close();
  t.same(await readdir(dir), ['letters.log'], 'no temporary file stays');
});

void t.test('property: any history equals a list', async (t) => {
  const random = randomFrom(7);
  for (let history = 0; history < 15; history++) {
    const dir = await folder();
    const { all } = options(dir, new TestClock());
    let outbox = await Outbox.open(all);
    let model: number[] = [];
    for (let i = 0; i < 60; i++) {
      const what = random();
      if (what < 0.55) {
        await outbox.put([letter(i)]);
        model.push(i);
      } else if (what < 0.9 && model.length > 0) {
        const at = Math.floor(random() * model.length);
        outbox.remove(numbers(outbox)[at] ?? 0);
        model = model.filter((_, k) => k !== at);
      } else {
        await outbox.close();
        outbox = await Outbox.open(all);
      }
    }
    t.same(await contents(outbox), model, `history ${history}`);
    await outbox.close();
  }
});

void t.test('a line says by itself whether it is whole', async (t) => {
  const dir = await folder();
  const { all } = options(dir, new TestClock());
  const outbox = await Outbox.open(all);
  await outbox.put([{ topic: 'a/b', payload: { text: 'zwei\nZeilen, ein ü' } }]);
  await outbox.close();
  const [line = ''] = (await readFile(join(dir, 'letters.log'), 'utf8')).split('\n');
  t.equal(line.slice(0, 8), createHash('sha256').update(line.slice(9)).digest('hex').slice(0, 8));
  t.match(JSON.parse(line.slice(9)), {
    n: 1,
    topic: 'a/b',
    payload: { text: 'zwei\nZeilen, ein ü' },
  });
});
