/** hawkBit as the trigger: a real server of its interface, a real repository, the real updater. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import t, { type Test } from 'tap';
import { planRevocation, planRollout } from '../../../src/fleet/index.js';
import { LazySource, realDisk, Updater, type UpdateStatus } from '../../../src/update/index.js';
import { DdiClient, HawkbitTrigger } from '../../../src/update/hawkbit/index.js';
import { TrustedSource } from '../../../src/update/trust/index.js';
import { bundleTar, FleetSim, WallClock } from '../../sim/fleet-sim.js';
import { HawkbitSim, type Action } from '../../sim/hawkbit-sim.js';
import { until } from '../../sim/mic-sim.js';
import { Opens } from '../../sim/opens.js';
import { RepositorySim } from '../../sim/repository-sim.js';

const token = 'a-token-of-tests';

class World {
  readonly clock = new WallClock();
  readonly hearing = new Opens();
  readonly said: UpdateStatus[] = [];
  readonly logged: string[] = [];
  updater!: Updater;
  boots = 0;
  readonly limits = { totalMs: 120_000, windowMs: 60_000 };
  authorization: () => string | undefined = () => `TargetToken ${token}`;

  private constructor(
    readonly fleet: FleetSim,
    readonly server: RepositorySim,
    readonly hawkbit: HawkbitSim,
  ) {}

  static async make(t: Test): Promise<World> {
    const fleet = await FleetSim.make(t);
    const world = new World(
      fleet,
      await RepositorySim.start(t, fleet.dir),
      await HawkbitSim.start(t),
    );
    const root = await readFile(join(fleet.dir, 'root.json'));
    await writeFile(join(fleet.folder, 'root-of-board.json'), root);
    await bundleTar(fleet.folder, '0.9.0');
    await world.boot();
    t.teardown(() => world.updater.stop());
    return world;
  }

  get state(): string {
    return join(this.fleet.folder, 'state');
  }

  /** `random` keeps the first poll away for 5 s: tests ask. */
  async boot(random = () => 0.99): Promise<void> {
    const { fleet, server, hawkbit, hearing, clock } = this;
    const log = pino({ level: 'debug' }, { write: (line: string) => this.logged.push(line) });
    const stateFolder = join(this.state, 'update');
    this.updater = await Updater.open({
      slotsFolder: join(this.state, 'slots'),
      stateFolder,
      factoryPath: join(fleet.folder, 'tiny-0.9.0.tar'),
      source: new LazySource(() =>
        TrustedSource.open({
          rootPath: join(fleet.folder, 'root-of-board.json'),
          stateDir: join(this.state, 'trust'),
          url: server.url,
          channel: 'stable',
          clock: fleet.clock,
          reserveBytes: 0,
          retryMs: 1,
        }),
      ),
      trigger: new HawkbitTrigger({
        client: new DdiClient({
          url: hawkbit.url,
          tenant: 'DEFAULT',
          controllerId: 'board',
          authorization: () => this.authorization(),
          clock,
          limits: this.limits,
        }),
        attributes: () => ({ device: 'board', kikitori: '1.0.0' }),
        stateFolder,
        disk: realDisk,
        clock,
        random,
        log,
        backoffMs: 50,
      }),
      hearing,
      device: { id: 'board', groups: [] },
      pin: '',
      window: null,
      checkEveryMs: 1e9,
      tickMs: 10_000,
      rules: { utterances: 2, durationMs: 1e9, minSample: 10, realTimeFactor: 0.5 },
      bootId: `boot-${++this.boots}`,
      onStatus: (status) => this.said.push(status),
      onEvent: () => undefined,
      clock,
      random,
      log,
    });
    await this.updater.openCurrent((place, path) => hearing.open(place, path));
    await this.updater.begin();
  }

  async reboot(random?: () => number): Promise<void> {
    await this.updater.stop();
    await this.boot(random);
  }

  /** One poll, and all that comes of it. */
  async poll(): Promise<void> {
    await this.updater.request({ action: 'check' });
    await this.updater.settled();
  }

  /** Waits until it holds; what is waited for comes by itself. */
  async until(what: string, holds: () => boolean): Promise<void> {
    await until(what, holds);
  }

  /** Ends the trial. */
  async survive(): Promise<void> {
    for (let i = 0; i < 3; i++) this.updater.heard('A', true, 0.95);
    for (let i = 0; i < 3; i++) this.updater.heard('B', true, 0.95);
    await this.updater.settled();
  }

  /** Signed by the publisher, offered to nobody by the channel. */
  async signed(version: string) {
    const { bundle } = await this.fleet.publish(version, { percent: 0 });
    return bundle;
  }
}

