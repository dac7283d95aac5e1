import t from 'tap';
import { tensorOf, type NetworkCheckpoint } from '../../../src/compress/checkpoint.js';
import {
  analyseDataAware,
  factorize,
  refit,
  type Ranks,
} from '../../../src/compress/factorize/index.js';
import type { Mat } from '../../../src/compress/factorize/matrix.js';
import { MomentSums } from '../../../src/compress/factorize/moments.js';
import { blankShift, phonesIn } from '../../../src/compress/factorize/blank.js';
import { importance } from '../../../src/compress/factorize/refit.js';
import {
  beside,
  delayed,
  Products,
  weighted,
  type Rows,
} from '../../../src/compress/factorize/rows.js';
import { fitSoftmax, softmaxOf } from '../../../src/compress/factorize/softmax-fit.js';
import { referenceStep, zeroState } from '../../../src/compress/reference/lstm.js';
import {
  referenceProjectedStep,
  zeroProjectedState,
} from '../../../src/compress/reference/lstmp.js';
import { randomFrom } from '../../../src/measure/evaluate/statistics.js';
import { randomNetwork } from '../../sim/random-network.js';

const inputs = 6;
const outputs = 4;
const dense = randomNetwork({ layers: [8, 7], inputs, outputs }, 3, 0.9);

const rowsOf = (cols: number, steps: number, seed: number): Rows => {
  const random = randomFrom(seed);
  return { cols, data: Float32Array.from({ length: cols * steps }, () => 2 * random() - 0.7) };
};
const rowAt = ({ cols, data }: Rows, t: number) => data.subarray(t * cols, (t + 1) * cols);
const pieces = [90, 1, 200, 150].map((steps, i) => rowsOf(inputs, steps, i).data);

/** Every step of every piece in plain loops: what went in, the state before, the state and logits after. */
function heardBy(network: NetworkCheckpoint, from: readonly Float32Array[]) {
  return from.flatMap((piece) => {
    const projected = zeroProjectedState({ ...network, ranks: network.ranks });
    const state = zeroState(network);
    return Array.from({ length: piece.length / inputs }, (_, t) => {
      const x = piece.subarray(t * inputs, (t + 1) * inputs);
      const carried = network.kind === 'lstm' ? state.h : projected.p;
      const before = carried.map((v) => Float64Array.from(v));
      const logits =
        network.kind === 'lstm'
          ? referenceStep(network, state, x)
          : referenceProjectedStep(network, projected, x);
      return {
        x: Float64Array.from(x),
        before,
        after: carried.map((v) => Float64Array.from(v)),
        logits,
      };
    });
  });
}

function divergence(network: NetworkCheckpoint, from: readonly Float32Array[]): number {
  const posteriors = (n: NetworkCheckpoint) =>
    heardBy(n, from).map(({ logits }) => {
      const all = logits.map(Math.exp);
      const sum = all.reduce((a, b) => a + b, 0);
      return all.map((v) => v / sum);
    });
  const [p, q] = [posteriors(dense), posteriors(network)];
  const each = p.map((row, t) =>
    row.reduce((sum, v, u) => sum + v * Math.log(v / (q[t]?.[u] ?? NaN)), 0),
  );
  return each.reduce((a, b) => a + b, 0) / each.length;
}

function cut(ranks: Ranks): NetworkCheckpoint {
  const sums = [inputs, ...dense.layers].map((n) => new MomentSums(n));
  for (const { x, after } of heardBy(dense, pieces))
    [x, ...after].forEach((v, i) =>
      sums[i]?.add(
        1,
        v,
        Float64Array.from(
          { length: v.length ** 2 },
          (_, k) => (v[Math.floor(k / v.length)] ?? 0) * (v[k % v.length] ?? 0),
        ),
      ),
    );
  const [input, ...layers] = sums.map((s) => s.moments());
  if (input === undefined) throw new Error('no input');
  return factorize(analyseDataAware(dense, { input, layers }), ranks);
}

