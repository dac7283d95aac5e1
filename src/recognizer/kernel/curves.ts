/**
 * Sigmoid and tanh as ONNX Runtime computes them (mlas/lib/logistic.cpp and tanh.cpp; the rational functions are Eigen's):
 * x P(x^2) / Q(x^2), each step of Horner's rule one fused multiply-add of float32. Here in plain numbers, slow and exact.
 */
const { fround } = Math;

export interface Curve {
  /** What lies beyond plus or minus this is taken as it. */
  readonly limit: number;
  /** Highest power first, float32 values. */
  readonly over: readonly number[];
  readonly under: readonly number[];
}

const curve = (limit: number, over: number[], under: number[]): Curve => ({
  limit,
  over: over.map(fround),
  under: under.map(fround),
});

/** sigmoid(x) - 0.5 */
export const logistic = curve(
  18,
  [
    4.37031012579801e-11, 1.15627324459942e-7, 6.08574864600143e-5, 8.51377133304701e-3,
    2.48287947061529e-1,
  ],
  [
    6.10247389755681e-13, 5.76102136993427e-9, 6.2910678501704e-6, 1.70198817374094e-3,
    1.16817656904453e-1, 9.9315192102318e-1,
  ],
);

export const hyperbolic = curve(
  9,
  [
    -2.76076847742355e-16, 2.00018790482477e-13, -8.60467152213735e-11, 5.12229709037114e-8,
    1.48572235717979e-5, 6.37261928875436e-4, 4.89352455891786e-3,
  ],
  [1.19825839466702e-6, 1.18534705686654e-4, 2.268434632439e-3, 4.89352518554385e-3],
);

export const sigmoid = (x: number) => Math.min(1, Math.max(0, fround(rational(logistic, x) + 0.5)));
export const tanh = (x: number) => rational(hyperbolic, x);

function rational({ limit, over, under }: Curve, x: number): number {
  const v = Math.min(limit, Math.max(-limit, x));
  const square = fround(v * v);
  return fround(fround(horner(over, square) * v) / horner(under, square));
}

function horner(powers: readonly number[], x: number): number {
  let sum = powers[0] ?? 0;
  for (let i = 1; i < powers.length; i++) sum = fusedMultiplyAdd(sum, x, powers[i] ?? 0);
  return sum;
}

/** Bits of a double that float32 has not, and the pattern of them that lies halfway between two float32. */
export const lowBits = 0x1fffffff;
export const halfway = 0x10000000;

const pair = new DataView(new ArrayBuffer(8));

/**
 * fl(a b + c) of float32 values with one rounding; for results that are no subnormal numbers. In double precision a b is
 * exact and the sum is rounded: rounding that once more to float32 is only wrong where it came to lie halfway between two.
 */
export function fusedMultiplyAdd(a: number, b: number, c: number): number {
  const product = a * b;
  const sum = product + c;
  pair.setFloat64(0, sum);
  if ((pair.getUint32(4) & lowBits) !== halfway) return fround(sum);
  // What the sum lost, exactly (Knuth, The Art of Computer Programming, volume 2, 4.2.2, theorem B).
  const back = sum - product;
  const lost = product - (sum - back) + (c - back);
  if (lost === 0) return fround(sum);
  const away = lost > 0 === sum > 0 ? 1n : -1n;
  pair.setBigInt64(0, pair.getBigInt64(0) + away);
  return fround(pair.getFloat64(0));
}
