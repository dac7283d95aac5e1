/** The outbox between two writes: what is written how often, what may change while it is written, what a lock holds. */
import { connect } from 'node:net';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readFile, realpath, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { Outbox } from '../../src/publish/index.js';
import { doneLine, LetterFile, letterLine } from '../../src/publish/letter-file.js';
import { contents, letter, numbers } from '../sim/letters.js';
import { folder, options as optionsOf } from '../sim/outbox-stage.js';

const options: typeof optionsOf = (dir, clock, more) =>
  optionsOf(dir, clock, { maxBytes: 20_000_000, ...more });
import { TestClock } from '../sim/test-clock.js';

const linesOf = async (dir: string) =>
  (await readFile(join(dir, 'letters.log'), 'utf8')).split('\n').slice(0, -1);
/** What each line is about: a letter's number, or those that are done. */
const written = async (dir: string) =>
  (await linesOf(dir)).map((line) => {
    const { n, done } = JSON.parse(line.slice(9)) as { n?: number; done?: number[] };
    return n ?? done;
  });

/** A disk that takes nothing until `mend` is called: nobody may make a folder in /sys. */
async function brokenDisk() {
  const root = await folder();
  const real = join(root, 'real');
  const link = join(root, 'state');
  await mkdir(real);
  await symlink('/sys', link);
  const mend = async () => {
    await rm(link);
    await symlink(real, link);
  };
  return { dir: join(link, 'outbox'), real: join(real, 'outbox'), mend };
}
const linux = process.platform === 'linux' ? false : 'needs /sys';

void t.test('puts at once are one write, and each letter is one line', async (t) => {
  const dir = await folder();
  const { all, ready } = options(dir, new TestClock());
  const outbox = await Outbox.open(all);
  const puts = [0, 1, 2, 3].map((i) => outbox.put([letter(i)]));
  t.equal(outbox.size, 4, 'those that are not written yet count');
  t.same([...outbox.from(0)], [], 'and may not be sent yet');
  await Promise.all(puts);
  t.equal(ready(), 1);
  t.equal(outbox.size, 4);
  await outbox.put([letter(4)]);
  t.equal(ready(), 2);
  t.same(await written(dir), [1, 2, 3, 4, 5]);
  await outbox.put([]);
  t.equal(ready(), 2, 'nothing to write, nothing new to send');
  await outbox.close();
  t.same(await written(dir), [1, 2, 3, 4, 5]);
});

void t.test('what the broker has is written without a new letter, once', async (t) => {
  const dir = await folder();
  const { all, ready, nextReady } = options(dir, new TestClock());
  const outbox = await Outbox.open(all);
  await outbox.put([letter(0), letter(1)]);
  const next = nextReady();
  outbox.remove(1);
  await next;
  t.same(await written(dir), [1, 2, [1]]);
  outbox.remove(1);
  outbox.remove(77);
  await outbox.put([]);
  t.equal(ready(), 2, 'one that is not there is not written');
  await outbox.put([letter(2)]);
  t.same(await written(dir), [1, 2, [1], 3]);
  await outbox.close();
});

void t.test('a new letter drops those that have grown too old', async (t) => {
  const clock = new TestClock();
  const { all, dropped } = options(await folder(), clock, { maxAgeMs: 1000 });
  const outbox = await Outbox.open(all);
  await outbox.put([letter(0)]);
  await clock.advance(1001);
  await outbox.put([letter(1)]);
  t.same(dropped, [[1, 'old']]);
  t.same(await contents(outbox), [1]);
  await outbox.close();
});

void t.test('letters of two starts without a disk keep their order', { skip: linux }, async (t) => {
  const clock = new TestClock();
  const numbersOf: number[] = [];
  const disk = await brokenDisk();
  const first = await Outbox.open(options(disk.dir, clock).all);
  await first.put([letter(0)]);
  numbersOf.push(...numbers(first));
  await disk.mend();
  await first.put([letter(1)]);
  await first.close();
  t.same(await written(disk.real), [numbersOf[0], (numbersOf[0] ?? 0) + 1]);

  // The same folder, out of reach again.
  await clock.advance(1000);
  const link = join(disk.dir, '..');
  await rm(link);
  await symlink('/sys', link);
  const second = await Outbox.open(options(disk.dir, clock).all);
  await second.put([letter(2)]);
  await disk.mend();
  await clock.advance(1000);
  await second.put([]);
  t.same(await contents(second), [0, 1, 2]);
  const all = numbers(second);
  t.same(
    all,
    [...all].sort((a, b) => a - b),
    'also by their numbers, by which the sender goes on',
  );
  await second.close();
});

