/** Language models that hawkBit assigns: the repository says what kind each is, whatever hawkBit says. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import t, { type Test } from 'tap';
import { LanguageBundle } from '../../../src/bundle/index.js';
import { DdiClient, HawkbitTrigger } from '../../../src/update/hawkbit/index.js';
import {
  LazySource,
  realDisk,
  Updater,
  type Hearing,
  type Hears,
  type UpdateTrigger,
} from '../../../src/update/index.js';
import { TrustedSource } from '../../../src/update/trust/index.js';
import { bundleTar, FleetSim, WallClock } from '../../sim/fleet-sim.js';
import { HawkbitSim, type Action } from '../../sim/hawkbit-sim.js';
import { languageTar } from '../../sim/language-bundle.js';
import { until } from '../../sim/mic-sim.js';
import { Opens } from '../../sim/opens.js';
import { RepositorySim } from '../../sim/repository-sim.js';

/** Hears language models, and says so truly. */
class OpensWords extends Opens {
  override async open(place: Hears['place'], path: string): Promise<Hears> {
    if (path === '') return { place, name: '', version: '' };
    const { manifest } = await LanguageBundle.open(path);
    return { place, name: manifest.name, version: manifest.version };
  }
  override async probe() {
    return this.bad === '' ? null : { reason: 'selftest' as const, detail: this.bad, ours: false };
  }
}

/** Both kinds of one board, as the agent joins them. */
class World {
  readonly clock = new WallClock();
  readonly words = new OpensWords();
  readonly complaints: string[] = [];
  models!: Updater;
  language!: Updater;
  private boots = 0;

  private constructor(
    private readonly t: Test,
    readonly fleet: FleetSim,
    readonly server: RepositorySim,
    readonly hawkbit: HawkbitSim,
  ) {}

  static async make(t: Test): Promise<World> {
    const fleet = await FleetSim.make(t, { channels: ['stable', 'english'] });
    const world = new World(
      t,
      fleet,
      await RepositorySim.start(t, fleet.dir),
      await HawkbitSim.start(t),
    );
    const root = await readFile(join(fleet.dir, 'root.json'));
    await writeFile(join(fleet.folder, 'root-of-board.json'), root);
    await bundleTar(fleet.folder, '0.9.0');
    await world.boot();
    t.teardown(() => world.stop());
    return world;
  }

  async boot(): Promise<void> {
    const { fleet, hawkbit, clock } = this;
    const log = pino({ level: 'silent' });
    const at = (...parts: string[]) => join(fleet.folder, 'state', ...parts);
    const trigger = new HawkbitTrigger({
      client: new DdiClient({
        ...{ url: hawkbit.url, tenant: 'DEFAULT', controllerId: 'board', clock },
        authorization: () => hawkbit.authorization,
      }),
      attributes: () => ({ device: 'board' }),
      stateFolder: at('update'),
      disk: realDisk,
      ...{ clock, log, random: () => 0.99, backoffMs: 50 },
    });
    this.boots++;
    const factoryPath = join(fleet.folder, 'tiny-0.9.0.tar');
    this.models = await this.updater('model', at(), factoryPath, trigger, new Opens());
    this.language = await this.updater(
      'language',
      at('language'),
      '',
      trigger.beside(),
      this.words,
    );
    await this.models.begin();
    this.t.match(
      await this.models.request({ action: 'check' }),
      { available: false },
      'asked before both have begun it waits',
    );
    await this.language.begin();
  }

  private async updater(
    which: 'model' | 'language',
    folder: string,
    factoryPath: string,
    trigger: UpdateTrigger,
    hearing: Opens & Hearing,
  ): Promise<Updater> {
    const { fleet, server, clock } = this;
    const other = () => (which === 'model' ? this.language : this.models);
    const updater = await Updater.open({
      slotsFolder: join(folder, 'slots'),
      stateFolder: join(folder, 'update'),
      factoryPath,
      source: new LazySource(() =>
        TrustedSource.open({
          rootPath: join(fleet.folder, 'root-of-board.json'),
          stateDir: join(folder, 'trust'),
          url: server.url,
          ...(which === 'model'
            ? { channel: 'stable' }
            : { channel: 'english', kind: 'language-model' }),
          ...{ clock: fleet.clock, reserveBytes: 0, retryMs: 1 },
        }),
      ),
      trigger,
      hearing,
      beside: () => other()?.underWay ?? null,
      device: { id: 'board', groups: [] },
      ...{ pin: '', window: null, checkEveryMs: 1e9, tickMs: 10_000 },
      rules: { utterances: 2, durationMs: 1e9, minSample: 10, realTimeFactor: 0.5 },
      bootId: `boot-${this.boots}`,
      onStatus: ({ checkReason }) =>
        checkReason === undefined || this.complaints.push(`${which} ${checkReason}`),
      onEvent: () => undefined,
      ...{ clock, random: () => 0.99, log: pino({ level: 'silent' }) },
    });
    await updater.openCurrent((place, path) => hearing.open(place, path));
    return updater;
  }

