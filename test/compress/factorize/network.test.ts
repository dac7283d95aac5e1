import t from 'tap';
import {
  parameterCount,
  tensorOf,
  tensorShapes,
  type NetworkCheckpoint,
} from '../../../src/compress/checkpoint.js';
import { randomFrom } from '../../../src/measure/evaluate/statistics.js';
import {
  analyseDataAware,
  bytesAt8Bits,
  analysePaper,
  explainedRank,
  factorize,
  measureCosts,
  multipliedOut,
  waterFill,
  parameters,
  priceOf,
  withinBudget,
} from '../../../src/compress/factorize/index.js';
import { gradientGraph } from '../../../src/compress/factorize/gradient-graph.js';
import { MomentSums, type Activations } from '../../../src/compress/factorize/moments.js';
import { Runner } from '../../../src/compress/import/index.js';
import { referenceStep, zeroState } from '../../../src/compress/reference/lstm.js';
import {
  referenceProjectedStep,
  zeroProjectedState,
} from '../../../src/compress/reference/lstmp.js';
import { buildGraph } from '../../../src/compress/graph/build.js';
import { activationNames } from '../../../src/compress/quantize/scales.js';
import { randomNetwork } from '../../sim/random-network.js';

const dense = randomNetwork({ layers: [8, 7], inputs: 6, outputs: 4 }, 3, 0.6);

function series(steps: number, seed: number, inputs = 6): Float64Array[] {
  const random = randomFrom(seed);
  return Array.from({ length: steps }, () =>
    Float64Array.from({ length: inputs }, () => 2 * random() - 0.7),
  );
}

function run(network: NetworkCheckpoint, xs: readonly Float64Array[]): Float64Array[] {
  if (network.kind === 'lstm') {
    const state = zeroState(network);
    return xs.map((x) => referenceStep(network, state, x));
  }
  const state = zeroProjectedState(network);
  return xs.map((x) => referenceProjectedStep(network, state, x));
}

const far = (a: readonly Float64Array[], b: readonly Float64Array[]) =>
  Math.max(...a.flatMap((row, i) => [...row].map((v, k) => Math.abs(v - (b[i]?.[k] ?? NaN)))));

/** Moments of x and of each layer's h, the slow way. */
function activationsOf(network: NetworkCheckpoint, xs: readonly Float64Array[]): Activations {
  const state = zeroState(network);
  const sums = [network.inputs, ...network.layers].map((n) => new MomentSums(n));
  for (const x of xs) {
    referenceStep(network, state, x);
    [x, ...state.h].forEach((v, i) =>
      sums[i]?.add(
        1,
        v,
        Float64Array.from(
          { length: v.length ** 2 },
          (_, at) => (v[Math.floor(at / v.length)] ?? 0) * (v[at % v.length] ?? 0),
        ),
      ),
    );
  }
  const [input, ...layers] = sums.map((s) => s.moments());
  if (input === undefined) throw new Error('no input');
  return { input, layers };
}

const xs = series(400, 1);
const activations = activationsOf(dense, xs);

void t.test('a factored network multiplied out is the dense one that it computes', (t) => {
  for (const shape of [
    { ranks: [5, 4], inputRank: 3 },
    { ranks: [8, 2], inputRank: 0 },
  ]) {
    const factored = randomNetwork({ layers: [8, 7], inputs: 6, outputs: 4, ...shape }, 5, 0.6);
    const whole = multipliedOut(factored);
    t.same([whole.kind, whole.ranks, whole.inputRank], ['lstm', [], 0]);
    const xs = series(60, 9);
    t.ok(far(run(factored, xs), run(whole, xs)) < 1e-5);
  }
  t.equal(multipliedOut(dense), dense);
  t.end();
});

void t.test('full rank reproduces the dense outputs', async (t) => {
  const wanted = run(dense, series(30, 2));
  for (const analysis of [
    analysePaper(dense),
    analyseDataAware(dense),
    analyseDataAware(dense, activations),
  ]) {
    const input = analysis.method === 'paper' ? 0 : 6;
    const full = factorize(analysis, { layers: [8, 7], input });
    const error = far(run(full, series(30, 2)), wanted);
    t.ok(error < 1e-5, `${analysis.method}: ${error}`);
  }
});

void t.test('on the calibration data each p has the identity as its covariance', async (t) => {
  const factored = factorize(analyseDataAware(dense, activations), { layers: [4, 3], input: 3 });
  const state = zeroState(dense);
  const p = tensorOf(factored, 'lstm.0.projection');
  const sums = new MomentSums(4);
  for (const x of xs) {
    referenceStep(dense, state, x);
    const v = Float64Array.from({ length: 4 }, (_, r) =>
      (state.h[0] ?? new Float64Array(0)).reduce(
        (sum, h, k) => sum + h * (p.data[r * 8 + k] ?? 0),
        0,
      ),
    );
    sums.add(
      1,
      v,
      Float64Array.from({ length: 16 }, (_, at) => (v[at >> 2] ?? 0) * (v[at & 3] ?? 0)),
    );
  }
  const { covariance } = sums.moments();
  covariance.data.forEach((v, at) =>
    t.ok(Math.abs(v - (at % 5 === 0 ? 1 : 0)) < 2e-3, `${at}: ${v}`),
  );
});