void t.test(
  'a broken disk is tried once a second, and again by each letter',
  { skip: linux },
  async (t) => {
    const clock = new TestClock();
    const disk = await brokenDisk();
    const { all, disk: said, ready } = options(disk.dir, clock);
    const outbox = await Outbox.open(all);
    await outbox.put([letter(0), letter(1)]);
    await outbox.put([letter(2)]);
    t.equal(clock.pending, 1, 'however often it failed, one attempt is planned');
    const failed = ready();
    await Promise.all([3, 4].map(() => outbox.put([])));
    t.equal(ready(), failed + 1, 'and what comes at once is one attempt');
    const bytes = outbox.sizeBytes;
    t.equal(
      bytes,
      [0, 1, 2].reduce((sum, i) => sum + lineBytes(numbers(outbox)[i] ?? 0, i, clock), 0),
    );
    outbox.remove(999);
    t.equal(said.length, 1);
    await disk.mend();
    const before = ready();
    outbox.remove(999);
    await new Promise((resolve) => setImmediate(resolve));
    t.equal(ready(), before, 'an end of a letter that is not there is no reason to try');
    await outbox.put([letter(3)]);
    t.same(said.at(-1), [null, 0]);
    t.equal(outbox.sizeBytes, (bytes * 4) / 3, 'what is saved late counts once');
    t.equal((await linesOf(disk.real)).length, 4);
    await outbox.put([letter(4)]);
    t.equal((await linesOf(disk.real)).length, 5, 'and is written once');
    await outbox.close();
    t.equal(clock.pending, 0);
  },
);

void t.test('a disk that is back is noticed where nothing waits', { skip: linux }, async (t) => {
  const clock = new TestClock();
  const disk = await brokenDisk();
  const { all, disk: said, nextReady } = options(disk.dir, clock);
  const outbox = await Outbox.open(all);
  await disk.mend();
  const next = nextReady();
  await clock.advance(1000);
  await next;
  t.same(said.at(-1), [null, 0]);
  await outbox.close();
});

const lineBytes = (number: number, i: number, clock: TestClock) =>
  Buffer.byteLength(letterLine(number, clock.now(), letter(i)));

void t.test('an end in the middle of a late write counts', { skip: linux }, async (t) => {
  const clock = new TestClock();
  const disk = await brokenDisk();
  const { all } = options(disk.dir, clock);
  const outbox = await Outbox.open(all);
  await outbox.put([letter(0), letter(1), letter(2)]);
  const [never = 0, during = 0, stays = 0] = numbers(outbox);
  outbox.remove(never); // sent from memory, before the disk had it
  await outbox.put([]);
  await disk.mend();
  const writing = outbox.put([]);
  // The write has begun: it has its lines, and waits for the disk.
  for (let i = 0; i < 10; i++) await Promise.resolve();
  outbox.remove(during);
  await writing;
  t.same(numbers(outbox), [stays]);
  await outbox.put([letter(3)]);
  t.same(await written(disk.real), [during, stays, [during], stays + 1]);
  await outbox.close();
  const again = await Outbox.open(all);
  t.same(await contents(again), [2, 3]);
  await again.close();
});

void t.test(
  'a file that cannot be written anew: what was just written is there once',
  async (t) => {
    const clock = new TestClock();
    const dir = await folder();
    const { all, disk } = options(dir, clock);
    const outbox = await Outbox.open(all);
    await outbox.put(Array.from({ length: 20 }, (_, i) => letter(i, 220_000)));
    await mkdir(join(dir, 'letters.log.tmp'));
    for (const number of numbers(outbox)) outbox.remove(number);
    await outbox.put([letter(20)]);
    t.match(disk, [[/EISDIR/, 0]], 'no letter waits for the disk');
    await rm(join(dir, 'letters.log.tmp'), { recursive: true });
    await clock.advance(1000);
    await outbox.put([]);
    t.match(disk, [
      [/EISDIR/, 0],
      [null, 0],
    ]);
    t.same(await written(dir), [21]);
    await outbox.close();
  },
);

