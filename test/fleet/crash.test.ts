import { rm } from 'node:fs/promises';
import t from 'tap';
import {
  changedRoot,
  planPublication,
  planRefresh,
  type Repository,
} from '../../src/fleet/index.js';
import { bundleTar, deviceOf, FleetSim, update } from '../sim/fleet-sim.js';
import { PowerCut } from '../sim/power-cut.js';
import { RepositorySim } from '../sim/repository-sim.js';

void t.test('cut off after any write: the old repository or the new one', async (t) => {
  const fleet = await FleetSim.make(t);
  const server = await RepositorySim.start(t, fleet.dir);
  await fleet.publish('1.0.0');
  const device = await deviceOf(fleet, server.url);
  const first = await fleet.save();
  const key = await fleet.newKey('targets');
  const edits = {
    publication: async (r: Repository) =>
      (
        await planPublication(r, {
          bundle: await bundleTar(fleet.folder, '1.1.0'),
          channel: 'stable',
          percent: 5,
          groups: [],
          downgrade: false,
        })
      ).edit,
    rotation: async (r: Repository) => {
      const { root } = r.state;
      return {
        root: changedRoot(root.json, {
          role: 'targets',
          add: [key],
          remove: root.json.roles.targets.keyids,
        }),
      };
    },
    refresh: async (r: Repository) => planRefresh(r, true),
  };
  for (const [name, edit] of Object.entries(edits)) {
    const count = new PowerCut(Infinity);
    const repository = await fleet.open(count);
    await repository.commit(await edit(repository));
    await first();
    for (let n = 0; n < count.operations; n++) {
      const cut = new PowerCut(n);
      const cutOff = await fleet.open(cut);
      await cutOff.commit(await edit(cutOff)).catch(() => undefined);
      const path = await update(await device.open()).catch((e: unknown) => String(e));
      if (!path.endsWith('.tar')) t.fail(`${name} cut after ${n}, device: ${path}`);
      const after = await fleet.open();
      await after
        .commit(planRefresh(after, false))
        .catch((e: unknown) => t.fail(`${name} cut after ${n}, publisher: ${String(e)}`));
      const again = await update(await device.open()).catch((e: unknown) => String(e));
      if (!again.endsWith('.tar')) t.fail(`${name} cut after ${n}, after a refresh: ${again}`);
      await first();
      await rm(device.stateDir, { recursive: true });
    }
    t.pass(`${name}: ${count.operations} operations`);
  }
});
