/** An orderly stop is no crash, at whatever moment it comes: the model on trial stays on trial. */
import { existsSync, readFileSync } from 'node:fs';
import { cp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import type { UpdateState } from '../../src/update/state.js';
import { holderOf } from '../../src/runtime/lock.js';
import { randomFrom } from '../../src/measure/evaluate/statistics.js';
import { Daemon, program, type DaemonOptions } from '../sim/daemon.js';
import { digestOf, FleetSim } from '../sim/fleet-sim.js';
import { MicSim, until } from '../sim/mic-sim.js';
import { Mosquitto, Subscriber } from '../sim/mosquitto.js';
import { Child } from '../sim/process.js';
import type { Teardown } from '../sim/publisher.js';
import { RepositorySim } from '../sim/repository-sim.js';
import { toneBundle, toneGrammar } from '../sim/tone-bundle.js';

const fleet = await FleetSim.make(t, { nowMs: Date.now() });
const server = await RepositorySim.start(t, fleet.dir);
const broker = await Mosquitto.open();
const subscriber = await Subscriber.open(broker.url);
const mic = await MicSim.create({});
t.teardown(async () => {
  await mic.remove();
  await subscriber.close();
  await broker.close();
});
const rootPath = join(fleet.folder, 'root-of-board.json');
await cp(join(fleet.dir, 'root.json'), rootPath);
const bundleOf = async (version: string) =>
  (await toneBundle(join(fleet.folder, `${version}.tar`), { version })).path;
const options: DaemonOptions = {
  url: broker.url,
  model: await bundleOf('1.0.0'),
  grammar: toneGrammar,
  mic,
  // The trial does not end while this test lasts.
  update: {
    url: server.url,
    rootPath,
    checkEveryMs: '1s',
    trial: { utterances: 10_000, durationMs: '30d' },
    limits: { selftestMs: '60s' },
  },
};
await fleet.publish('1.1.0', { bundle: await bundleOf('1.1.0') });

const pathOf = (daemon: Daemon, name: string) => join(daemon.folder, 'state', name);
const journalOf = (daemon: Daemon): UpdateState | null => {
  try {
    return JSON.parse(readFileSync(pathOf(daemon, 'update/journal.json'), 'utf8')) as UpdateState;
  } catch {
    return null;
  }
};
const onTrial = { phase: 'trial', current: 'A', refused: [], run: { clean: true } };

/** A board in the middle of a trial, stopped as it should be. */
const first = await Daemon.start(options);
t.teardown(() => rm(first.folder, { recursive: true, force: true }));
await first.event('update.trial');
await first.child.kill('SIGTERM');
t.match(journalOf(first), onTrial);

/** Moments of the start, each seen from outside. */
const moments: Record<string, (daemon: Daemon) => boolean> = {
  'the folder is locked': (d) => existsSync(pathOf(d, 'holder.json')),
  'the journal was read': (d) => journalOf(d)?.run.clean === false,
  'the outbox is open': (d) => existsSync(pathOf(d, 'outbox/letters.log')),
  'the broker is asked': () => subscriber.topics('kikitori/board/state').length > 0,
  'the first line of the log': (d) => d.child.lines.length > 0,
  'it is ready': (d) => d.events('agent.ready').length > 0,
  'it hears': (d) => d.events('mic.up').length > 0,
};

async function startAgain(): Promise<Daemon> {
  await rm(pathOf(first, 'outbox'), { recursive: true, force: true });
  subscriber.messages.length = 0;
  return Daemon.start(options, first.folder);
}

void t.test('SIGTERM and SIGINT at every moment of the start', async (t) => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    for (const [name, seen] of Object.entries(moments)) {
      const daemon = await startAgain();
      // As near to the moment as can be: what is watched are files and lines.
      while (!seen(daemon) && !daemon.child.over)
        await new Promise((resolve) => setTimeout(resolve, 1));
      t.equal(await daemon.child.kill(signal), 0, `${signal} when ${name}`);
      t.match(journalOf(daemon), onTrial, name);
      t.equal(daemon.events('agent.stopped').length, 1);
      t.notOk(existsSync(pathOf(daemon, 'holder.json')));
      t.equal(daemon.child.errors, '');
    }
  }
});

void t.test('at any time, also before the program is loaded', async (t) => {
  const random = randomFrom(5);
  for (let n = 0; n < 16; n++) {
    const daemon = await startAgain();
    const ms = 700 * random();
    await new Promise((resolve) => setTimeout(resolve, ms));
    await daemon.child.kill('SIGTERM');
    t.match(journalOf(daemon), onTrial, `after ${Math.round(ms)} ms`);
  }
});

void t.test('asked to stop, and killed for taking too long: no crash either', async (t) => {
  const daemon = await startAgain();
  await daemon.event('agent.ready');
  await until('unclean', () => journalOf(daemon)?.run.clean === false);
  daemon.child.child.kill('SIGTERM');
  await until('it is said to be orderly', () => journalOf(daemon)?.run.clean === true);
  await daemon.child.kill('SIGKILL');
  const next = await startAgain();
  await next.event('agent.ready');
  t.match(journalOf(next), { ...onTrial, run: { clean: false } });
  await next.child.kill('SIGTERM');
});