void t.test('sums, products and shifts of rows are what their definitions say', async (t) => {
  const [x, y] = [rowsOf(3, 5000, 1), rowsOf(2, 5000, 2)];
  const products = await Products.open();
  const sum = await products.sum(x, y);
  const w: Mat = { rows: 2, cols: 3, data: Float64Array.of(1, -2, 3, 0.5, 0, -1) };
  const through = await products.through(x, w);
  await products.close();
  for (let i = 0; i < 3; i++)
    for (let j = 0; j < 2; j++) {
      let slow = 0;
      for (let t = 0; t < 5000; t++) slow += (rowAt(x, t)[i] ?? 0) * (rowAt(y, t)[j] ?? 0);
      t.ok(Math.abs((sum.data[2 * i + j] ?? NaN) - slow) < 1e-2, `${i}, ${j}`);
    }
  const [a = NaN, b = NaN, c = NaN] = rowAt(x, 4321);
  t.ok(Math.abs((rowAt(through, 4321)[0] ?? NaN) - (a - 2 * b + 3 * c)) < 1e-5);
  const small: Rows = { cols: 2, data: Float32Array.of(1, 2, 3, 4, 5, 6) };
  t.same([...delayed(small, Uint8Array.of(1, 0, 1)).data], [0, 0, 1, 2, 0, 0]);
  t.same([...weighted(small, [1, 0, 2]).data], [1, 2, 0, 0, 10, 12]);
  t.same(
    [...beside(small, { cols: 1, data: Float32Array.of(7, 8, 9) }).data],
    [1, 2, 7, 3, 4, 8, 5, 6, 9],
  );
});

void t.test('steps matter by how undecided the next ones are', (t) => {
  const sure = [1, 0];
  const open = [0.5, 0.5];
  const data = Float32Array.from([sure, sure, open, sure, sure].flat());
  const weights = importance({ cols: 2, data }, Uint8Array.of(1, 0, 0, 1, 0));
  // 1 - sum y^2 ahead within the piece: 0.5 / 3, 0.5 / 2, 0.5, 0, 0.
  const ahead = [1 / 6, 1 / 4, 1 / 2, 0, 0];
  const mean = ahead.reduce((a, b) => a + b) / 5;
  ahead.forEach((v, i) =>
    t.ok(Math.abs((weights[i] ?? NaN) - (v / mean + 0.1) / 1.1) < 1e-6, `step ${i}`),
  );
  t.same([...importance({ cols: 2, data: Float32Array.of(1, 0) }, Uint8Array.of(1))], [1]);
  t.end();
});

void t.test('the blank is moved until as many phones are heard', (t) => {
  // Unit 0 is the blank: heard are 1, then 2 2 as one, then 2 again in the next piece.
  const data = Float32Array.from(
    [
      [0, 1, 0],
      [0, 0, 2],
      [0, 0, 3],
      [0, 0, 1.5],
      [3, 0, 0],
    ].flat(),
  );
  const logits = { cols: 3, data };
  const starts = Uint8Array.of(1, 0, 0, 1, 0);
  t.equal(phonesIn(logits, starts), 3);
  t.equal(phonesIn(logits, starts, 1.2), 2, 'the first is less than the blank');
  t.equal(phonesIn(logits, starts, 10), 0);
  t.equal(blankShift(logits, 3, starts), 0);
  for (const [wanted, right] of [
    [2, 1],
    [1, 1.5],
    [0, 3],
  ] as const)
    t.ok(Math.abs(blankShift(logits, wanted, starts) - right) < 1e-3, `${wanted} phones`);
  // The last step says 2 as well once the blank is less than 0, but that is the same phone.
  const quiet = { cols: 3, data: data.map((v, i) => (i % 3 === 0 ? v + 2.5 : v)) };
  t.equal(phonesIn(quiet, starts), 1);
  t.ok(Math.abs(blankShift(quiet, 3, starts) + 1.5) < 1e-3, 'and back');
  t.end();
});

void t.test('posteriors that a softmax can give are found', async (t) => {
  const x = rowsOf(3, 800, 5);
  const products = await Products.open();
  const right: Mat = {
    rows: 3,
    cols: 4,
    data: Float64Array.of(1, -1, 0.5, 0.2, 0, 2, -1, 0, -1, -1, 0.5, -0.2),
  };
  const seen = beside(x, { cols: 1, data: new Float32Array(800).fill(1) });
  const wanted = softmaxOf(await products.through(seen, right));
  const begin: Mat = { rows: 3, cols: 4, data: new Float64Array(12) };
  const found = await fitSoftmax(products, x, wanted, { begin, ridge: 0, iterations: 400 });
  const given = softmaxOf(await products.through(seen, found));
  await products.close();
  const far = given.data.reduce(
    (most, v, i) => Math.max(most, Math.abs(v - (wanted.data[i] ?? NaN))),
    0,
  );
  t.ok(far < 1e-3, `${far} apart`);
});

