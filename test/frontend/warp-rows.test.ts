import t from 'tap';
import { randomFrom } from '../../src/measure/evaluate/statistics.js';
import { Frontend, warpRows } from '../../src/frontend/index.js';
import { features } from '../sim/tiny-checkpoint.js';

/** A voice: pulses through two resonances, in a little noise. */
function voiced(samples: number): Float32Array {
  const random = randomFrom(9);
  const out = new Float32Array(samples);
  for (const [hz, bandwidthHz] of [
    [700, 90],
    [1800, 140],
  ] as const) {
    const r = Math.exp((-Math.PI * bandwidthHz) / 16000);
    const a = 2 * r * Math.cos((2 * Math.PI * hz) / 16000);
    let [y1, y2] = [0, 0];
    for (let n = 0; n < samples; n++) {
      const y = (n % 130 === 0 ? 1 : 0.02 * (random() - 0.5)) + a * y1 - r * r * y2;
      [y1, y2] = [y, y1];
      out[n] = (out[n] ?? 0) + 0.05 * y;
    }
  }
  return out;
}

const distance = (a: Float32Array, b: Float32Array) =>
  Math.sqrt(a.reduce((s, v, i) => s + (v - (b[i] ?? NaN)) ** 2, 0) / a.length);

void t.test('a warp of 1 changes nothing but the last bits', async (t) => {
  const { data } = new Frontend(features).feed(voiced(16_000));
  const same = warpRows(features, data, 1);
  t.not(same, data);
  const worst = data.reduce((w, v, i) => Math.max(w, Math.abs(v - (same[i] ?? NaN))), 0);
  t.ok(worst < 1e-4, `${worst}`);
});

void t.test(
  "near to what warped triangles give of the audio, on the warp's own side",
  async (t) => {
    const audio = voiced(32_000);
    const plain = new Frontend(features).feed(audio).data;
    for (const warp of [0.86, 0.93, 1.08, 1.2]) {
      const wanted = new Frontend(features, { warp }).feed(audio).data;
      const got = warpRows(features, plain, warp);
      t.equal(got.length, wanted.length);
      const [left, moved] = [distance(got, wanted), distance(plain, wanted)];
      t.ok(left < 0.5 * moved, `warp ${warp}: ${left.toFixed(3)} of ${moved.toFixed(3)}`);
      const back = distance(warpRows(features, plain, 1 / warp), wanted);
      t.ok(back > moved, `warp ${warp}: the other way is further off`);
    }
  },
);

void t.test('each frame by itself: cut rows give the same', async (t) => {
  const { data, dim } = new Frontend(features).feed(voiced(16_000));
  const whole = warpRows(features, data, 0.9);
  t.same(warpRows(features, data.subarray(0, dim), 0.9), whole.subarray(0, dim));
  t.equal(warpRows(features, new Float32Array(0), 0.9).length, 0);
});
