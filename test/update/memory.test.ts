/**
 * A daemon that changes its model fifty times on the real way, and whether each change leaves something behind. One
 * reading says little: the heaps of V8 and malloc go up and down by 4 MB. So the verdict is the slope of all readings
 * after the first changes, in which code is loaded and compiled once (bench/notes/2026-11-25-memory.md).
 */
import { cp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { median } from '../../bench/lib/report.js';
import { theilSen } from '../../bench/lib/trend.js';
import { unitEnvironment } from '../../scripts/lib/unit-environment.js';
import { Bundle, storedFiles, writeBundle } from '../../src/bundle/index.js';
import { Daemon } from '../sim/daemon.js';
import { FleetSim } from '../sim/fleet-sim.js';
import { MicSim, until } from '../sim/mic-sim.js';
import { modelMissing, shippedModel } from '../sim/model.js';
import { Mosquitto, Subscriber } from '../sim/mosquitto.js';
import { RepositorySim } from '../sim/repository-sim.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const changes = 50;
/** Ten changes load and compile what is used once. */
const settledAfter = 10;
/** MB a change: without a leak 0.06 at most over any forty of 160 changes, with half a megabyte leaked each time 0.77. */
const slopeMbMax = 0.25;
/** A step that is made once, such as a second model that is kept: 5 to 9 MB were seen. */
const stepMbMax = 20;
const on = (topic: string) => `kikitori/board/${topic}`;
const skip = process.platform === 'linux' ? (modelMissing() ?? false) : 'reads /proc';

/** The model that ships, under another version. */
async function asVersion(path: string, version: string): Promise<string> {
  const bundle = await Bundle.open(shippedModel);
  const manifest = JSON.parse(Buffer.from(bundle.file('manifest.json')).toString('utf8')) as object;
  const changed = Buffer.from(JSON.stringify({ ...manifest, version }));
  const files = await storedFiles(bundle);
  await writeBundle(path, files.set('manifest.json', changed));
  return path;
}

/** What it has written: pages of files, such as the program's, come and go as the kernel likes. */
async function writtenMb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return (Number(/RssAnon:\s+(\d+) kB/.exec(status)?.[1]) * 1024) / 1e6;
}

void t.test('fifty changes of the model leave nothing behind', { skip }, async (t) => {
  const fleet = await FleetSim.make(t, { nowMs: Date.now() });
  const server = await RepositorySim.start(t, fleet.dir);
  const bundle = await asVersion(join(fleet.folder, '99.0.0.tar'), '99.0.0');
  await fleet.publish('99.0.0', { bundle });
  const rootPath = join(fleet.folder, 'root-of-board.json');
  await cp(join(fleet.dir, 'root.json'), rootPath);
  const broker = await Mosquitto.open();
  const subscriber = await Subscriber.open(broker.url);
  const mic = await MicSim.create({});
  const daemon = await Daemon.start({
    url: broker.url,
    model: shippedModel,
    grammar: await readFile(join(root, 'config/sentences.yaml'), 'utf8'),
    mic,
    // Asked only when the test asks.
    update: { url: server.url, rootPath, checkEveryMs: '1d', limits: { selftestMs: '60s' } },
    env: await unitEnvironment(root),
  });
  t.teardown(async () => {
    await daemon.remove();
    await mic.remove();
    await subscriber.close();
    await broker.close();
  });
  await daemon.event('agent.ready');
  await daemon.event('mic.up');
  const pid = daemon.child.child.pid ?? 0;
  // A daemon at work: it has heard for a while, and looked into its repository once.
  await subscriber.publish(on('request/update'), { action: 'check', transaction: 'check' });
  await subscriber.find((m) => m.topic === on('response/update'));
  const health = () => subscriber.topics(on('health')).length;
  const heardFor = health() + 8;
  await until('it has heard for a while', () => health() >= heardFor);
  const seen = [await writtenMb(pid)];
  for (let n = 1; n <= changes; n++) {
    const action = n % 2 === 1 ? { action: 'install', retry: true } : { action: 'rollback' };
    await subscriber.publish(on('request/update'), { ...action, transaction: String(n) });
    await daemon.event('model.released', n);
    seen.push(await writtenMb(pid));
  }
  t.comment(`MB of each change: ${seen.map((mb) => mb.toFixed(1)).join(' ')}`);
  const settled = seen.map((y, x) => ({ x, y })).slice(settledAfter);
  const { slope, low, high } = theilSen(settled);
  const interval = `${low.toFixed(3)} to ${high.toFixed(3)}`;
  t.ok(slope < slopeMbMax, `${slope.toFixed(3)} MB more with each change (${interval})`);
  const step = median(settled.map(({ y }) => y)) - (seen[0] ?? NaN);
  t.ok(step < stepMbMax, `${step.toFixed(1)} MB more than a daemon at work`);
  t.equal(daemon.events('update.trial').length, changes / 2, 'each was tried before it heard');
  t.equal(daemon.events('update.rolled-back').length, changes / 2);
  t.equal(daemon.events('audio.dropped').length, 0);
});