const words = ({ told }: Action) =>
  told.map(({ execution, result }) => `${execution} ${result.finished}`);

void t.test('assigned, tried, committed, and told', async (t) => {
  const world = await World.make(t);
  const { hawkbit, updater } = world;
  const bundle = await world.signed('1.0.0');
  await world.poll();
  t.same(hawkbit.attributes, { device: 'board', kikitori: '1.0.0' });
  t.equal(updater.status.state, 'idle', 'the channel itself decides nothing');
  const action = hawkbit.assign(bundle);
  await world.poll();
  t.match(updater.status, { state: 'trial', installedVersion: '1.0.0', deployment: 'hawkbit-7' });
  await world.survive();
  await world.until('closed', () => action.state === 'success');
  const changes = words(action).filter((w, i, all) => w !== all[i - 1]);
  t.same(changes, ['proceeding none', 'downloaded none', 'proceeding none', 'closed success']);
  t.equal(hawkbit.requests.filter((r) => r.includes('softwaremodules')).length, 0);
  const { length } = action.told;
  await world.poll();
  t.equal(action.told.length, length, 'each state was told once');
  t.equal(new Set(action.told.map((f) => JSON.stringify(f))).size, length);
  t.notMatch(world.logged.join(''), token, 'the token is in no log');
  t.notMatch(JSON.stringify(world.said), token);

  // The same bundle again, under a name that only the module's name and version explain.
  const again = hawkbit.assign({ ...bundle, filename: 'model.tar' });
  await world.poll();
  t.same(words(again), ['closed success'], 'it is installed already');
  t.match(again.told[0]?.details, [/installed/]);
});

void t.test('what goes wrong is told with its reason', async (t) => {
  const world = await World.make(t);
  const { hawkbit, updater, hearing, fleet } = world;
  const reasonOf = (action: Action) => action.told.at(-1)?.details?.join(' ') ?? '';

  const failing = await world.signed('1.0.0');
  hearing.bad = 'the clip says something else';
  const rejected = hawkbit.assign(failing);
  await world.poll();
  await world.until('closed', () => rejected.state === 'failure');
  t.match(reasonOf(rejected), /rejected: selftest the clip says something else/);
  hearing.bad = '';
  const insists = hawkbit.assign(failing);
  await world.poll();
  t.match(reasonOf(insists), /refused: .* was refused here before/, 'never again by itself');

  const good = await world.signed('1.1.0');
  const crashed = hawkbit.assign(good);
  await world.poll();
  t.equal(updater.status.state, 'trial');
  await updater.request({ action: 'rollback' });
  await world.until('closed', () => crashed.state === 'failure');
  t.match(reasonOf(crashed), /rolled-back: requested/);

  const unsigned = hawkbit.assign({ name: 'tiny', version: '6.6.6', sha256: '6'.repeat(64) });
  for (let i = 0; i < 6 && unsigned.state === 'open'; i++) await world.poll();
  t.equal(unsigned.state, 'failure');
  t.match(reasonOf(unsigned), /not-signed/);
  t.ok(words(unsigned).length <= 2, 'told once while it was tried again');

  // The right name with other bytes: hawkBit's word for it counts nothing.
  const other = hawkbit.assign({ ...good, sha256: '7'.repeat(64) });
  for (let i = 0; i < 6 && other.state === 'open'; i++) await world.poll();
  t.match(reasonOf(other), /not-signed/);

  const two = hawkbit.assign(good);
  two.chunks.push(...two.chunks);
  await world.poll();
  t.match(reasonOf(two), /holds 2 files that end in \.tar/);

  const latest = await world.signed('1.2.0');
  const repository = await fleet.open();
  await repository.commit((await planRollout(repository, 'stable', { state: 'aborted' })).edit);
  const withdrawn = hawkbit.assign(latest);
  await world.poll();
  t.match(reasonOf(withdrawn), /aborted/, "the publisher's word is the last");
  const revoking = await fleet.open();
  await revoking.commit((await planRevocation(revoking, 'tiny@1.2.0')).edit);
  const revoked = hawkbit.assign(latest);
  for (let i = 0; i < 6 && revoked.state === 'open'; i++) await world.poll();
  t.match(reasonOf(revoked), /not-signed/);
  t.equal(updater.status.installedVersion, '0.9.0');
});

