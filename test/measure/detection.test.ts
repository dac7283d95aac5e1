import t from 'tap';
import { detections, type Scored } from '../../src/measure/evaluate/detection.js';
import { randomFrom } from '../../src/measure/evaluate/statistics.js';

/** Slow and obvious: every pair of one that is so and one that is not. */
function slowArea(series: readonly Scored[]): number {
  const of = (wanted: number) =>
    series.flatMap(({ scores, labels }) =>
      Array.from(scores).filter((_, i) => labels[i] === wanted),
    );
  const [yes, no] = [of(1), of(0)];
  const sum = yes.reduce(
    (all, y) => all + no.reduce((s, n) => s + (y > n ? 1 : y === n ? 0.5 : 0), 0),
    0,
  );
  return sum / (yes.length * no.length);
}

function made(seed: number, noise: number, digits = 2): Scored[] {
  const [random, other] = [randomFrom(1), randomFrom(seed)];
  return Array.from({ length: 12 }, () => {
    const labels = Array.from({ length: 40 }, () => Math.floor(random() * 3) - 1);
    const scores = labels.map((l) =>
      Number((0.5 + 0.3 * l + noise * (other() - 0.5)).toFixed(digits)),
    );
    return { scores, labels };
  });
}

void t.test(
  'the area is that of all pairs, F1 that of the counts; what nobody labelled is passed over',
  async (t) => {
    for (const noise of [0.5, 1, 3]) {
      const series = made(2, noise);
      const [own] = detections([series], 0.5);
      t.ok(Math.abs((own?.area ?? NaN) - slowArea(series)) < 1e-12, `${own?.area}`);
      let [hits, misses, wrong] = [0, 0, 0];
      for (const { scores, labels } of series) {
        for (let i = 0; i < scores.length; i++) {
          const over = (scores[i] ?? 0) > 0.5;
          if (labels[i] === 1 && over) hits++;
          if (labels[i] === 1 && !over) misses++;
          if (labels[i] === 0 && over) wrong++;
        }
      }
      t.equal(own?.f1, (2 * hits) / (2 * hits + misses + wrong));
      t.equal(own?.areaLess, undefined);
    }
  },
);

void t.test('many different scores: within a thousandth', async (t) => {
  const series = Array.from({ length: 20 }, (_, i) => made(3 + i, 2, 12)).flat();
  const [own] = detections([series], 0.5);
  t.ok(Math.abs((own?.area ?? NaN) - slowArea(series)) < 1e-3);
});

void t.test(
  'paired: the same network differs by nothing, a worse one by less than nothing',
  async (t) => {
    const [good, bad] = [made(2, 1), made(2, 3)];
    const [, same, worse] = detections([good, good, bad], 0.5);
    t.same(same?.areaLess, { value: 0, low: 0, high: 0 });
    t.same(same?.f1Less, { value: 0, low: 0, high: 0 });
    t.ok((worse?.areaLess?.high ?? NaN) < 0);
    t.ok((worse?.areaLess?.low ?? NaN) <= (worse?.areaLess?.value ?? NaN));
  },
);
