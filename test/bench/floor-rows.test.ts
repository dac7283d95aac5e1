import t from 'tap';
import { floorRows } from '../../bench/lib/floor-rows.js';
import { Frontend } from '../../src/frontend/index.js';
import { randomFrom } from '../../src/measure/evaluate/statistics.js';
import { features } from '../sim/tiny-checkpoint.js';

void t.test('each band has a floor of its own, and what is louder stays', async (t) => {
  // Two bands in rows of two frames: 1 2 3 4 9 9 and 5 5 5 5 7 5.
  const rows = Float32Array.from([1, 5, 2, 5, 3, 5, 4, 5, 9, 7, 9, 5]);
  const options = { melBins: 2, std: [1, 2] };
  const natsOf = (nats: number) => (10 * nats) / Math.LN10;
  t.same(
    [...floorRows(options, rows, { aboveDb: 0, percentile: 20 })],
    [2, 5, 2, 5, 3, 5, 4, 5, 9, 7, 9, 5],
  );
  // Between two frames linearly; in the second band a deviation is two nats.
  const two = [...floorRows(options, rows, { aboveDb: natsOf(2), percentile: 30 })];
  t.same(
    two.map((v) => Number(v.toFixed(5))),
    [4.5, 6, 4.5, 6, 4.5, 6, 4.5, 6, 9, 7, 9, 6],
  );
  t.same([...rows], [1, 5, 2, 5, 3, 5, 4, 5, 9, 7, 9, 5], 'the rows are left as they are');
  t.equal(floorRows(options, new Float32Array(0), { aboveDb: 3 }).length, 0);
});

void t.test('a steady noise stands still', async (t) => {
  const random = randomFrom(3);
  const audio = Float32Array.from({ length: 16_000 }, () => 0.2 * (random() - 0.5));
  const { data } = new Frontend(features).feed(audio);
  const spread = (rows: Float32Array) => {
    const band = rows.filter((_, i) => i % features.melBins === 0);
    const mean = band.reduce((a, b) => a + b, 0) / band.length;
    return Math.sqrt(band.reduce((s, v) => s + (v - mean) ** 2, 0) / band.length);
  };
  const before = spread(data);
  const after = spread(floorRows(features, data, { aboveDb: 8 }));
  t.ok(after < before / 2, `${after} of ${before}`);
});
