import t from 'tap';
import { randomFrom } from '../../src/measure/evaluate/statistics.js';
import { Frontend, shiftRows } from '../../src/frontend/index.js';
import { features } from '../sim/tiny-checkpoint.js';

const hop = (features.hopMs * features.sampleRateHz) / 1000;

function rustling(samples: number): Float32Array {
  const random = randomFrom(4);
  return Float32Array.from({ length: samples }, () => 0.2 * (random() - 0.5));
}

void t.test('as if the audio had begun that many hops later', async (t) => {
  const audio = rustling(16_000);
  const { data, dim, steps } = new Frontend(features).feed(audio);
  for (let shift = 1; shift <= features.stride; shift++) {
    const later = new Frontend(features).feed(audio.subarray(shift * hop));
    const got = shiftRows(features, data, shift);
    t.equal(got.length, data.length);
    // The first row has the first frame, whose pre-emphasis misses a sample; the last ones what comes after the end.
    const whole = Math.min(later.steps, steps - 1) - 1;
    t.ok(whole > 10);
    t.same(got.subarray(dim, whole * dim), later.data.subarray(dim, whole * dim), `${shift}`);
  }
});

void t.test('after the end stands the last frame', async (t) => {
  const options = { stack: 3, stride: 2, melBins: 1 };
  const rows = Float32Array.from([0, 1, 2, 2, 3, 4, 4, 5, 6]);
  t.same([...shiftRows(options, rows, 1)], [1, 2, 3, 3, 4, 5, 5, 6, 6]);
  t.same([...shiftRows(options, rows, 2)], [2, 3, 4, 4, 5, 6, 6, 6, 6]);
  t.same([...shiftRows(options, rows, 0)], [...rows]);
  t.equal(shiftRows(options, new Float32Array(0), 1).length, 0);
});
