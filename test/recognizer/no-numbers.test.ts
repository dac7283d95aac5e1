import { rm } from 'node:fs/promises';
import t from 'tap';
import { Bundle } from '../../src/bundle/index.js';
import { AcousticModel } from '../../src/recognizer/index.js';
import { tinyBundle } from '../sim/tiny-checkpoint.js';

void t.test('a network that gives no numbers is not heard on with', async (t) => {
  const { path, folder } = await tinyBundle();
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const model = await AcousticModel.open(await Bundle.open(path));
  const rows = new Float32Array(8 * model.dim).fill(0.5);
  const stream = model.begin();
  t.equal((await stream.feed(rows)).steps, 8);
  await t.rejects(stream.feed(rows.map((v, i) => (i === 3 ? NaN : v))), {
    message: 'the network gives values that are no numbers',
  });
  const again = await model.begin().feed(rows);
  t.ok(again.data.every(Number.isFinite), 'fresh state hears');
  await model.close();
});
