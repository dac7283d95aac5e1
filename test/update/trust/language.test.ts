/** A channel of language models in a real repository: what a board takes from it, and what its publisher may put there. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { TrustedSource, type TrustedSourceOptions } from '../../../src/update/trust/index.js';
import { bundleTar, FleetSim, update } from '../../sim/fleet-sim.js';
import { languageTar } from '../../sim/language-bundle.js';
import { instead, RepositorySim } from '../../sim/repository-sim.js';

const text = 'stop the conveyor two\nset the light to blue\n';

void t.test('a channel has one kind, at both ends', async (t) => {
  const fleet = await FleetSim.make(t, { channels: ['stable', 'english'] });
  const server = await RepositorySim.start(t, fleet.dir);
  const rootPath = join(fleet.folder, 'root.json');
  await writeFile(rootPath, await readFile(join(fleet.dir, 'root.json')));
  const open = (more: Pick<TrustedSourceOptions, 'channel' | 'kind'>) =>
    TrustedSource.open({
      rootPath,
      stateDir: join(fleet.folder, `trust-${more.channel}-${more.kind}`),
      url: server.url,
      clock: fleet.clock,
      reserveBytes: 0,
      retryMs: 1,
      ...more,
    });
  const kind = 'language-model';
  const made = join(fleet.folder, 'made');
  const bundle = await languageTar(made, { version: '1.0.0', text });
  await fleet.publish('1.0.0', { bundle, channel: 'english' });
  await fleet.publish('1.0.0');
  const english = await open({ channel: 'english', kind });

  await t.test('what was published comes, byte for byte', async (t) => {
    t.match(await english.check(), { bundle: { name: 'site', version: '1.0.0', kind } });
    t.ok((await readFile(await update(english))).equals(await readFile(bundle)));
  });

  await t.test('the wrong channel is said before anything is fetched', async (t) => {
    server.requests.length = 0;
    const wrong = await open({ channel: 'stable', kind });
    await t.rejects(wrong.check(), { code: 'wrong-kind', message: /tiny is a model bundle/ });
    const other = await open({ channel: 'english', kind: 'model' });
    await t.rejects(other.check(), { code: 'wrong-kind', message: /site is a language model/ });
    t.notOk(server.requests.some((path) => path.includes('/bundles/')));
    const { sha256 } = (await english.check()).bundle;
    const wanted = { deployment: 'hawkbit-1', file: '', name: 'site', version: '1.0.0', sha256 };
    await t.rejects(other.find(wanted), { code: 'wrong-kind' });
    t.match(await english.find(wanted), { bundle: { kind } });
  });

  await t.test('bytes that were changed on the way, cut, or signed by nobody', async (t) => {
    const fresh = await languageTar(made, { version: '1.1.0', text });
    await fleet.publish('1.1.0', { bundle: fresh, channel: 'english' });
    server.fault = instead(/bundles\/.*site-1\.1/, (b) => {
      const changed = Buffer.from(b);
      changed[b.length >> 1] = (changed[b.length >> 1] ?? 0) ^ 4;
      return changed;
    });
    await t.rejects(update(english), { code: 'mismatch' });
    server.fault = instead(/bundles\/.*site-1\.1/, (b) => b.subarray(0, b.length >> 1));
    await t.rejects(update(english), { code: /^(cut-off|mismatch)$/ });
    server.fault = instead(/english\.json/, (b) =>
      Buffer.from(b.toString().replace('"percent": 100', '"percent": 101')),
    );
    await t.rejects(english.check(), { code: /^(mismatch|too-long)$/ });
    server.fault = () => false;
    t.match(await english.check(), { bundle: { version: '1.1.0' } });
  });

  await t.test('signed, and another kind than was said: no board takes it', async (t) => {
    const source = await open({ channel: 'stable', kind });
    const tar = await readFile(await bundleTar(fleet.folder, '3.0.0'));
    await fleet.publishBytes(tar, (channel) => Object.assign(channel.bundle, { kind }));
    const offer = await source.check();
    await t.rejects(source.download(offer), {
      code: 'bad-bundle',
      message: /it is a model bundle/,
    });
    await fleet.publishBytes(Buffer.from('no tar at all'.repeat(100)), (channel) =>
      Object.assign(channel.bundle, { kind }),
    );
    await t.rejects(update(source), { code: 'bad-bundle' });
  });

  await t.test('the publisher is stopped first', async (t) => {
    await t.rejects(fleet.publish('2.0.0', { channel: 'english' }), {
      message: /tiny is a model bundle, and english offers another kind.*channel add/,
    });
    await t.rejects(
      fleet.publish('0.9.0', {
        bundle: await languageTar(made, { version: '0.9.0', text }),
        channel: 'english',
      }),
      { message: /older than 1\.1\.0/ },
    );
    const back = await fleet.publish('', { bundle, channel: 'english', downgrade: true });
    t.match(back, { downgrade: true, bundle: { version: '1.1.1', kind } });
    t.equal(await update(english).then(async (path) => (await readFile(path)).length > 0), true);
  });
});
