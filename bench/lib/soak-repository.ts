/** A signed repository with new versions of the model that ships: good ones, and ones that fail their self-test. */
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { Bundle, storedFiles, writeBundle } from '../../src/bundle/index.js';
import { initFleet, planPublication, Repository } from '../../src/fleet/index.js';
import { systemClock } from '../../src/runtime/clock.js';
import { RepositorySim } from '../../test/sim/repository-sim.js';

/** scrypt at its cheapest: nobody steals this key. */
const cheap = 2;
const passphrase = async () => 'a passphrase of a soak';

export class SoakRepository {
  private constructor(
    private readonly folder: string,
    private readonly bundle: Bundle,
    private readonly server: RepositorySim,
  ) {}

  static async start(root: string, folder: string): Promise<SoakRepository> {
    const dir = join(folder, 'fleet');
    await initFleet({
      ...{ dir, rootKeys: 1, rootThreshold: 1, channels: ['stable'] },
      ...{ passphrase, clock: systemClock, cost: cheap },
    });
    await cp(join(dir, 'root.json'), join(folder, 'root.json'));
    const server = new RepositorySim(join(dir, 'repository'));
    await server.up();
    return new SoakRepository(folder, await Bundle.open(join(root, 'models/kikitori-en')), server);
  }

  get url(): string {
    return this.server.url;
  }

  get rootPath(): string {
    return join(this.folder, 'root.json');
  }

  /** The model that ships under another version; `claims`: what it says that its clip says. */
  async publish(version: string, claims?: string): Promise<void> {
    const manifest = JSON.parse(
      Buffer.from(this.bundle.file('manifest.json')).toString('utf8'),
    ) as { selftest: Record<string, unknown> };
    const selftest = { ...manifest.selftest, ...(claims === undefined ? {} : { text: claims }) };
    const files = await storedFiles(this.bundle);
    files.set('manifest.json', Buffer.from(JSON.stringify({ ...manifest, version, selftest })));
    const bundle = join(this.folder, 'next.tar');
    await writeBundle(bundle, files);
    const repository = await Repository.open({
      ...{ dir: join(this.folder, 'fleet'), passphrase, clock: systemClock, random: Math.random },
    });
    const { edit } = await planPublication(repository, {
      ...{ bundle, channel: 'stable', percent: 100, groups: [], downgrade: false },
    });
    await repository.commit(edit);
  }

  async close(): Promise<void> {
    await this.server.down();
  }
}