void t.test('biases take over the mean: pre-activations keep theirs', async (t) => {
  const factored = factorize(analyseDataAware(dense, activations), { layers: [2, 2], input: 2 });
  const mean = (v: Float64Array, name: string, network: NetworkCheckpoint, row: number) => {
    const w = tensorOf(network, name);
    return v.reduce((sum, x, k) => sum + x * (w.data[row * v.length + k] ?? 0), 0);
  };
  const h = activations.layers[1]?.mean ?? new Float64Array(0);
  const p = Float64Array.from({ length: 2 }, (_, r) => mean(h, 'lstm.1.projection', factored, r));
  for (let o = 0; o < 4; o++) {
    const wanted =
      mean(h, 'output.weight', dense, o) + (tensorOf(dense, 'output.bias').data[o] ?? 0);
    const got =
      mean(p, 'output.weight', factored, o) + (tensorOf(factored, 'output.bias').data[o] ?? 0);
    t.ok(Math.abs(wanted - got) < 1e-5);
  }
});

void t.test('published ranks give the published parameter counts', async (t) => {
  // 42 phones and blank.
  const size = { layers: [500, 500, 500, 500, 500], inputs: 320, outputs: 43, inputRank: 0 };
  const paper = { ...size, kind: 'lstm', ranks: [], tensors: new Map(), training: {} } as const;
  const count = (shapes: ReadonlyMap<string, readonly number[]>) =>
    [...shapes.values()].reduce((sum, dims) => sum + dims.reduce((x, y) => x * y, 1), 0);
  t.equal(Number((count(tensorShapes(paper)) / 1e6).toFixed(2)), 9.67);
  const table: readonly (readonly [readonly number[], number])[] = [
    [[350, 375, 395, 405, 410], 8.56],
    [[270, 305, 335, 345, 350], 7.19],
    [[175, 215, 245, 260, 265], 5.35],
    [[120, 150, 180, 195, 200], 4.06],
    [[80, 105, 130, 145, 150], 3.1],
    [[50, 70, 90, 100, 110], 2.32],
    [[30, 45, 55, 65, 75], 1.72],
  ];
  for (const [ranks, millions] of table) {
    const n = priceOf(paper, { layers: ranks, input: 0 }, parameters);
    t.equal(Number((n / 1e6).toFixed(2)), millions, `${ranks.join(' ')}: ${n}`);
    t.equal(count(tensorShapes({ ...paper, kind: 'lstmp', ranks })), n);
  }
});

void t.test('ranks beyond the matrix and other nonsense are refused', async (t) => {
  const aware = analyseDataAware(dense);
  t.throws(
    () => factorize(aware, { layers: [9, 3], input: 0 }),
    /rank 9 of layer 0 is beyond its 8 cells/,
  );
  t.throws(
    () => factorize(aware, { layers: [3], input: 7 }),
    /1 ranks for 2 layers; input rank 7 is beyond/,
  );
  t.throws(() => factorize(aware, { layers: [3, 0], input: 0 }), /rank 0 of layer 1 is no count/);
  t.throws(
    () => factorize(analysePaper(dense), { layers: [3, 3], input: 2 }),
    /leaves the input as it is/,
  );
  t.throws(() => analysePaper(factorize(aware, { layers: [3, 3], input: 0 })), /factored already/);
  const nothing = {
    ...activations,
    layers: activations.layers.map((m) => ({
      ...m,
      covariance: { ...m.covariance, data: m.covariance.data.map(() => 0) },
    })),
  };
  t.throws(() => analyseDataAware(dense, nothing), /nothing varies at layer 0/);
});

void t.test(
  'the rule of explained variance, and water-filling against every other choice',
  async (t) => {
    t.equal(explainedRank([6, 3, 1], 0.6), 1);
    t.equal(explainedRank([6, 3, 1], 0.61), 2);
    t.equal(explainedRank([6, 3, 1], 1), 3);
    const candidates = [
      { name: 'a', gains: [9, 5, 4, 1, 0.5, 0.1], cost: 3 },
      { name: 'b', gains: [20, 2, 1, 0.5, 0.2, 0.1], cost: 5 },
      { name: 'c', gains: [3, 3, 3, 2, 2, 2], cost: 4 },
    ];
    for (let budget = 24; budget <= 72; budget += 3) {
      const fill = waterFill(candidates, budget, 2);
      t.ok(fill.spent <= budget);
      // No other choice of whole groups that costs no more keeps more.
      for (const a of [2, 4, 6]) {
        for (const b of [2, 4, 6]) {
          for (const c of [2, 4, 6]) {
            const cost = 3 * a + 5 * b + 4 * c;
            const loss = candidates.reduce(
              (sum, k, i) => sum + k.gains.slice([a, b, c][i]).reduce((x, y) => x + y, 0),
              0,
            );
            if (cost <= fill.spent) t.ok(loss >= fill.loss - 1e-9, `${budget}: ${a} ${b} ${c}`);
          }
        }
      }
    }
    t.throws(
      () => waterFill(candidates, 23, 2),
      /the budget leaves 23 .* at least 24: a of rank 2, b of rank 2/,
    );
  },
);

