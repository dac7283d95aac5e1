/** A factored network of two small layers, and recordings of noise to calibrate it with. */
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeWav } from '../../src/audio/index.js';
import { encodeCheckpoint, type Checkpoint } from '../../src/compress/checkpoint.js';
import { randomFrom } from '../../src/measure/evaluate/statistics.js';
import { randomNetwork } from './random-network.js';
import { features, units } from './tiny-checkpoint.js';

export const smallNetwork: Checkpoint = {
  ...randomNetwork(
    { layers: [48, 40], ranks: [36, 20], inputRank: 40, inputs: 320, outputs: units.length },
    1,
    0.3,
  ),
  features,
  units,
};

/** A folder with it, as float.safetensors, and four recordings. */
export async function smallFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'kikitori-test-'));
  const random = randomFrom(7);
  for (const name of ['a.wav', 'b.wav', 'c.wav', 'd.wav'])
    await writeFile(
      join(folder, name),
      encodeWav(
        Float32Array.from({ length: 48_000 }, () => 0.2 * (random() - 0.5)),
        16_000,
      ),
    );
  await writeFile(join(folder, 'float.safetensors'), encodeCheckpoint(smallNetwork));
  return folder;
}
