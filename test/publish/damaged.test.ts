/** A board that damages its outbox with every loss of power: of what is set aside the newest three are kept. */
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { Outbox } from '../../src/publish/index.js';
import { TestClock } from '../sim/test-clock.js';

void t.test('set aside ten times, also with a clock that was set back', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'kikitori-damaged-'));
  t.teardown(() => rm(dir, { recursive: true }));
  const clock = new TestClock();
  const asides: string[] = [];
  const damaged = async () =>
    (await readdir(dir)).filter((name) => name.startsWith('damaged-')).sort();
  for (let n = 0; n < 10; n++) {
    await writeFile(join(dir, 'letters.log'), `no letter, ${n}\n`);
    clock.jumpWall(n === 9 ? -5_000_000 : 1000);
    const outbox = await Outbox.open({
      ...{ dir, clock, maxBytes: 1e6, maxAgeMs: 1e9 },
      onDropped: () => undefined,
      onSetAside: (path) => asides.push(path),
      onDisk: () => undefined,
      onReady: () => undefined,
    });
    await outbox.close();
    t.ok((await damaged()).length <= 3);
  }
  t.equal(asides.length, 10);
  t.same(
    await damaged(),
    [9, 8, 7].map((n) => (asides[n] ?? '').slice(dir.length + 1)).sort(),
    'the newest by its making, then the newest by their stamps',
  );
});
