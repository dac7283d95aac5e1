/**
 * Power lost after every operation on the disk of outbox and set-aside messages, with every fate of what was not synced:
 * whatever was promised is there at the next start.
 */
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { randomFrom } from '../../src/measure/evaluate/statistics.js';
import { Outbox, type OutboxOptions } from '../../src/publish/index.js';
import { SetAside } from '../../src/publish/set-aside.js';
import { DiskTrace } from '../sim/disk-trace.js';
import { contents, letter, numbers } from '../sim/letters.js';
import { TestClock } from '../sim/test-clock.js';

const home = await mkdtemp(join(tmpdir(), 'kikitori-outbox-power-'));
t.teardown(() => rm(home, { recursive: true, force: true }));
let folders = 0;
async function folder(): Promise<string> {
  const path = join(home, String(folders++));
  await mkdir(path);
  return path;
}

const clock = new TestClock();
function options(dir: string) {
  const aside: [string, number][] = [];
  const all: OutboxOptions = {
    dir: join(dir, 'outbox'),
    maxBytes: 20_000_000,
    maxAgeMs: 86_400_000,
    clock,
    onDropped: (count, why) => t.fail(`${count} dropped: ${why}`),
    onSetAside: (path, bad) => aside.push([path, bad]),
    onDisk: (why) => t.fail(String(why)),
    onReady: () => undefined,
  };
  return { all, aside };
}

/** What was promised when so many operations were done. */
interface Promised {
  readonly operations: number;
  /** Letters that were accepted and that nobody has asked to remove. */
  readonly kept: readonly number[];
}

interface Looked {
  readonly states: number;
  readonly told: number;
}

/** Opens what every loss of power may leave. `from`: operations before it are not looked at. */
async function look(trace: DiskTrace, promises: readonly Promised[], from = 0): Promise<Looked> {
  const random = randomFrom(2);
  const target = join(home, 'after');
  let states = 0;
  let told = 0;
  for (let n = from; n <= trace.now; n++) {
    const kept = promises.filter(({ operations }) => operations <= n).at(-1)?.kept ?? [];
    for await (const { fate } of trace.after(n, target, random)) {
      states++;
      const { all, aside } = options(target);
      const outbox = await Outbox.open(all).catch((error: unknown) => {
        t.fail(`${fate}: ${String(error)}`);
        return null;
      });
      if (outbox === null) continue;
      const found = await contents(outbox);
      const missing = kept.filter((i) => !found.includes(i));
      if (missing.length > 0) t.fail(`${fate}: lost ${missing.join()} of ${kept.join()}`);
      if (found.some((v, i) => v <= (found[i - 1] ?? -1))) t.fail(`${fate}: order ${found.join()}`);
      await outbox.put([letter(999_999)]);
      await outbox.close();
      const again = await Outbox.open(options(target).all);
      if ((await contents(again)).join() !== [...found, 999_999].join())
        t.fail(`${fate}: it does not go on`);
      await again.close();
      told += aside.length;
      for (const [path] of aside) await readFile(path);
    }
  }
  return { states, told };
}

void t.test('a new outbox, letters and their ends', async (t) => {
  const dir = await folder();
  const random = randomFrom(7);
  const promises: Promised[] = [];
  const trace = await DiskTrace.of(dir, async (disk) => {
    const outbox = await Outbox.open(options(dir).all);
    let kept: number[] = [];
    let next = 0;
    for (let round = 0; round < 8; round++) {
      const fresh = Array.from({ length: 1 + Math.floor(3 * random()) }, () => next++);
      const gone = numbers(outbox).slice(0, Math.floor(3 * random()));
      kept = kept.slice(gone.length);
      // No longer promised from the moment in which it is asked for.
      promises.push({ operations: disk.now, kept });
      for (const number of gone) outbox.remove(number);
      await outbox.put(fresh.map((i) => letter(i)));
      kept = [...kept, ...fresh];
      promises.push({ operations: disk.now, kept });
    }
    await outbox.close();
  });
  const { states, told } = await look(trace, promises);
  t.ok(states >= 40);
  t.comment(`${trace.now} operations, ${states} folders, ${told} set aside`);
});

void t.test('the file is written anew', async (t) => {
  const dir = await folder();
  const outbox = await Outbox.open(options(dir).all);
  const size = 220_000;
  await outbox.put(Array.from({ length: 22 }, (_, i) => letter(i, size)));
  for (const number of numbers(outbox).slice(0, 17)) outbox.remove(number);
  await outbox.put([]);
  const kept = [17, 18, 19, 20, 21];
  await outbox.close();
  const trace = await DiskTrace.of(dir, async () => {
    const again = await Outbox.open(options(dir).all);
    for (const number of numbers(again).slice(0, 2)) again.remove(number);
    await again.put([letter(30)]);
    await again.close();
  });
  t.ok(
    trace.operations.some((o) => o.op === 'rename'),
    'it was',
  );
  const begins = trace.operations.findIndex((o) => o.op === 'entry' && o.name.endsWith('.tmp'));
  const { states } = await look(trace, [{ operations: 0, kept: kept.slice(2) }], begins);
  t.comment(`${trace.now} operations, ${states} folders`);
});