void t.test('two quick restarts, and the trial goes on', async (t) => {
  for (let n = 0; n < 2; n++) {
    const daemon = await startAgain();
    await until('the journal was read', () => journalOf(daemon)?.run.clean === false);
    await daemon.child.kill('SIGTERM');
  }
  const daemon = await startAgain();
  await subscriber.find((m) => m.topic.endsWith('/update') && m.json['state'] === 'trial');
  t.match(await daemon.event('agent.ready'), { model: /1\.1\.0/ });
  await daemon.child.kill('SIGTERM');
});

void t.test('a crash is still one', async (t) => {
  const aside = join(fleet.folder, 'state-aside');
  await cp(join(first.folder, 'state'), aside, { recursive: true });
  const daemon = await startAgain();
  await daemon.event('agent.ready');
  await daemon.child.kill('SIGKILL');
  const next = await startAgain();
  await next.event('agent.ready');
  t.match(journalOf(next), { phase: 'rolled-back', reason: 'crashed' });
  await next.child.kill('SIGTERM');
  await rm(join(first.folder, 'state'), { recursive: true });
  await cp(aside, join(first.folder, 'state'), { recursive: true });
});

void t.test('SIGHUP before it is ready is done once it is', async (t) => {
  for (const name of ['the folder is locked', 'the journal was read', 'the outbox is open']) {
    const daemon = await startAgain();
    const config = await readFile(daemon.configPath, 'utf8');
    while (moments[name]?.(daemon) === false)
      await new Promise((resolve) => setTimeout(resolve, 1));
    await writeFile(daemon.configPath, config.replace('"log":{}', '"log":{"level":"debug"}'));
    for (let n = 0; n < 3; n++) daemon.child.child.kill('SIGHUP');
    t.match(await daemon.event('config.reloaded'), { needRestart: ['log'] }, name);
    const order = daemon.child.lines.filter((l) => /agent\.ready|config\.reloaded/.test(l));
    t.match(order[0], 'agent.ready');
    daemon.child.child.kill('SIGHUP');
    await daemon.event('config.reloaded', order.length);
    t.equal(await daemon.child.kill('SIGTERM'), 0);
  }
});

const childrenOf = (pid: number) =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number);

/** Nobody has asked how. */
const hasEnded = (pid: number) => /^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));

/** The process of a self-test begins a moment after the download is verified. Here it stands still. */
async function inSelfTest(t: Teardown): Promise<Daemon> {
  for (;;) {
    const daemon = await Daemon.start(options);
    t.teardown(() => daemon.remove());
    const { pid = 0 } = daemon.child.child;
    await daemon.event('update.verified');
    const past = () => daemon.events('update.trial').length > 0;
    await until('its process, or its end', () => past() || childrenOf(pid).length > 1);
    const children = childrenOf(pid);
    for (const child of children) process.kill(child, 'SIGSTOP');
    if (children.length > 1 && journalOf(daemon)?.phase === 'verified') return daemon;
    // A busy machine looked too late.
    for (const child of children) process.kill(child, 'SIGCONT');
    await daemon.child.kill();
  }
}

void t.test('stopped with all its children in the middle of a self-test', async (t) => {
  const daemon = await inSelfTest(t);
  const { pid = 0 } = daemon.child.child;
  const children = childrenOf(pid);
  t.ok(children.length > 1, 'the recorder and the self-test');
  // The daemon hears of their end, and at once of its own.
  process.kill(pid, 'SIGSTOP');
  for (const signal of ['SIGTERM', 'SIGCONT'] as const)
    for (const child of children) process.kill(child, signal);
  await until('their end', () => children.every(hasEnded));
  process.kill(pid, 'SIGCONT');
  process.kill(pid, 'SIGTERM');
  t.equal(await daemon.child.exit(), 0);
  t.match(journalOf(daemon), { phase: 'verified', refused: [], run: { clean: true } });
  const next = await Daemon.start(options, daemon.folder);
  await next.event('update.trial');
  await next.child.kill('SIGTERM');
});

void t.test('a second one beside it is refused before it reads or writes anything', async (t) => {
  const daemon = await startAgain();
  await daemon.event('mic.up');
  const config = JSON.parse(await readFile(daemon.configPath, 'utf8')) as { state: object };
  const link = join(fleet.folder, 'link-to-state');
  await symlink(join(daemon.folder, 'state'), link);
  const other = join(fleet.folder, 'by-hand.json');
  await writeFile(other, JSON.stringify({ ...config, state: { dir: link } }));
  const before = { journal: journalOf(daemon), slots: await digestOf(pathOf(daemon, 'slots')) };
  const { pid = 0 } = (await holderOf(join(daemon.folder, 'state'))) ?? {};
  for (const path of [daemon.configPath, other, daemon.configPath]) {
    const second = Child.node([program, 'run', '--config', path]);
    t.equal(await second.exit(), 1);
    t.match(second.errors, new RegExp(`another kikitori .* process ${pid}, since 20`));
    t.equal(second.errors.trim().split('\n').length, 1, second.errors);
  }
  const doctor = Child.node([program, 'doctor', '--json', '--config', other]);
  t.match(JSON.parse(await doctor.line('"disk"')), {
    status: 'ok',
    what: new RegExp(`process ${pid} runs with it since 20`),
  });
  await doctor.exit();
  t.same(
    { journal: journalOf(daemon), slots: await digestOf(pathOf(daemon, 'slots')) },
    before,
    'nothing was touched',
  );
  t.equal(await daemon.child.kill('SIGTERM'), 0);
  t.match(journalOf(daemon), onTrial);
});