void t.test('older than what hears: hawkBit cannot sign a downgrade', async (t) => {
  const world = await World.make(t);
  const old = await world.signed('1.0.0');
  const now = await world.signed('1.1.0');
  const first = world.hawkbit.assign(now);
  await world.poll();
  await world.survive();
  await world.until('closed', () => first.state === 'success');
  const back = world.hawkbit.assign(old);
  await world.poll();
  t.match(back.told.at(-1)?.details?.[0], /not-newer/);
  t.equal(back.state, 'failure');
});

void t.test('cancelled in the middle', async (t) => {
  const world = await World.make(t);
  const { hawkbit, updater, server } = world;
  const bundle = await world.signed('1.0.0');

  // While it is downloaded: the server sends half and waits.
  let wait = true;
  server.fault = ({ path, response, bytes }) => {
    if (!wait || !path.includes('bundles/') || bytes === undefined) return false;
    response.writeHead(200, { 'content-length': bytes.length });
    response.write(bytes.subarray(0, bytes.length >> 1));
    return true;
  };
  const first = hawkbit.assign(bundle);
  await updater.request({ action: 'check' });
  t.equal(updater.status.state, 'downloading');
  hawkbit.cancel(first);
  await world.poll();
  t.match(updater.status, { state: 'idle', reason: 'aborted' });
  t.equal(first.state, 'cancelled');
  t.same(words(first).slice(-1), ['closed success'], 'on the channel of the cancellation');
  wait = false;

  // During the trial: the model before hears again, and may be assigned another time.
  const second = hawkbit.assign(bundle);
  await world.poll();
  t.equal(updater.status.state, 'trial');
  hawkbit.cancel(second);
  await world.poll();
  t.match(updater.status, { state: 'rolled-back', installedVersion: '0.9.0' });
  t.equal(second.state, 'cancelled');
  const third = hawkbit.assign(bundle);
  await world.poll();
  t.match(updater.status, { state: 'trial', deployment: `hawkbit-${third.id}` });

  // Too late: said so, and the end is told once more on the action that is open again.
  await world.survive();
  await world.until('closed', () => third.state === 'success');
  third.state = 'cancelling';
  await world.poll();
  t.equal(third.state, 'open');
  await world.poll();
  t.equal(third.state, 'success');

  // One that this board has never heard of.
  const unknown = hawkbit.assign(bundle);
  hawkbit.cancel(unknown);
  await world.poll();
  t.equal(unknown.state, 'cancelled');
  t.equal(updater.status.installedVersion, '1.0.0');
});

void t.test('soft, download-only, and the maintenance window of the server', async (t) => {
  const world = await World.make(t);
  const { hawkbit, updater } = world;
  const bundle = await world.signed('1.0.0');
  const later = hawkbit.assign(bundle, { download: 'skip', update: 'skip' });
  await world.poll();
  t.equal(updater.status.state, 'idle');
  t.same(words(later), ['scheduled none']);
  hawkbit.actions.pop();

  const closed = hawkbit.assign(bundle, { update: 'skip', window: 'unavailable' });
  await world.poll();
  t.equal(updater.status.state, 'verified', 'downloaded and tried, not changed');
  await world.reboot();
  await world.updater.settled();
  t.equal(world.updater.status.state, 'verified', 'nor after a restart');
  closed.window = 'available';
  closed.update = 'forced';
  await world.poll();
  t.equal(world.updater.status.state, 'trial');
  await world.survive();
  await world.until('closed', () => closed.state === 'success');

  const next = await world.signed('1.1.0');
  const only = hawkbit.assign(next, { update: 'skip' });
  await world.poll();
  await world.until('downloaded', () => only.state === 'downloaded');
  await world.poll();
  t.match(world.updater.status, { state: 'verified', installedVersion: '1.0.0' });
  const soft = hawkbit.assign(next, { download: 'attempt', update: 'attempt' });
  await world.poll();
  t.match(world.updater.status, { state: 'trial', deployment: `hawkbit-${soft.id}` });

  // Forgotten at the server without being cancelled.
  await world.survive();
  await world.until('closed', () => soft.state === 'success');
  const gone = await world.signed('1.2.0');
  const forgotten = hawkbit.assign(gone, { update: 'skip', window: 'unavailable' });
  await world.poll();
  t.equal(world.updater.status.state, 'verified');
  forgotten.state = 'failure';
  await world.poll();
  t.match(world.updater.status, { state: 'idle', reason: 'aborted' });
});

