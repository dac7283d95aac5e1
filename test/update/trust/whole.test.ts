/** From the manager's command to a committed model: a real repository, the trusted source and the updater joined. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import t from 'tap';
import { Updater, type UpdateStatus } from '../../../src/update/index.js';
import { openWhenAsked } from '../../../src/update/trust/index.js';
import { bundleTar, FleetSim } from '../../sim/fleet-sim.js';
import { Opens } from '../../sim/opens.js';
import { instead, RepositorySim } from '../../sim/repository-sim.js';

void t.test('tampered, then honest', async (t) => {
  const fleet = await FleetSim.make(t);
  const server = await RepositorySim.start(t, fleet.dir);
  const rootPath = join(fleet.folder, 'root.json');
  await writeFile(rootPath, await readFile(join(fleet.dir, 'root.json')));
  const said: UpdateStatus[] = [];
  const hearing = new Opens();
  const state = join(fleet.folder, 'state');
  const updater = await Updater.open({
    slotsFolder: join(state, 'slots'),
    stateFolder: join(state, 'update'),
    factoryPath: await bundleTar(fleet.folder, '0.9.0'),
    source: openWhenAsked(async () => ({
      rootPath,
      stateDir: join(state, 'trust'),
      url: server.url,
      channel: 'stable',
      clock: fleet.clock,
      reserveBytes: 0,
      retryMs: 1,
    })),
    hearing,
    device: { id: 'board', groups: [] },
    pin: '',
    window: null,
    checkEveryMs: 1e9,
    tickMs: 10_000,
    rules: { utterances: 2, durationMs: 1e9, minSample: 10, realTimeFactor: 0.5 },
    bootId: 'boot-1',
    onStatus: (status) => said.push(status),
    onEvent: () => undefined,
    clock: fleet.clock,
    random: () => 0.5,
    log: pino({ level: 'silent' }),
  });
  t.teardown(() => updater.stop());
  await updater.openCurrent((place, path) => hearing.open(place, path));
  await updater.begin();

  await t.rejects(updater.request({ action: 'check' }), { code: 'no-channel' });
  t.equal(updater.status.checkReason, 'no-channel');
  await fleet.publish('1.0.0');
  const later = (b: Buffer) => Buffer.from(b.toString().replace('"expires": "2', '"expires": "3'));
  server.fault = instead(/timestamp/, later);
  await t.rejects(updater.request({ action: 'check' }), { code: 'unsigned' });
  t.match(updater.status, { state: 'idle', checkReason: 'unsigned', installedVersion: '0.9.0' });

  server.fault = instead(/bundles\//, (b) => Buffer.alloc(b.length));
  await updater.request({ action: 'check' });
  await updater.settled();
  t.match(updater.status, {
    state: 'failed',
    reason: 'download-failed',
    installedVersion: '0.9.0',
  });
  t.match(updater.status.error, /bytes differ from what was signed/);

  server.fault = () => false;
  await updater.request({ action: 'install', retry: true });
  await updater.settled();
  t.match(updater.status, { state: 'trial', installedVersion: '1.0.0' });
  for (let i = 0; i < 3; i++) updater.heard('A', true, 0.95);
  await updater.settled();
  t.match(updater.status, { state: 'committed', installedVersion: '1.0.0' });
  const versions = (state: UpdateStatus['state']) => [
    ...new Set(said.filter((s) => s.state === state).map((s) => s.installedVersion)),
  ];
  t.same(versions('trial'), ['1.0.0'], 'told, each time with the version that hears');
  t.match(await updater.request({ action: 'rollback' }), { installedVersion: '0.9.0' });
  t.same(versions('rolled-back'), ['0.9.0']);
});