void t.test('a budget is kept by both methods, and an impossible one named', async (t) => {
  for (const analysis of [analysePaper(dense), analyseDataAware(dense, activations)]) {
    for (const limit of [500, 700, 900]) {
      const { ranks, spent } = withinBudget(analysis, { price: parameters, limit, multiple: 2 });
      const factored = factorize(analysis, ranks);
      t.equal(parameterCount(factored), spent);
      t.ok(spent <= limit, `${analysis.method} ${limit}: ${spent}`);
    }
    t.throws(
      () => withinBudget(analysis, { price: parameters, limit: 100, multiple: 2 }),
      /at least/,
    );
  }
});

void t.test('costs: the graph of derivatives equals finite differences', async (t) => {
  const scale = [1, 0.5, 2, 1];
  const runner = await Runner.open(gradientGraph(dense, { scale }));
  const input = series(5, 6);
  const xi = series(5, 7, 4);
  const flat = (rows: readonly Float64Array[]) => Float32Array.from(rows.flatMap((r) => [...r]));
  const out = await runner.run({
    x: { dims: [5, 1, 6], data: flat(input) },
    xi: { dims: [5, 1, 4], data: flat(xi) },
  });
  await runner.close();
  const value = (network: NetworkCheckpoint) =>
    run(network, input).reduce(
      (sum, y, t) => sum + y.reduce((s, v, o) => s + v * (xi[t]?.[o] ?? 0) * (scale[o] ?? 0), 0),
      0,
    );
  for (const l of [0, 1]) {
    const bias = tensorOf(dense, `lstm.${l}.bias`);
    for (let row = 0; row < bias.data.length; row += 3) {
      const at = (by: number) => {
        const data = Float32Array.from(bias.data, (v, i) => v + (i === row ? by : 0));
        return value({
          ...dense,
          tensors: new Map([...dense.tensors, [`lstm.${l}.bias`, { ...bias, data }]]),
        });
      };
      // A float32 bias holds 2^-10 exactly enough beside values below 1.
      const slope = (at(2 ** -10) - at(-(2 ** -10))) / 2 ** -9;
      t.ok(
        Math.abs(slope - (out.get(`sums.${l}`)?.data[row] ?? NaN)) < 2e-3,
        `layer ${l}, row ${row}`,
      );
    }
  }
});

void t.test('costs predict the divergence that a small change causes', async (t) => {
  const one = randomNetwork({ layers: [6], inputs: 6, outputs: 4 }, 5, 0.9);
  const data = Float32Array.from(series(3000, 8).flatMap((r) => [...r]));
  const costs = await measureCosts(one, [{ dims: [3000, 1, 6], data }], 'softmax', randomFrom(4));
  // White noise e on the output biases costs sum_o F_oo var(e_o) / 2.
  const random = randomFrom(9);
  const outputs = run(one, series(2000, 10));
  let kl = 0;
  const size = 0.1;
  const softmax = (y: Float64Array) => {
    const e = y.map((v) => Math.exp(v));
    const z = e.reduce((a, b) => a + b, 0);
    return e.map((v) => v / z);
  };
  for (const y of outputs) {
    const p = softmax(y);
    const q = softmax(y.map((v) => v + size * (random() < 0.5 ? 1 : -1)));
    kl += p.reduce((sum, v, o) => sum + v * Math.log(v / (q[o] ?? NaN)), 0) / outputs.length;
  }
  const predicted = size ** 2 * Float64Array.from(costs.output).reduce((a, b) => a + b, 0);
  t.ok(Math.abs(predicted / kl - 1) < 0.1, `predicted ${predicted}, measured ${kl}`);
});

void t.test('the price in bytes is the size of the file within 1 %', async (t) => {
  for (const layers of [[64, 48], [320, 320, 320], [500]]) {
    const network = randomNetwork({ layers, inputs: 320, outputs: 40 }, 1);
    for (const [rank, input] of [
      [1, 1],
      [8, 16],
      [40, 0],
      [47, 64],
    ] as const) {
      const shape = { ...network, kind: 'lstmp' as const, ranks: layers.map(() => rank) };
      const tensors = new Map(
        [...tensorShapes({ ...shape, inputRank: input })].map(([name, dims]) => {
          const length = dims.reduce((a, b) => a * b, 1);
          return [name, { shape: dims, data: Float32Array.from({ length }, (_, i) => i % 7) }];
        }),
      );
      const factored = { ...shape, inputRank: input, tensors };
      const activations = Object.fromEntries(activationNames(factored).map((n) => [n, 0.02]));
      const quantization = { weights: 'uint8' as const, activations };
      const real = buildGraph({ ...factored, quantization }, 'uint8').onnx.length;
      const price = priceOf(network, { layers: shape.ranks, input }, bytesAt8Bits);
      t.ok(Math.abs(price / real - 1) < 0.01, `${layers.join()}: ${price} of ${real}`);
    }
  }
});
