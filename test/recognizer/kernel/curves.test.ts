/** Sigmoid, tanh and their fused multiply-adds: the bits of ONNX Runtime, and of exact arithmetic. */
import t from 'tap';
import { randomFrom } from '../../../src/measure/evaluate/statistics.js';
import { loadOnnxRuntime } from '../../../src/recognizer/index.js';
import { fusedMultiplyAdd, sigmoid, tanh } from '../../../src/recognizer/kernel/curves.js';
import { GraphBuilder } from '../../../src/compress/graph/onnx.js';

const random = randomFrom(7);
const anyFloat = () => {
  const bits = new Uint32Array([Math.floor(random() * 2 ** 32)]);
  const value = new Float32Array(bits.buffer)[0] ?? 0;
  return Number.isFinite(value) ? value : 0;
};

void t.test('the same bits as ONNX Runtime', async (t) => {
  const count = 200_000;
  const edges = [0, -0, 18, -18, 9, -9, 17.999998, -17.999998, 8.999999, 1e-30, 1e-42, 88, -104];
  const x = Float32Array.from({ length: count }, (_, i) => {
    if (i < edges.length) return edges[i] ?? 0;
    return i % 3 === 0 ? anyFloat() : (random() - 0.5) * (i % 3 === 1 ? 40 : 4);
  });
  const runtime = await loadOnnxRuntime();
  for (const [op, ours] of [
    ['Sigmoid', sigmoid],
    ['Tanh', tanh],
  ] as const) {
    const g = new GraphBuilder();
    g.node(op, [g.input('x', [count])], ['y']);
    g.output('y', [count]);
    const session = await runtime.InferenceSession.create(g.build(op));
    const out = await session.run({ x: new runtime.Tensor('float32', x, [count]) });
    const y = out['y']?.data as Float32Array;
    const other = x.findIndex((value, i) => !Object.is(Math.fround(ours(value)), y[i]));
    t.equal(other, -1, other < 0 ? op : `${op} of ${x[other]}: ${y[other]}`);
    await session.release();
  }
});

/** A finite double as a whole number times 2^-1100: exact. */
function exact(value: number): bigint {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  const bits = view.getBigUint64(0);
  const exponent = Number((bits >> 52n) & 0x7ffn);
  const mantissa = (bits & 0xfffffffffffffn) | (exponent === 0 ? 0n : 1n << 52n);
  const shifted = mantissa << BigInt(Math.max(exponent, 1) - 1075 + 1100);
  return bits >> 63n === 0n ? shifted : -shifted;
}

void t.test('a fused multiply-add is rounded once', (t) => {
  const float = () => Math.fround((random() - 0.5) * 2 ** (12 * random() - 6));
  /** The float32 nearest to a b + c by exact distances; ties to even bits. */
  const nearest = (a: number, b: number, c: number) => {
    const wanted = exact(a * b) + exact(c);
    const start = Math.fround(a * b + c);
    const bits = new Int32Array(Float32Array.of(start).buffer)[0] ?? 0;
    const near = [-1, 0, 1].map((by) => {
      const value = new Float32Array(new Int32Array([bits + by]).buffer)[0] ?? 0;
      const away = exact(value) - wanted;
      return { value, away: away < 0n ? -away : away, odd: Math.abs((bits + by) % 2) };
    });
    near.sort((p, q) => (p.away < q.away ? -1 : p.away > q.away ? 1 : p.odd - q.odd));
    return near[0]?.value ?? NaN;
  };
  const whole = (most: number) => Math.floor(random() * most);
  let twice = 0;
  for (let i = 0; i < 60_000; i++) {
    // a b is 2^-24 but for less than double precision sees beside c: halfway between two float32.
    const off = whole(200) * 2 ** -23;
    const halfway = [
      2 ** -12 * (1 + off),
      (random() < 0.5 ? -1 : 1) * 2 ** -12 * (1 - off),
      (random() < 0.5 ? -1 : 1) * (1 + whole(2 ** 23) * 2 ** -23),
    ] as const;
    const [a, b, c] = i % 2 === 0 ? halfway : [float(), float(), float()];
    const found = fusedMultiplyAdd(a, b, c);
    if (found !== nearest(a, b, c)) t.fail(`${a} ${b} ${c}: ${found}`);
    if (found !== Math.fround(a * b + c)) twice++;
  }
  t.ok(twice > 1000, 'rounding twice would have been wrong');
  t.end();
});