/** x with A x = b, by Gaussian elimination with pivots. */
function solved(a: readonly (readonly number[])[], b: readonly number[]): number[] {
  const rows = a.map((row, i) => [...row, b[i] ?? 0]);
  const n = rows.length;
  const at = (i: number, j: number) => rows[i]?.[j] ?? NaN;
  for (let k = 0; k < n; k++) {
    let best = k;
    for (let i = k; i < n; i++) if (Math.abs(at(i, k)) > Math.abs(at(best, k))) best = i;
    [rows[k], rows[best]] = [rows[best] ?? [], rows[k] ?? []];
    for (let i = 0; i < n; i++) {
      if (i === k) continue;
      const share = at(i, k) / at(k, k);
      rows[i] = (rows[i] ?? []).map((v, j) => v - share * at(k, j));
    }
  }
  return rows.map((row, i) => (row[n] ?? NaN) / (row[i] ?? NaN));
}

/** The regression of the lowest layer in plain loops: rows of [Z_x Z_h b]. */
function slowFirstLayer(before: NetworkCheckpoint, ridge: number): number[][] {
  const from = heardBy(dense, pieces);
  const [ih, hh, bias] = ['weight_ih', 'weight_hh', 'bias'].map(
    (name) => tensorOf(dense, `lstm.0.${name}`).data,
  );
  const seen = heardBy(before, pieces).map((step) => [...step.x, ...(step.before[0] ?? []), 1]);
  const n = seen[0]?.length ?? 0;
  const gram = Array.from({ length: n }, (_, i) =>
    Array.from({ length: n }, (_, j) =>
      seen.reduce(
        (sum, u) => sum + (u[i] ?? 0) * (u[j] ?? 0),
        i === j && i < n - 1 ? ridge * seen.length : 0,
      ),
    ),
  );
  return Array.from({ length: 4 * (dense.layers[0] ?? 0) }, (_, o) => {
    const a = from.map(({ x, before: [h = new Float64Array(0)] }) => {
      let sum = bias?.[o] ?? 0;
      x.forEach((v, k) => (sum += v * (ih?.[o * x.length + k] ?? 0)));
      h.forEach((v, k) => (sum += v * (hh?.[o * h.length + k] ?? 0)));
      return sum;
    });
    const right = Array.from({ length: n }, (_, i) =>
      seen.reduce((sum, u, t) => sum + (u[i] ?? 0) * (a[t] ?? 0), 0),
    );
    return solved(gram, right);
  });
}

void t.test(
  'a round is the regression in plain loops on what the layer hears itself',
  async (t) => {
    const factored = cut({ layers: [4, 3], input: 0 });
    const options = { ridge: 1e-3, unweighted: true };
    const { network: once } = await refit(dense, factored, pieces, { ...options, rounds: 0 });
    const { network: twice } = await refit(dense, factored, pieces, { ...options, rounds: 1 });
    const [zx, zh, b] = ['weight_ih', 'weight_hh', 'bias'].map((n) =>
      tensorOf(twice, `lstm.0.${n}`),
    );
    slowFirstLayer(once, 1e-3).forEach((row, o) => {
      const fast = [
        ...(zx?.data.subarray(o * 6, o * 6 + 6) ?? []),
        ...(zh?.data.subarray(o * 4, o * 4 + 4) ?? []),
        b?.data[o] ?? NaN,
      ];
      const far = Math.max(...fast.map((v, i) => Math.abs(v - (row[i] ?? NaN))));
      t.ok(far < 1e-4, `row ${o}: ${far} apart`);
    });
  },
);

void t.test('at full rank the network stays what it is; below, it comes nearer', async (t) => {
  const held = [rowsOf(inputs, 300, 50).data];
  const { network: whole } = await refit(dense, cut({ layers: [8, 7], input: 0 }), pieces, {
    ridge: 1e-7,
    calmBlank: true,
  });
  t.ok(divergence(whole, held) < 1e-3, `${divergence(whole, held)} at full rank`);
  const factored = cut({ layers: [3, 3], input: 4 });
  const costs = {
    layers: dense.layers.map((n) => new Float64Array(4 * n).fill(1)),
    output: [1, 1, 1, 1],
  };
  const { network: after, steps } = await refit(dense, factored, pieces, {
    costs,
    calmBlank: true,
  });
  t.same([after.kind, after.ranks, after.inputRank, steps], ['lstmp', [3, 3], 4, 441]);
  const [was, is] = [divergence(factored, held), divergence(after, held)];
  t.ok(is < was, `${was} -> ${is}`);
  const { network: again } = await refit(dense, factored, pieces, { costs, calmBlank: true });
  for (const [name, { data }] of after.tensors) t.same(data, tensorOf(again, name).data, name);
});
