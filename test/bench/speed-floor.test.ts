import t from 'tap';
import {
  ByteProducts,
  Floor,
  matrixWeights,
  Reading,
  spread,
} from '../../bench/lib/speed-floor.js';

void t.test('a step costs so many times the longer of reading and multiplying', async (t) => {
  const floor = new Floor(1000);
  // From the caches 10 us, from memory 100 us, the products 20 us.
  const round = {
    rates: { caches: 100, memory: 10, products: 50 },
    hotUs: 60,
    pacedUs: 250,
  };
  t.same(floor.times(round, 'caches'), { hot: 3, paced: 12.5 });
  t.same(floor.times(round, 'memory'), { hot: 0.6, paced: 2.5 });
  floor.add(round);
  floor.add({ ...round, hotUs: 80 });
  floor.add({ ...round, hotUs: 40, pacedUs: 300 });
  const table = floor.table('small');
  t.match(table, 'floor of small: 1000 weights');
  t.match(table, '| weights from the caches | 0.1 GB | 10 (10-10) |');
  t.match(table, '| weights from memory | 0.0 GB | 100 (100-100) |');
  t.match(table, '| products of bytes | 0.1 thousand million | 20 (20-20) |');
  t.match(table, '| floor: from memory, or the products | 0.6 (0.4-0.6) | 2.5 (2.5-2.5) |');
  t.match(table, '| from the caches, or the products | 3.0 (2.0-3.0) | |');
});

void t.test('matrices count, biases do not', async (t) => {
  const tensor = (...shape: number[]) => ({
    shape,
    data: new Float32Array(shape.reduce((a, b) => a * b, 1)),
  });
  const tensors = new Map([
    ['lstm.0.weight_ih', tensor(8, 3)],
    ['lstm.0.bias', tensor(8)],
    ['output.weight', tensor(4, 2)],
  ]);
  t.equal(matrixWeights({ tensors }), 32);
});

void t.test('rates are measured, whatever they are', async (t) => {
  const reading = new Reading(10_000, 100_000);
  const products = await ByteProducts.open();
  // A measurement shorter than the clock's tick is infinitely fast.
  for (const rate of [reading.memory(), reading.caches(2), await products.rate(1)])
    t.ok(rate > 0, `${rate}`);
  t.equal(spread([4, 1, 3, 2, 5]), '3 (2-4)');
});
