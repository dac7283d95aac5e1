/** The outbox where the disk takes nothing, where it is damaged while it is used, and exactly at its limits. */
import { execFileSync } from 'node:child_process';
import { mkdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { Outbox } from '../../src/publish/index.js';
import { contents, letter, numbers } from '../sim/letters.js';
import { folder, options } from '../sim/outbox-stage.js';
import { TestClock } from '../sim/test-clock.js';

/** Until what was begun is written, or refused. */
async function settled(outbox: Outbox): Promise<void> {
  await outbox.put([]);
}

const linux = process.platform === 'linux' ? false : 'needs prlimit';

void t.test(
  'a folder that cannot be made now: letters wait in memory, then follow',
  { skip: linux },
  async (t) => {
    const root = await folder();
    const real = join(root, 'real');
    const clock = new TestClock();
    // What an earlier run left on the disk that is not there yet.
    await mkdir(real);
    const earlier = await Outbox.open(options(join(real, 'outbox'), clock).all);
    await earlier.put([letter(0), letter(1)]);
    await earlier.close();

    const link = join(root, 'state');
    await symlink('/sys', link); // nobody may make a folder there
    const { all, disk, dropped, ready } = options(join(link, 'outbox'), clock);
    await clock.advance(5000);
    const outbox = await Outbox.open(all);
    t.match(disk, [[/EPERM|EACCES|EROFS/, 0]], 'said once, at the start');
    await outbox.put([letter(2), letter(3), letter(4)]);
    t.same(await contents(outbox), [2, 3, 4], 'they may be sent from memory');
    t.equal(ready() > 0, true);
    t.ok([...outbox.from(0)].every((w) => !w.earlier && w.sinceMs === clock.monotonic()));
    outbox.remove(numbers(outbox)[1] ?? 0);
    t.same(await contents(outbox), [2, 4]);
    t.same(outbox.size, 2);
    await clock.advance(1000);
    await settled(outbox);
    t.equal(disk.length, 1, 'the same trouble is not said again');

    await rm(link);
    await symlink(real, link);
    await clock.advance(999);
    t.equal(disk.length, 1, 'tried once a second');
    await clock.advance(1);
    await settled(outbox);
    t.same(disk.at(-1), [null, 0]);
    t.same([...(await contents(outbox))].sort(), [0, 1, 2, 4]);
    t.same(
      [...outbox.from(0)].map((w) => w.earlier),
      [true, true, false, false],
      'those of the earlier run come first',
    );
    await outbox.close();
    const again = await Outbox.open(all);
    t.same(await contents(again), [0, 1, 2, 4]);
    await again.close();
    t.same(dropped, []);
  },
);

void t.test(
  'a disk that is full: nothing is lost but what is too much for memory',
  { skip: linux },
  async (t) => {
    const dir = await folder();
    const clock = new TestClock();
    const { all, disk, dropped } = options(dir, clock);
    const path = join(dir, 'letters.log');
    const ignore = () => undefined;
    process.on('SIGXFSZ', ignore);
    const limit = (bytes: number | 'unlimited') =>
      execFileSync('prlimit', ['--pid', String(process.pid), `--fsize=${bytes}:`]);
    t.teardown(() => {
      limit('unlimited');
      process.off('SIGXFSZ', ignore);
    });
    const outbox = await Outbox.open(all);
    await outbox.put([letter(0), letter(1)]);
    const { size } = await stat(path);
    limit(size + 20);
    await outbox.put([letter(2)]);
    t.match(disk, [[/EFBIG/, 1]], 'said, with how many wait');
    t.equal((await stat(path)).size, size, 'half a line does not stay');
    outbox.remove(numbers(outbox)[0] ?? 0); // its end cannot be written yet
    await outbox.put([letter(3)]);
    outbox.remove(numbers(outbox)[1] ?? 0);
    t.same(await contents(outbox), [1, 3], 'one of each kind is done with');
    await outbox.put(Array.from({ length: 1005 }, (_, i) => letter(100 + i, 0)));
    t.same(dropped, [[6, 'disk']], 'a thousand are kept in memory, the newest');
    t.equal(outbox.size, 1001, 'and what is on the disk');
    limit('unlimited');
    await clock.advance(1000);
    await settled(outbox);
    t.same(disk.at(-1), [null, 0]);
    const wanted = [1, ...Array.from({ length: 1000 }, (_, i) => 105 + i)];
    t.same(await contents(outbox), wanted);
    await outbox.close();
    const again = await Outbox.open(all);
    t.same(await contents(again), wanted, 'also what was done with meanwhile is done with');
    await again.close();
  },
);

void t.test(
  'damage under a running outbox: that letter is dropped and counted, once',
  async (t) => {
    const dir = await folder();
    const { all, dropped } = options(dir, new TestClock());
    const outbox = await Outbox.open(all);
    await outbox.put([letter(0), letter(1), letter(2)]);
    const path = join(dir, 'letters.log');
    const bytes = await readFile(path);
    const second = bytes.indexOf(0x0a) + 1;
    bytes[second + 20] = (bytes[second + 20] ?? 0) ^ 0xff;
    await writeFile(path, bytes, { flag: 'r+' });
    const [, damaged = 0] = numbers(outbox);
    const before = outbox.sizeBytes;
    t.equal(await outbox.read(damaged), undefined);
    t.same(dropped, [[1, 'damaged']]);
    t.ok(outbox.sizeBytes < before);
    t.same(await contents(outbox), [0, 2]);
    t.equal(await outbox.read(damaged), undefined);
    t.equal(dropped.length, 1);
    t.equal(await outbox.read(999), undefined, 'one that never was');
    const [first = 0] = numbers(outbox);
    bytes[20] = (bytes[20] ?? 0) ^ 0xff;
    await writeFile(path, bytes, { flag: 'r+' });
    const reading = outbox.read(first);
    outbox.remove(first);
    t.equal(await reading, undefined);
    t.equal(dropped.length, 1, 'one that was acknowledged while it was read is not lost');
    outbox.remove(damaged); // the broker had it after all
    await outbox.close();
  },
);

void t.test('a number is never used twice, also when its letter is long done with', async (t) => {
  const dir = await folder();
  const { all } = options(dir, new TestClock());
  let highest = 0;
  for (let run = 0; run < 4; run++) {
    const outbox = await Outbox.open(all);
    await outbox.put([letter(run)]);
    const [number = 0] = numbers(outbox);
    t.ok(number > highest, `${number} after ${highest}`);
    highest = number;
    outbox.remove(number);
    await outbox.close();
  }
});

void t.test('more ends than one line takes', async (t) => {
  const dir = await folder();
  const { all, dropped } = options(dir, new TestClock());
  const outbox = await Outbox.open(all);
  await outbox.put(Array.from({ length: 2500 }, (_, i) => letter(i, 0)));
  const all2500 = numbers(outbox);
  for (const number of all2500.slice(0, 2400)) outbox.remove(number);
  await outbox.close();
  const done = (await readFile(join(dir, 'letters.log'), 'utf8'))
    .split('\n')
    .filter((line) => line.includes('"done"'))
    .map((line) => (JSON.parse(line.slice(9)) as { done: number[] }).done);
  t.same(
    done.map((list) => list.length),
    [1000, 1000, 400],
  );
  t.same(done.flat(), all2500.slice(0, 2400));
  const again = await Outbox.open(all);
  t.same(numbers(again), all2500.slice(2400));
  await again.close();
  t.same(dropped, []);
});

void t.test('exactly at the limits', async (t) => {
  const clock = new TestClock();
  const dir = await folder();
  // Lines of the same length as those that are put below.
  const measure = await Outbox.open(options(await folder(), clock).all);
  await measure.put([letter(0)]);
  const line = measure.sizeBytes;
  await measure.close();
  const { all, dropped } = options(dir, clock, { maxBytes: 3 * line, maxAgeMs: 10_000 });
  const outbox = await Outbox.open(all);
  await outbox.put([letter(0)]);
  await outbox.put([letter(1), letter(2)]);
  t.same(dropped, [], 'three lines fit into three lines');
  t.equal(outbox.sizeBytes, 3 * line);
  await outbox.put([letter(3)]);
  t.same(dropped, [[1, 'full']]);
  t.same(await contents(outbox), [1, 2, 3]);
  await outbox.put([letter(4, 10 + 2 * line)]);
  t.same(dropped, [
    [1, 'full'],
    [3, 'full'],
  ]);
  t.equal(outbox.sizeBytes, 3 * line, 'one as large as all that is allowed');
  await outbox.put([letter(5, 11 + 2 * line)]);
  t.same(dropped.at(-1), [1, 'too-big'], 'and one byte more');
  t.same(await contents(outbox), [4]);
  await clock.advance(10_000);
  outbox.expire();
  t.equal(outbox.size, 1, 'as old as is allowed');
  await clock.advance(1);
  outbox.expire();
  t.same(dropped.at(-1), [1, 'old']);
  t.equal(outbox.sizeBytes, 0);
  await outbox.close();
});

void t.test('a quarter of a megabyte is no transcript, whatever is allowed', async (t) => {
  const { all, dropped } = options(await folder(), new TestClock(), { maxBytes: 10_000_000 });
  const outbox = await Outbox.open(all);
  await outbox.put([letter(0, 256 * 1024), letter(1, 255 * 1024)]);
  t.same(dropped, [[1, 'too-big']]);
  t.same(await contents(outbox), [1]);
  t.ok(outbox.sizeBytes < 256 * 1024);
  await outbox.close();
});

void t.test('the file is written anew when most of it is done with, not before', async (t) => {
  const dir = await folder();
  const path = join(dir, 'letters.log');
  const { all } = options(dir, new TestClock(), { maxBytes: 20_000_000 });
  const outbox = await Outbox.open(all);
  const inode = async () => (await stat(path)).ino;
  const first = await inode();
  const size = 250_000;
  await outbox.put(Array.from({ length: 40 }, (_, i) => letter(i, size)));
  const remove = async (count: number) => {
    for (const number of numbers(outbox).slice(0, count)) outbox.remove(number);
    await settled(outbox);
  };
  await remove(15); // 3.75 MB of 10
  t.equal(await inode(), first);
  await remove(4); // 4.75 MB of 10: enough, but less than half
  t.equal(await inode(), first);
  await remove(2);
  t.not(await inode(), first);
  t.ok((await stat(path)).size < 20 * (size + 200), 'only what is still needed');
  const left = Array.from({ length: 19 }, (_, i) => 21 + i);
  t.same(await contents(outbox), left, 'read from where it lies now');
  await outbox.put([letter(40)]);
  await outbox.close();
  const again = await Outbox.open(all);
  t.same(await contents(again), [...left, 40]);
  await again.close();
});

void t.test(
  'age counts from acceptance over a restart; an unset clock does not count',
  async (t) => {
    const set = Date.UTC(2025, 0, 1);
    for (const [startMs, kept] of [
      [set, false],
      [set - 1, true],
    ] as const) {
      const dir = await folder();
      const clock = new TestClock(startMs);
      const { all } = options(dir, clock, { maxAgeMs: 5000 });
      const outbox = await Outbox.open(all);
      await outbox.put([letter(0)]);
      await outbox.close();
      await clock.advance(5001);
      const again = await Outbox.open(all);
      t.equal(again.size === 1, kept, `stamped ${startMs - set} ms after the clock can be right`);
      await again.close();
    }
    // A clock that was set back: not of negative age.
    const dir = await folder();
    const clock = new TestClock();
    const { all } = options(dir, clock, { maxAgeMs: 5000 });
    const outbox = await Outbox.open(all);
    await outbox.put([letter(0)]);
    await outbox.close();
    clock.jumpWall(-60_000);
    const again = await Outbox.open(all);
    await clock.advance(5001);
    again.expire();
    t.equal(again.size, 0);
    await again.close();
  },
);

void t.test('letters from a number on; removed twice, counted once', async (t) => {
  const { all } = options(await folder(), new TestClock());
  const outbox = await Outbox.open(all);
  await outbox.put([letter(0), letter(1), letter(2)]);
  const [first = 0, second = 0, third = 0] = numbers(outbox);
  t.same(
    [...outbox.from(second)].map(({ number }) => number),
    [second, third],
  );
  t.same([...outbox.from(third + 1)], []);
  const bytes = outbox.sizeBytes;
  outbox.remove(first);
  outbox.remove(first);
  t.equal(outbox.sizeBytes, (2 * bytes) / 3);
  t.equal(outbox.size, 2);
  await outbox.close();
  await outbox.put([letter(3)]).catch(() => undefined);
  const again = await Outbox.open(all);
  t.same(await contents(again), [1, 2], 'nothing is written after the end');
  t.equal(again.sizeBytes, (2 * bytes) / 3, 'what is found counts for the limit');
  await again.close();
});
