/** A model bundle and a language model on one board: one at a time, and which language model a bundle wants. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import t from 'tap';
import { Turn } from '../../src/agent/turn.js';
import { Bundle, sha256 } from '../../src/bundle/index.js';
import type { UnderWay, UpdaterOptions } from '../../src/update/ports.js';
import { Updater } from '../../src/update/updater.js';
import { bundleTar, FleetSim } from '../sim/fleet-sim.js';
import { FolderSource, type Published } from '../sim/folder-source.js';
import { Opens } from '../sim/opens.js';
import { TestClock } from '../sim/test-clock.js';

const home = await mkdtemp(join(tmpdir(), 'kikitori-test-'));
t.teardown(() => rm(home, { recursive: true, force: true }));
const wish = { name: 'general', minVersion: '1.2.0' };

async function published(version: string, more = {}): Promise<Published> {
  const path = await bundleTar(home, version, 'tiny', more);
  const bytes = await readFile(path);
  return {
    ...{ path, name: 'tiny', version, minAgent: '0.1.0', ...more },
    ...{ sha256: sha256(bytes), bytes: bytes.length },
  };
}

let boards = 0;
async function board(source: FolderSource, more: Partial<UpdaterOptions>): Promise<Updater> {
  const folder = join(home, `board-${boards++}`);
  const hearing = new Opens();
  const updater = await Updater.open({
    slotsFolder: join(folder, 'slots'),
    stateFolder: join(folder, 'update'),
    factoryPath: await bundleTar(home, '0.9.0'),
    source,
    hearing,
    device: { id: 'board', groups: [] },
    pin: '',
    window: null,
    checkEveryMs: 1e9,
    tickMs: 10_000,
    rules: { utterances: 2, durationMs: 1e9, minSample: 10, realTimeFactor: 0.5 },
    bootId: 'boot-1',
    onStatus: () => undefined,
    onEvent: () => undefined,
    clock: new TestClock(),
    random: () => 0.5,
    log: pino({ level: 'silent' }),
    ...more,
  });
  await updater.openCurrent((place, path) => hearing.open(place, path));
  await updater.begin();
  return updater;
}

void t.test('while one is under way the other is not begun, whoever asks', async (t) => {
  let other: UnderWay | null = { what: 'general 1.0.0 is trial', changing: true };
  const source = new FolderSource();
  source.publish(await published('1.0.0'));
  const updater = await board(source, { beside: () => other });
  for (const action of ['check', 'install'])
    t.match(await updater.request({ action }), {
      ...{ available: false, why: 'busy' },
      detail: 'tiny 1.0.0 waits: general 1.0.0 is trial',
    });
  t.equal(updater.status.state, 'idle');
  t.equal(updater.underWay, null);
  other = null;
  t.match(await updater.request({ action: 'check' }), { available: true });
  await updater.settled();
  t.match(updater.underWay, { what: 'tiny 1.0.0 is trial', changing: true });
  await updater.stop();
});

void t.test('both begun in one moment: the change waits until the other is over', async (t) => {
  let other: UnderWay | null = null;
  const source = new FolderSource();
  source.publish(await published('1.0.0'));
  const updater = await board(source, { beside: () => other, tickMs: 1 });
  await updater.request({ action: 'check' });
  other = { what: 'general 1.0.0 is trial', changing: true };
  await updater.settled();
  t.equal(updater.status.state, 'verified');
  other = { what: 'general 1.0.0 is verified', changing: false };
  await updater.request({ action: 'install' });
  await updater.settled();
  t.equal(updater.status.state, 'trial');
  await updater.stop();
});

void t.test('a bundle names its language model: it waits for it, and says so', async (t) => {
  let why: string | null = 'it wants the language model general 1.2.0 or newer';
  const asked: unknown[] = [];
  const source = new FolderSource();
  source.publish(await published('2.0.0', { languageModel: wish }));
  const lacks = (wanted: unknown) => {
    asked.push(wanted);
    return why;
  };
  const updater = await board(source, { lacks });
  t.match(await updater.request({ action: 'check' }), {
    ...{ available: false, why: 'needs-language-model', checkReason: 'needs-language-model' },
    error: 'tiny 2.0.0: it wants the language model general 1.2.0 or newer',
  });
  t.equal(source.downloads, 0, 'nothing is fetched in vain');
  await t.rejects(updater.request({ action: 'install' }), { message: /general 1\.2\.0 or newer/ });
  why = null;
  await updater.request({ action: 'check' });
  await updater.settled();
  t.match({ ...updater.status }, { state: 'trial', installedVersion: '2.0.0' });
  t.notOk('checkReason' in updater.status);
  t.same(asked[0], wish);
  await updater.stop();
});

void t.test('the publisher says it in the channel, from the manifest', async (t) => {
  const fleet = await FleetSim.make(t);
  const bundle = await bundleTar(fleet.folder, '1.0.0', 'tiny', { languageModel: wish });
  t.match(await fleet.publish('1.0.0', { bundle }), { bundle: { languageModel: wish } });
  const repository = await fleet.open();
  t.match(Object.values(repository.targetsOf('')), [{ custom: { languageModel: wish } }, {}]);
  for (const languageModel of [{ name: 'x' }, { name: 'x', minVersion: 'new' }, 'general'])
    await t.rejects(
      Bundle.open(await bundleTar(fleet.folder, '1.0.1', 'tiny', { languageModel })),
      { message: /languageModel/ },
    );
});

void t.test('turns are taken in order, and given back once', async (t) => {
  const turn = new Turn();
  const done: string[] = [];
  const give = await turn.take();
  const later = turn.alone(async () => void done.push('second'));
  const last = turn.alone(async () => {
    done.push('third');
    throw new Error('on purpose');
  });
  await new Promise((resolve) => setImmediate(resolve));
  t.same(done, []);
  give();
  give();
  await later;
  await t.rejects(last, { message: 'on purpose' });
  t.same(done, ['second', 'third']);
  t.equal(await turn.alone(async () => 'free again'), 'free again');
});
