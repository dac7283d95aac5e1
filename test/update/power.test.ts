/**
 * The power is cut before every single step that an update takes on disk or in what hears; after each
 * the device must hear with a bundle that was verified, and find its way.
 */
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { sha256 } from '../../src/bundle/index.js';
import { FaultError, type Hearing, type Hears } from '../../src/update/ports.js';
import type { Place } from '../../src/update/slots.js';
import { Updater } from '../../src/update/updater.js';
import { FolderSource } from '../sim/folder-source.js';
import { Power, stillUpdater } from '../sim/power-steps.js';
import { TestClock } from '../sim/test-clock.js';

const home = await mkdtemp(join(tmpdir(), 'kikitori-test-'));
t.teardown(() => rm(home, { recursive: true, force: true }));

const files = new Map<string, string>();
function bundle(version: string) {
  const path = join(home, `${version}.tar`);
  const content = `bundle ${version}`.repeat(100);
  writeFileSync(path, content);
  const digest = sha256(content);
  files.set(digest, version);
  return { path, name: 'tones', version, sha256: digest, bytes: content.length, minAgent: '0.1.0' };
}
const factory = bundle('0.9.0');
const first = bundle('1.0.0');
const second = bundle('2.0.0');

/** Hears with whatever it is given, but never with bytes that nobody published. */
class Opened implements Hearing {
  prepared: Hears | null = null;
  unfit = false;
  constructor(private readonly power: Power) {}
  open(place: Place, path: string): Hears {
    const version = files.get(sha256(readFileSync(path)));
    if (version === undefined) throw new Error(`unverified bytes in ${path}`);
    return { place, name: 'tones', version };
  }
  async probe(path: string) {
    this.power.step('probe');
    this.open('A', path);
    return this.unfit
      ? { reason: 'selftest' as const, detail: 'another phrase', ours: false }
      : null;
  }
  async prepare(place: Place, path: string) {
    this.power.step('prepare');
    if (this.unfit) throw new FaultError({ reason: 'grammar', detail: 'x', ours: false });
    this.prepared = this.open(place, path);
  }
  switchOver(): Hears {
    this.power.step('switch');
    if (this.prepared === null) throw new Error('nothing is prepared');
    return this.prepared;
  }
  async discard() {
    this.prepared = null;
  }
}

class Board {
  readonly clock = new TestClock();
  readonly events: string[] = [];
  hearing: Opened;
  updater!: Updater;
  constructor(
    readonly folder: string,
    readonly source: FolderSource,
    readonly power = new Power(),
    readonly bootId = 'boot-1',
  ) {
    this.hearing = new Opened(power);
  }
  async start(): Promise<this> {
    this.updater = await Updater.open({
      ...stillUpdater(this.folder, this.power),
      factoryPath: factory.path,
      source: this.source,
      hearing: this.hearing,
      bootId: this.bootId,
      onEvent: (name) => this.events.push(name),
      clock: this.clock,
    });
    await this.updater.openCurrent(async (place, path) => this.hearing.open(place, path));
    await this.updater.begin();
    return this;
  }
  get state() {
    return this.updater.status.state;
  }
  /** Lets everything that is under way come to rest; a download that a gate holds may go on. */
  async rest(): Promise<void> {
    if (this.source.gate === null) await this.updater.settled();
    else for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve));
  }
  async check(): Promise<void> {
    await this.updater.request({ action: 'check' }).catch(() => undefined);
    await this.rest();
  }
  async hear(n: number, accepted: boolean): Promise<void> {
    for (let i = 0; i < n; i++) {
      for (const place of ['A', 'B', 'factory'] as const) this.updater.heard(place, accepted, 0.9);
    }
    await this.rest();
  }
  pointer(): string {
    return readFileSync(join(this.folder, 'slots', 'current'), 'utf8').trim();
  }
  journal(): { current: string; phase: string; refused: { sha256: string }[] } {
    return JSON.parse(readFileSync(join(this.folder, 'update', 'journal.json'), 'utf8')) as never;
  }
}