void t.test('the file is written anew in a folder that cannot be synced', async (t) => {
  const dir = await folder();
  const said: (string | null)[] = [];
  const all = { ...options(dir).all, onDisk: (why: string | null) => said.push(why) };
  const outbox = await Outbox.open(all);
  await outbox.put(Array.from({ length: 22 }, (_, i) => letter(i, 220_000)));
  let promised = 0;
  const trace = await DiskTrace.of(dir, async (disk) => {
    for (const number of numbers(outbox).slice(0, 20)) outbox.remove(number);
    disk.failing = 'folder';
    await outbox.put([]);
    t.match(said, [/EIO: i\/o error, fsync of a folder/]);
    await outbox.put([letter(30)]);
    t.same(await contents(outbox), [20, 21, 30], 'read from the new file');
    disk.failing = null;
    await clock.advance(1000);
    await outbox.put([letter(31)]);
    t.equal(said.at(-1), null);
    promised = disk.now;
    await outbox.close();
  });
  await look(trace, [
    { operations: 0, kept: [20, 21] },
    { operations: promised, kept: [20, 21, 30, 31] },
  ]);
});

void t.test('a letter is synced, its end alone is not', async (t) => {
  const dir = await folder();
  await DiskTrace.of(dir, async (disk) => {
    const outbox = await Outbox.open(options(dir).all);
    await outbox.put([letter(0), letter(1)]);
    const before = disk.operations.length;
    const since = () => disk.operations.slice(before).map(({ op }) => op);
    outbox.remove(numbers(outbox)[0] ?? 0);
    await outbox.put([]);
    t.same(since(), ['write']);
    await outbox.put([letter(2)]);
    t.same(since(), ['write', 'write', 'sync']);
    await outbox.close();
  });
});

void t.test('a damaged file is set aside', async (t) => {
  const dir = await folder();
  const outbox = await Outbox.open(options(dir).all);
  for (let i = 0; i < 6; i++) await outbox.put([letter(i)]);
  await outbox.close();
  const path = join(dir, 'outbox/letters.log');
  const bytes = await readFile(path);
  const at = bytes.indexOf(0x0a) + 30;
  bytes[at] = (bytes[at] ?? 0) ^ 0xff;
  await writeFile(path, bytes);
  await clock.advance(1);
  const trace = await DiskTrace.of(dir, async () => {
    const { all, aside } = options(dir);
    await (await Outbox.open(all)).close();
    t.equal(aside.length, 1);
  });
  await clock.advance(1);
  const { states, told } = await look(trace, [{ operations: 0, kept: [0, 2, 3, 4, 5] }]);
  t.ok(told > 0);
  t.comment(`${trace.now} operations, ${states} folders, ${told} told`);
});

void t.test('messages that are set aside for a person', async (t) => {
  const dir = await folder();
  const one = (i: number) => ({ setAsideAt: 'now', why: 'too large', ...letter(i) });
  const kept: Promised[] = [];
  const trace = await DiskTrace.of(dir, async (disk) => {
    const aside = await SetAside.open(dir, 500);
    for (let i = 0; i < 6; i++) {
      await aside.add(one(i));
      kept.push({ operations: disk.now, kept: Array.from({ length: i + 1 }, (_, k) => k) });
    }
  });
  const random = randomFrom(3);
  const target = join(home, 'aside');
  let states = 0;
  /** Whole lines, oldest first; what is no JSON is left out. */
  const found = async () => {
    const names = (await readdir(target)).filter((name) => name.startsWith('set-aside.log'));
    const texts = await Promise.all(
      names
        .sort()
        .reverse()
        .map((n) => readFile(join(target, n), 'utf8')),
    );
    return texts.flatMap((text) =>
      text.split('\n').flatMap((line) => {
        try {
          return [(JSON.parse(line) as { payload: { i: number } }).payload.i];
        } catch {
          return [];
        }
      }),
    );
  };
  for (let n = 0; n <= trace.now; n++) {
    const promised = kept.filter(({ operations }) => operations <= n).at(-1)?.kept ?? [];
    for await (const { fate } of trace.after(n, target, random)) {
      states++;
      const before = await found();
      // The older file goes when the newer one is full: what is promised is the last three.
      const missing = promised.slice(-3).filter((i) => !before.includes(i));
      if (missing.length > 0) t.fail(`${fate}: lost ${missing.join()}`);
      const aside = await SetAside.open(target, 500);
      await aside.add(one(77));
      if (!(await found()).includes(77)) t.fail(`${fate}: the next one runs into a torn line`);
    }
  }
  t.comment(`${trace.now} operations, ${states} folders`);
});
