import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { main } from '../../src/cli/main.js';
import { bundleTar, FleetSim, passphrase, testFolder } from '../sim/fleet-sim.js';

void t.test('the command line', async (t) => {
  const said: string[] = [];
  const secret = passphrase;
  const simulated = await FleetSim.make(t, { channels: ['stable', 'beta'], nowMs: Date.now() });
  const { dir, folder } = simulated;
  const io = {
    stdout: { write: (s: string) => said.push(s) },
    stderr: { write: (s: string) => said.push(s) },
    env: { KIKITORI_FLEET_PASSPHRASE: secret, KIKITORI_FLEET: dir },
  };
  const fleet = (...argv: string[]) => main(['fleet', ...argv], io);
  const tar = await bundleTar(folder, '1.0.0');
  t.equal(await fleet('publish', tar, '--channel', 'stable', '--rollout', '101'), 2);
  t.equal(await fleet('publish', tar, '--channel', 'nope'), 2);
  said.length = 0;
  t.equal(await fleet('publish', tar, '--channel', 'stable', '--rollout', '5%', '--json'), 0);
  t.match(JSON.parse(said[0] ?? ''), { channel: 'stable', rollout: { percent: 5 } });
  t.equal(await fleet('rollout', 'stable', '--percent', '50', '--pause'), 0);
  t.equal(await fleet('rollout', 'stable', '--pause', '--resume'), 2);
  t.equal(await fleet('channel', 'add', 'nightly'), 0);
  t.equal(await fleet('key', 'list', '--json'), 0);
  t.equal(await fleet('list'), 0);
  t.equal(await fleet('revoke', 'none@1.0.0'), 1);
  t.equal(await fleet('key', 'remove', 'targets'), 2);
  t.equal(await fleet('key', 'rotate', 'targets'), 0, 'the one key of a role needs no id');
  t.equal(await fleet('refresh', '--root'), 0);
  io.env.KIKITORI_FLEET_PASSPHRASE = 'something else';
  t.equal(await fleet('refresh'), 1);
  t.notMatch(said.join(''), secret);
  for (const name of await readdir(join(dir, 'keys'))) {
    const path = join(dir, 'keys', name);
    t.notMatch(await readFile(path, 'utf8'), secret);
    if (name.endsWith('.key.json'))
      t.equal((await stat(path)).mode & 0o077, 0, 'for its owner only');
  }
});

void t.test('a new fleet at full cost', async (t) => {
  const folder = await testFolder(t);
  const dir = join(folder, 'fleet');
  const said: string[] = [];
  const io = {
    stdout: { write: (s: string) => said.push(s) },
    stderr: { write: (s: string) => said.push(s) },
    env: { KIKITORI_FLEET_PASSPHRASE: passphrase },
  };
  const init = (...more: string[]) => main(['fleet', 'init', dir, ...more], io);
  t.equal(await init('--root-keys', '1'), 2, 'two signatures by one key');
  t.equal(await init('--channels', 'Not A Name'), 2);
  t.equal(await init('--root-keys', '1', '--root-threshold', '1'), 0);
  t.equal(await init(), 1, 'never over an old one');
  t.equal(await main(['fleet', 'list', '--fleet', dir], io), 0);
  const key = (await readdir(join(dir, 'keys'))).find((n) => n.startsWith('root-')) ?? '';
  t.match(JSON.parse(await readFile(join(dir, 'keys', key), 'utf8')), { kdf: { cost: 2 ** 17 } });
});