let copies = 0;
/** A board that has committed version 1.0.0 in slot A and was switched off properly. */
async function installedBoard(): Promise<string> {
  const folder = join(home, 'base');
  const source = new FolderSource();
  source.publish(first);
  const board = await new Board(folder, source).start();
  await board.check();
  await board.hear(20, true);
  await board.updater.stop();
  return folder;
}
const base = await installedBoard();
function copyOf(folder: string): string {
  const copy = join(home, `copy-${copies++}`);
  cpSync(folder, copy, { recursive: true });
  return copy;
}

interface Scenario {
  readonly name: string;
  readonly run: (board: Board) => Promise<void>;
  /** Where it ends when nothing is cut. */
  readonly ends: { state: string; version: string };
  readonly unfit?: boolean;
}
const scenarios: Scenario[] = [
  {
    name: 'a good bundle',
    run: async (b) => {
      await b.check();
      await b.hear(20, true);
    },
    ends: { state: 'committed', version: '2.0.0' },
  },
  {
    name: 'a bundle that fails its self-test',
    run: (b) => b.check(),
    ends: { state: 'rejected', version: '1.0.0' },
    unfit: true,
  },
  {
    name: 'a bundle that refuses everything',
    run: async (b) => {
      await b.check();
      await b.hear(12, false);
    },
    ends: { state: 'rolled-back', version: '1.0.0' },
  },
  {
    name: 'rolled back on request after it was committed',
    run: async (b) => {
      await b.check();
      await b.hear(20, true);
      await b.updater.rollback().catch(() => undefined);
      await b.rest();
    },
    ends: { state: 'rolled-back', version: '1.0.0' },
  },
  {
    name: 'stopped in the middle',
    run: async (b) => {
      await b.check();
      await b.updater.request({ action: 'abort' }).catch(() => undefined);
      await b.rest();
    },
    ends: { state: 'rolled-back', version: '1.0.0' },
  },
];

for (const scenario of scenarios) {
  void t.test(`${scenario.name}, power cut before every step`, async (t) => {
    const source = new FolderSource();
    source.publish(second);
    const whole = await new Board(copyOf(base), source).start();
    whole.hearing.unfit = scenario.unfit === true;
    await scenario.run(whole);
    t.match(
      { ...whole.updater.status },
      { state: scenario.ends.state, installedVersion: scenario.ends.version },
    );
    t.equal(whole.pointer(), whole.journal().current);
    const { steps } = whole.power;
    let restarts = 0;
    for (let cutAt = 1; cutAt <= steps; cutAt++) {
      for (const bootId of ['boot-1', 'boot-2']) {
        const where = `before ${whole.power.taken[cutAt - 1]} (${cutAt} of ${steps}), ${bootId}`;
        const folder = copyOf(base);
        const power = new Power(cutAt);
        const board = new Board(folder, source, power);
        board.hearing.unfit = scenario.unfit === true;
        // Without power the start itself may fail: that is the cut.
        if (
          await board.start().then(
            () => true,
            () => false,
          )
        )
          await scenario.run(board);
        if (!power.gone) t.fail(`${where}: not reached`);

        const again = new Board(folder, source, new Power(), bootId);
        again.hearing.unfit = scenario.unfit === true;
        const refused = new Set(
          (() => {
            try {
              return again.journal().refused.map((r) => r.sha256);
            } catch {
              return [];
            }
          })(),
        );
        await again.start();
        await again.rest();
        restarts++;
        const versions = ['1.0.0', '2.0.0'];
        if (!versions.includes(again.updater.status.installedVersion))
          t.fail(`${where}: hears with ${again.updater.status.installedVersion}`);
        if (again.pointer() !== again.journal().current)
          t.fail(`${where}: the pointer does not follow`);
        const { downloads } = source;
        await again.check();
        if (refused.has(second.sha256) && source.downloads !== downloads)
          t.fail(`${where}: a refused bundle was fetched again`);
        if (again.state === 'trial') await again.hear(20, true);
        await again.rest();
        if (['downloading', 'verified', 'trial'].includes(again.state))
          t.fail(`${where}: stuck in ${again.state}`);
        await again.updater.stop();
      }
    }
    t.equal(restarts, 2 * steps);
    t.comment(`${steps} steps: ${whole.power.taken.join(', ')}`);
  });
}