void t.test('a server that is away, full, or mad', async (t) => {
  const world = await World.make(t);
  const { hawkbit, updater } = world;
  const fails = async (what: string, code: string) => {
    await t.rejects(world.poll(), { code }, what);
    t.equal(updater.status.checkReason, code, what);
    t.equal(updater.status.installedVersion, '0.9.0');
  };
  const answer =
    (status: number, headers: Record<string, string> = {}, body = ''): HawkbitSim['fault'] =>
    ({ response }) => {
      response.writeHead(status, headers).end(body);
      return true;
    };
  hawkbit.authorization = 'TargetToken another';
  await fails('a wrong token', 'hawkbit-unauthorized');
  hawkbit.authorization = `TargetToken ${token}`;
  hawkbit.fault = answer(429, { 'retry-after': '1' });
  await fails('too many requests', 'hawkbit-busy');
  hawkbit.fault = answer(503);
  await fails('an error', 'hawkbit-status');
  hawkbit.fault = answer(302, { location: 'http://127.0.0.1:9/' });
  await fails('a redirect', 'hawkbit-redirected');
  for (const body of ['', 'no JSON', '[]', '{"_links":{"deploymentBase":{"href":"x"}}}']) {
    hawkbit.fault = answer(200, {}, body);
    await fails(`the body ${body}`, 'hawkbit-malformed');
  }
  hawkbit.fault = answer(200, { 'content-encoding': 'gzip' }, 'x');
  await fails('compressed', 'hawkbit-malformed');
  hawkbit.fault = ({ response }) => {
    response.writeHead(200);
    // Node 24 goes on answering each write to a torn connection at once: until an error, or for ever.
    const more = (error?: Error | null): void => {
      if (!error && !response.destroyed) response.write('x'.repeat(65536), more);
    };
    more();
    return true;
  };
  await fails('an endless body', 'hawkbit-too-long');
  hawkbit.fault = () => true;
  world.limits.windowMs = 300;
  await fails('no answer', 'hawkbit-too-slow');
  world.limits.windowMs = 60_000;
  hawkbit.fault = () => false;
  await hawkbit.down();
  await fails('nobody there', 'hawkbit-unreachable');
  world.authorization = () => {
    throw Object.assign(new Error('there is no such secret'), { code: 'no-secret' });
  };
  await fails('no secret', 'no-secret');
  world.authorization = () => `TargetToken ${token}`;
  await hawkbit.up();
  await world.poll();
  t.notOk(updater.status.checkReason, 'and all is well again');
  t.notMatch(world.logged.join(''), token);

  // The repository is away: nothing of the order is lost.
  const bundle = await world.signed('1.0.0');
  const action = hawkbit.assign(bundle);
  await world.server.down();
  for (let i = 0; i < 7; i++) await world.poll();
  t.equal(action.state, 'open');
  t.equal(words(action).length, 1, 'told once');
  await world.server.up();
  await world.poll();
  t.equal(updater.status.state, 'trial');
});

void t.test(
  'what happened while hawkBit was away is told when it is back, also after a restart',
  async (t) => {
    const world = await World.make(t);
    const { hawkbit } = world;
    const action = hawkbit.assign(await world.signed('1.0.0'));
    await world.poll();
    t.equal(world.updater.status.state, 'trial');
    await hawkbit.down();
    await world.survive();
    t.equal(world.updater.status.state, 'committed');
    await world.reboot(() => 0);
    await hawkbit.up();
    // By itself now: back-off, then the feedback, then the sleep that the server asks for.
    await world.until('told', () => action.state === 'success');
    const before = hawkbit.requests.filter((r) => r === 'GET ').length;
    await world.until(
      'polls go on',
      () => hawkbit.requests.filter((r) => r === 'GET ').length > before + 1,
    );
    t.equal(action.told.filter((f) => f.execution === 'closed').length, 1);
  },
);

void t.test('the server says how long to sleep, and how long to stay away', async (t) => {
  const world = await World.make(t);
  const { hawkbit } = world;
  await world.reboot(() => 0);
  hawkbit.sleep = '00:00:02';
  await world.until('a first poll', () => hawkbit.requests.length > 0);
  const count = () => hawkbit.requests.filter((r) => r === 'GET ').length;
  const times: number[] = [];
  hawkbit.fault = () => {
    times.push(performance.now());
    return false;
  };
  const from = count();
  await world.until('two polls', () => count() >= from + 2);
  t.ok((times[1] ?? 0) - (times[0] ?? 0) >= 1900, 'never earlier than asked');
  times.length = 0;
  hawkbit.fault = ({ response }) => {
    times.push(performance.now());
    response.writeHead(429, { 'retry-after': '2' }).end();
    return true;
  };
  await world.until('two attempts', () => times.length >= 2);
  t.ok((times[1] ?? 0) - (times[0] ?? 0) >= 1900, 'Retry-After is heeded');
});