  async stop(): Promise<void> {
    await Promise.all([this.models.stop(), this.language.stop()]);
  }

  /** One poll, and all that comes of it. */
  async poll(): Promise<void> {
    await this.language.request({ action: 'check' });
    await Promise.all([this.models.settled(), this.language.settled()]);
  }

  async survive(updater: Updater): Promise<void> {
    for (const place of ['A', 'B', 'A', 'B', 'A', 'B'] as const) updater.heard(place, true, 0.95);
    await updater.settled();
  }

  /** Signed by the publisher, offered to nobody by the channel. */
  async signed(version: string) {
    const { bundle } = await this.fleet.publish(version, { percent: 0 });
    return bundle;
  }

  async signedWords(version: string) {
    const made = join(this.fleet.folder, 'made');
    const bundle = await languageTar(made, { version, text: `stop conveyor ${version}\n` });
    return (await this.fleet.publish(version, { bundle, channel: 'english', percent: 0 })).bundle;
  }
}

const reasonOf = (action: Action) => action.told.at(-1)?.details?.join(' ') ?? '';

void t.test('each kind goes where it belongs, one after the other', async (t) => {
  const world = await World.make(t);
  const { hawkbit, models, language } = world;
  const words = hawkbit.assign(await world.signedWords('1.0.0'));
  await world.poll();
  t.match(language.status, { state: 'trial', installedVersion: '1.0.0', deployment: 'hawkbit-7' });
  t.match(models.status, { state: 'idle', installedVersion: '0.9.0' });
  await world.survive(language);
  await until('closed', () => words.state === 'success');
  t.match(words.told.map((f) => f.execution).slice(-1), ['closed']);

  // What the other kind has under way is waited for, and counts for no failed attempt.
  const next = await world.signedWords('1.1.0');
  const model = hawkbit.assign(await world.signed('1.0.0'));
  await world.poll();
  t.match(models.status, { state: 'trial', deployment: 'hawkbit-8' });
  model.state = 'cancelled';
  const waits = hawkbit.assign(next);
  for (let i = 0; i < 7; i++) await world.poll();
  t.equal(waits.state, 'open');
  t.match(language.status, { installedVersion: '1.0.0' });
  await world.survive(models);
  await world.poll();
  t.match(language.status, { state: 'trial', installedVersion: '1.1.0' });
  t.match(models.status, { state: 'committed', installedVersion: '1.0.0' });
  t.same(world.complaints, [], "that it was of the other kind is nobody's fault");
});

void t.test('over a restart, and told how it went', async (t) => {
  const world = await World.make(t);
  const { hawkbit } = world;
  const action = hawkbit.assign(await world.signedWords('1.0.0'));
  await world.poll();
  await world.stop();
  await world.boot();
  await world.poll();
  t.match(world.language.status, { state: 'trial', deployment: 'hawkbit-7' });
  await world.language.request({ action: 'abort' });
  await until('closed', () => action.state === 'failure');
  t.match(reasonOf(action), /rolled-back: requested/);

  world.words.bad = 'it foretells something else';
  const bad = hawkbit.assign(await world.signedWords('1.2.0'));
  await world.poll();
  await until('closed', () => bad.state === 'failure');
  t.match(reasonOf(bad), /rejected: selftest it foretells something else/);
});

void t.test('held until its window, and cancelled', async (t) => {
  const world = await World.make(t);
  const { hawkbit } = world;
  const held = hawkbit.assign(await world.signedWords('1.0.0'), {
    ...{ update: 'skip', window: 'unavailable' },
  });
  await world.poll();
  t.match(world.language.status, { state: 'verified', installedVersion: '' });
  hawkbit.cancel(held);
  await world.poll();
  t.equal(held.state, 'cancelled');
  t.match(world.language.status, { state: 'idle', installedVersion: '' });
});

void t.test('what nobody signed is neither kind', async (t) => {
  const world = await World.make(t);
  const { hawkbit } = world;
  const unsigned = hawkbit.assign({ name: 'site', version: '6.6.6', sha256: '6'.repeat(64) });
  for (let i = 0; i < 6 && unsigned.state === 'open'; i++) await world.poll();
  t.equal(unsigned.state, 'failure');
  t.match(reasonOf(unsigned), /not-signed/);
  t.ok(world.complaints.includes('model not-signed'));
  hawkbit.assign(await world.signedWords('1.0.0'));
  await world.poll();
  t.match(world.language.status, { state: 'trial' });
  t.equal(
    world.models.status.checkReason,
    undefined,
    'what was said of the other one is taken back',
  );
});