void t.test('damage on disk: slots and journal', async (t) => {
  const source = new FolderSource();
  const damage = async (change: (folder: string) => void) => {
    const folder = copyOf(base);
    change(folder);
    return new Board(folder, source, new Power(), 'boot-2').start();
  };
  const edited = await damage((f) => writeFileSync(join(f, 'slots/A/bundle.tar'), 'another'));
  t.match(
    { ...edited.updater.status },
    {
      state: 'failed',
      reason: 'current-unreadable',
      installedVersion: '0.9.0',
      error: /were verified/,
    },
  );
  t.equal(readFileSync(join(edited.folder, 'slots/A.set-aside/bundle.tar'), 'utf8'), 'another');
  source.publish(first);
  await edited.check();
  await edited.hear(20, true);
  t.match(
    { ...edited.updater.status },
    { state: 'committed', installedVersion: '1.0.0' },
    'mends itself',
  );

  const torn = await damage((f) => writeFileSync(join(f, 'slots/A/slot.json'), '{"format":1,'));
  t.equal(torn.updater.status.installedVersion, '0.9.0');
  const lost = await damage((f) => writeFileSync(join(f, 'update/journal.json'), ''));
  t.equal(lost.updater.status.installedVersion, '1.0.0', 'the pointer says what is current');
  const both = await damage((f) => {
    writeFileSync(join(f, 'update/journal.json'), '\0\0\0');
    writeFileSync(join(f, 'slots/current'), '../../etc');
  });
  t.equal(both.updater.status.installedVersion, '0.9.0', 'the factory is the last resort');
});

void t.test('a lost journal still refuses what there is evidence against', async (t) => {
  const folder = copyOf(base);
  const source = new FolderSource();
  source.publish(second);
  const board = await new Board(folder, source).start();
  board.hearing.unfit = true;
  await board.check();
  t.equal(board.state, 'rejected');
  await board.updater.stop();
  rmSync(join(folder, 'update/journal.json'));
  const again = await new Board(folder, source).start();
  await again.check();
  t.equal(again.state, 'idle');
  t.match(await again.updater.request({ action: 'check' }), { available: false, why: 'refused' });
  await t.rejects(again.updater.request({ action: 'install' }), {
    message: /refused here before: selftest/,
  });
  await again.updater.request({ action: 'install', retry: true });
  await again.rest();
  t.equal(again.state, 'trial', 'an operator may insist');
});

void t.test('a full disk: nothing moves, what hears goes on, and it is tried again', async (t) => {
  const folder = copyOf(base);
  const source = new FolderSource();
  source.publish(second);
  const board = new Board(folder, source);
  const full = { now: false };
  const step = board.power.step.bind(board.power);
  board.power.step = (name) => {
    if (full.now && name.startsWith('write'))
      throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
    step(name);
  };
  await board.start();
  full.now = true;
  await board.check();
  t.match({ ...board.updater.status }, { state: 'committed', installedVersion: '1.0.0' });
  t.equal(source.downloads, 0);
  full.now = false;
  // It fills up during the download.
  let release: () => void = () => undefined;
  source.gate = new Promise((resolve) => (release = resolve));
  await board.check();
  t.equal(board.state, 'downloading');
  full.now = true;
  source.gate = null;
  release();
  await board.rest();
  t.match(
    { ...board.updater.status },
    { state: 'failed', reason: 'disk-full', installedVersion: '1.0.0' },
  );
  full.now = false;
  await board.check();
  await board.hear(20, true);
  t.match({ ...board.updater.status }, { state: 'committed', installedVersion: '2.0.0' });
});

