/** The power goes after every single operation on the disk, on an empty board and on one that was updated before. */
import { execFile } from 'node:child_process';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { Bundle } from '../../../src/bundle/index.js';
import { deviceOf, FleetSim, update } from '../../sim/fleet-sim.js';
import { PowerCut } from '../../sim/power-cut.js';
import { RepositorySim } from '../../sim/repository-sim.js';

const run = promisify(execFile);

void t.test('power cut after every operation on the disk', async (t) => {
  const fleet = await FleetSim.make(t);
  const server = await RepositorySim.start(t, fleet.dir);
  await fleet.publish('1.0.0');
  const before = await deviceOf(fleet, server.url);
  await update(await before.open());
  await fleet.rotateTimestampKey();
  await fleet.publish('1.1.0');
  const count = new PowerCut(Infinity);
  const first = await deviceOf(fleet, server.url);
  await update(await first.open({ files: count }));
  t.ok(count.operations > 15, `${count.operations} operations`);
  for (let n = 0; n < count.operations; n++) {
    for (const start of ['empty', 'updated']) {
      const device = await deviceOf(fleet, server.url);
      if (start === 'updated')
        await run('cp', ['-a', `${before.stateDir}/.`, await made(device.stateDir)]);
      const cut = new PowerCut(n);
      await update(await device.open({ files: cut })).catch(() => undefined);
      for (const path of await tarsIn(device.stateDir)) await Bundle.open(path);
      const path = await update(await device.open()).catch((e: unknown) => String(e));
      if (!path.endsWith('.tar')) t.fail(`${start}, cut after ${n}: ${path}`);
      await rm(device.stateDir, { recursive: true });
    }
  }
});

async function made(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  return folder;
}

async function tarsIn(stateDir: string): Promise<string[]> {
  const folder = join(stateDir, 'staging');
  const names = await readdir(folder).catch(() => []);
  return names.filter((n) => n.endsWith('.tar')).map((n) => join(folder, n));
}
