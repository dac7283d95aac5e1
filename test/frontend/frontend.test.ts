import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import type { FeatureOptions } from '../../src/bundle/index.js';
import { randomFrom } from '../../src/measure/evaluate/statistics.js';
import { Frontend } from '../../src/frontend/index.js';
import { features } from '../sim/tiny-checkpoint.js';

const goldenFolder = fileURLToPath(new URL('../golden/log-mel/', import.meta.url));

void t.test(
  "equal to the trainer's features, at other options than the defaults too",
  async (t) => {
    const files = readdirSync(goldenFolder).filter((name) => name.endsWith('.json'));
    t.ok(files.length >= 3, 'goldens are there: test/golden/log-mel/make.py makes them');
    for (const file of files) {
      const golden = JSON.parse(readFileSync(goldenFolder + file, 'utf8')) as {
        options: FeatureOptions;
        samples: number[];
        steps: number[][];
      };
      const got = new Frontend(golden.options).feed(Float32Array.from(golden.samples));
      t.equal(got.steps, golden.steps.length, `${file}: number of steps`);
      let worst = 0;
      golden.steps
        .flat()
        .forEach((v, i) => (worst = Math.max(worst, Math.abs(v - (got.data[i] ?? NaN)))));
      t.ok(worst < 1e-4, `${file}: largest difference ${worst}`);
    }
  },
);

void t.test('the same bits however the audio is cut', async (t) => {
  const random = randomFrom(5);
  const samples = Float32Array.from({ length: 20_000 }, () => random() - 0.5);
  const whole = new Frontend(features).feed(samples);
  for (let round = 0; round < 20; round++) {
    const frontend = new Frontend(features);
    const parts: number[] = [];
    for (let at = 0; at < samples.length;) {
      const size = 1 + Math.floor(random() * (round < 5 ? 37 : 4000));
      parts.push(...frontend.feed(samples.slice(at, at + size)).data);
      at += size;
    }
    t.same(Float32Array.from(parts), whole.data, `cut ${round}`);
  }
});

void t.test('counts steps as stated; values that are no numbers become silence', async (t) => {
  const frames = 1 + Math.floor((16000 - 400) / 160);
  t.equal(
    new Frontend(features).feed(new Float32Array(16000)).steps,
    1 + Math.floor((frames - 8) / 3),
  );
  t.equal(new Frontend(features).feed(new Float32Array(399)).steps, 0);
  const frontend = new Frontend(features);
  const steps = frontend.feed(
    Float32Array.from({ length: 4000 }, (_, i) =>
      i % 7 === 0 ? NaN : i % 11 === 0 ? Infinity : 0,
    ),
  );
  t.ok(steps.data.every(Number.isFinite));
  t.ok(frontend.badSamples > 800);
});