void t.test(
  'two requests at once, a cut download, progress, and a stop in the middle',
  async (t) => {
    const source = new FolderSource();
    source.publish(second);
    const board = await new Board(copyOf(base), source).start();
    let release: () => void = () => undefined;
    source.gate = new Promise((resolve) => (release = resolve));
    const answers = await Promise.all([
      board.updater.request({ action: 'install' }),
      board.updater.request({ action: 'install' }),
      board.updater.request({ action: 'check' }),
    ]);
    await board.rest();
    t.equal(source.downloads, 1);
    t.ok(answers.every((a) => a['state'] === 'downloading'));
    t.equal(board.updater.status.progress, 50);
    await t.rejects(board.updater.rollback(), { message: /an update is downloading/ });
    await board.updater.request({ action: 'abort' });
    await board.rest();
    t.match(
      { ...board.updater.status },
      { state: 'idle', reason: 'aborted', installedVersion: '1.0.0' },
    );
    await t.rejects(board.updater.request({ action: 'abort' }), {
      message: /no update is under way/,
    });
    release();
    source.gate = null;
    source.cuts = 1;
    await board.check();
    t.match(
      { ...board.updater.status },
      { state: 'failed', reason: 'download-failed', error: /cut at half/ },
    );
    await board.check();
    t.equal(board.state, 'trial', 'a cut download is no fault of the bundle');
    await t.rejects(board.updater.request({ action: 'dance' }), {
      message: /check, install, rollback or abort/,
    });
    source.away = true;
    await board.updater.request({ action: 'check' }).catch(() => undefined);
    t.match({ ...board.updater.status }, { state: 'trial', error: /does not answer/ });
  },
);

void t.test('what the publisher takes back, replaces, or forbids', async (t) => {
  const source = new FolderSource();
  const offer = source.publish(second);
  const board = await new Board(copyOf(base), source).start();
  await board.check();
  t.equal(board.state, 'trial');
  source.offer = { ...offer, rollout: { ...offer.rollout, state: 'aborted' } };
  await board.check();
  t.match(
    { ...board.updater.status },
    { state: 'rolled-back', reason: 'withdrawn', installedVersion: '1.0.0' },
  );
  const why = async (change: object) => {
    source.publish({ ...second, sha256: 'b'.repeat(64), version: '2.0.1' }, change);
    return (await board.updater.request({ action: 'check' }))['why'];
  };
  t.equal(await why({ rollout: { percent: 0, groups: [], state: 'running' } }), 'not-in-rollout');
  t.equal(await why({ rollout: { percent: 100, groups: [], state: 'paused' } }), 'paused');
  source.publish(factory);
  t.equal((await board.updater.request({ action: 'check' }))['why'], 'not-newer');
  source.publish({ ...second, sha256: 'c'.repeat(64), minAgent: '99.0.0' });
  t.match(await board.updater.request({ action: 'check' }), {
    why: 'agent-too-old',
    error: /needs kikitori 99/,
  });
  source.publish(factory, { downgrade: true });
  await board.check();
  t.match(
    { ...board.updater.status },
    { state: 'trial', installedVersion: '0.9.0' },
    'a signed downgrade',
  );
});

void t.test('a clock that jumps neither ends a trial nor prolongs it', async (t) => {
  const source = new FolderSource();
  source.publish(second);
  const board = await new Board(copyOf(base), source).start();
  await board.check();
  board.clock.jumpWall(10 * 365 * 86_400_000);
  await board.clock.advance(30_000);
  await board.rest();
  t.equal(board.state, 'trial');
  board.clock.jumpWall(-30 * 365 * 86_400_000);
  await board.hear(20, true);
  t.equal(board.state, 'committed');
});
