import { rm } from 'node:fs/promises';
import t from 'tap';
import { Bundle } from '../../src/bundle/index.js';
import { AcousticModel } from '../../src/recognizer/index.js';
import { tinyBundle } from '../sim/tiny-checkpoint.js';
import { toneCheckpoint } from '../sim/tone-model.js';

void t.test('a network that gives no numbers is not heard on with', async (t) => {
  const checkpoint = toneCheckpoint();
  // Unit 1 adds two cells with weights near the largest number of float32: together they are beyond it.
  const { data = new Float32Array(0), shape = [] } = checkpoint.tensors.get('output.weight') ?? {};
  const cells = shape[1] ?? 0;
  data.fill(3e38, cells + 1, cells + 3);
  const { path, folder } = await tinyBundle('overflow', checkpoint);
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const model = await AcousticModel.open(await Bundle.open(path));
  const quiet = new Float32Array(8 * model.dim);
  const stream = model.begin();
  t.equal((await stream.feed(quiet)).steps, 8);
  await t.rejects(stream.feed(quiet.map(() => 5)), {
    message: 'the network gives values that are no numbers',
  });
  const again = await model.begin().feed(quiet);
  t.ok(again.data.every(Number.isFinite), 'fresh state hears');
  await model.close();
});