void t.test('written anew at exactly four megabytes of what is done with', async (t) => {
  const clock = new TestClock();
  for (const [garbage, live, anew] of [
    [3_999_999, 0, false],
    [4_000_000, 0, true],
    [4_100_000, 4_100_001, false],
    [4_100_000, 4_100_000, true],
  ] as const) {
    const dir = await folder();
    const outbox = await Outbox.open(options(dir, clock).all);
    const done = Array.from({ length: 20 }, (_, i) => i + 1);
    const sized = (from: number, count: number, total: number) => {
      const size = (i: number, text: number) =>
        Buffer.byteLength(letterLine(from + i, clock.now(), letter(i, text)));
      const even = Math.floor(total / count) - size(0, 0) - 10;
      const letters = Array.from({ length: count }, (_, i) => letter(i, even));
      const sum = letters.reduce((s, _, i) => s + size(i, even), 0);
      letters[0] = letter(0, even + total - sum);
      return letters;
    };
    await outbox.put(sized(1, 20, garbage - Buffer.byteLength(doneLine(done))));
    if (live > 0) await outbox.put(sized(21, 20, live));
    const path = join(dir, 'letters.log');
    const { ino } = await stat(path);
    for (const number of done) outbox.remove(number);
    await outbox.put([]);
    const now = await stat(path);
    t.equal(now.ino !== ino, anew, `${garbage} done with, ${live} not`);
    t.equal(now.size, anew ? live : garbage + live);
    await outbox.close();
  }
});

void t.test(
  'a folder is locked by whatever path, until it is closed or could not be opened',
  async (t) => {
    const root = await folder();
    const dir = join(root, 'outbox');
    const clock = new TestClock();
    const { all } = options(dir, clock);
    const outbox = await Outbox.open(all);
    await symlink(dir, join(root, 'other'));
    await t.rejects(Outbox.open({ ...all, dir: join(root, 'other') }), {
      kind: 'storage',
      message: /another kikitori uses this outbox/,
      where: join(root, 'other'),
      hint: 'stop it, or set another state.dir',
    });
    // Who asks the lock's name gets no answer, and holds nothing open.
    const name = createHash('sha256')
      .update(await realpath(dir))
      .digest('hex')
      .slice(0, 32);
    const socket = connect(`\0kikitori-outbox-${name}`);
    socket.resume();
    await once(socket, 'close');
    await outbox.close();

    // Not a disk's trouble: refused at once, and free for the next one.
    const wrong = join(root, 'wrong');
    await mkdir(join(wrong, 'letters.log'), { recursive: true });
    await t.rejects(Outbox.open({ ...all, dir: wrong }), {
      kind: 'storage',
      where: wrong,
      message: /the outbox cannot be opened: EISDIR/,
      hint: 'state.dir must be a folder that this user may write',
    });
    await rm(join(wrong, 'letters.log'), { recursive: true });
    await writeFile(join(wrong, 'letters.log'), '');
    const mended = await Outbox.open({ ...all, dir: wrong });
    t.equal(mended.size, 0);
    await mended.close();
  },
);

void t.test(
  'a line with a right check that is neither letter nor done is damage like any other',
  async (t) => {
    const line = (content: unknown) => {
      const json = JSON.stringify(content);
      return `${createHash('sha256').update(json).digest('hex').slice(0, 8)} ${json}\n`;
    };
    const dir = await folder();
    const good = { topic: 't', payload: { id: 'x' } };
    const odd = [
      ...[null, 7, [], {}, { done: 5 }, { done: ['1'] }, { done: null }],
      ...[
        { n: 'a', ...good },
        { n: 2, topic: 't' },
        { n: 3, topic: 5, payload: {} },
      ],
      ...[
        { n: 4, topic: 't', payload: [] },
        { n: 5, at: 'now', ...good },
        { n: -1, ...good },
      ],
    ];
    const path = join(dir, 'letters.log');
    await writeFile(path, letterLine(1, 0, good) + odd.map(line).join('') + letterLine(2, 0, good));
    const { file, contents } = await LetterFile.open(path, join(dir, 'aside'));
    t.same(
      contents.letters.map(({ number }) => number),
      [1, 2],
    );
    t.equal(contents.badLines, odd.length);
    t.equal(contents.highest, 2);
    t.same(await file.read(contents.letters[1] ?? { offset: 0, bytes: 0 }), good);
    await file.close();
  },
);
