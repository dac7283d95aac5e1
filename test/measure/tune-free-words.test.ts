/** Weights of free words and the floor: each person by what the others chose. */
import t from 'tap';
import { randomFrom } from '../../src/measure/evaluate/statistics.js';
import type { ClipWordErrors } from '../../src/measure/evaluate/word-errors.js';
import {
  chooseFloor,
  chooseWeights,
  foldsOf,
  keptAt,
  weightsToTry,
  type Segment,
  type Weighed,
} from '../../src/measure/tune/free-words.js';

const clip = (speaker: string, wrong: number, i = 0): ClipWordErrors => ({
  ...{ file: `${speaker}-${i}`, speaker, substituted: wrong, left: 0, added: 0, length: 20 },
});
const weights = (language: number) => ({ language, word: 0 });
const people = Array.from({ length: 12 }, (_, i) => `p${i}`);

void t.test('what is set now comes first, and nothing twice', async (t) => {
  const tried = weightsToTry({ language: 0.9, word: -2 });
  t.same(tried[0], { language: 0.9, word: -2 });
  t.equal(new Set(tried.map((w) => JSON.stringify(w))).size, tried.length);
  t.same(weightsToTry({ language: 3, word: 0 })[1], { language: 0.9, word: -2 });
  t.equal(weightsToTry({ language: 0.33, word: 1 }).length, tried.length + 1);
});

void t.test('better for all is shown to be better', async (t) => {
  const tried: Weighed[] = [
    { weights: weights(1), clips: people.map((p, i) => clip(p, 8 + (i % 3))) },
    { weights: weights(2), clips: people.map((p, i) => clip(p, 5 + (i % 2))) },
    { weights: weights(3), clips: people.map((p) => clip(p, 9)) },
  ];
  const chosen = chooseWeights(tried);
  t.match(chosen, { best: weights(2), better: true });
  t.ok(chosen.folds.every(({ language }) => language === 2));
  const [was, is] = [12 * 9, 6 * 5 + 6 * 6];
  t.ok(Math.abs(chosen.before.rate.rate.value - was / 240) < 1e-9);
  t.ok(Math.abs(chosen.heldOut.rate.value - is / 240) < 1e-9);
  t.ok(Math.abs(chosen.difference.value - (is - was) / 240) < 1e-9);
  t.ok(chosen.difference.low <= chosen.difference.value);
});

void t.test('what is best for one person alone is not believed', async (t) => {
  // All else equal, one of them gains: the others do not choose it for that one, and gain nothing by it.
  const tried: Weighed[] = [
    { weights: weights(1), clips: people.map((p) => clip(p, 6)) },
    { weights: weights(2), clips: people.map((p, i) => clip(p, i === 3 ? 0 : 6)) },
  ];
  const chosen = chooseWeights(tried);
  t.same(chosen.best, weights(2), 'seen by all it looks better');
  t.equal(chosen.heldOut.rate.value, chosen.before.rate.rate.value, 'and is not, for a stranger');
  t.equal(chosen.better, false);
});

void t.test('of chance nothing is made', async (t) => {
  let shown = 0;
  for (let seed = 1; seed <= 100; seed++) {
    const random = randomFrom(seed);
    const tried = Array.from({ length: 24 }, (_, w) => ({
      weights: weights(w),
      clips: people.map((p) => clip(p, 4 + Math.floor(random() * 8))),
    }));
    if (chooseWeights(tried).better) shown++;
  }
  t.ok(shown <= 8, `${shown} of 100 weights that differ by chance alone were taken`);
});

void t.test('ties stay, and other recordings are no comparison', async (t) => {
  const same = people.map((p) => clip(p, 5));
  t.match(
    chooseWeights([
      { weights: weights(1), clips: same },
      { weights: weights(2), clips: same },
    ]),
    { best: weights(1), better: false },
  );
  t.throws(() =>
    chooseWeights([
      { weights: weights(1), clips: same },
      { weights: weights(2), clips: [] },
    ]),
  );
  t.throws(() => chooseWeights([]));
});

void t.test('folds are of people, ten at most', async (t) => {
  t.same(
    [...foldsOf(['b', 'a', 'b'])],
    [
      ['a', 0],
      ['b', 1],
    ],
  );
  const many = foldsOf(Array.from({ length: 37 }, (_, i) => `p${i}`));
  t.equal(new Set(many.values()).size, 10);
});

void t.test('the floor: the highest that keeps 97.5 of 100 words', async (t) => {
  const segment = (speaker: string, confidence: number, words = 10): Segment => ({
    ...{ speaker, confidence, words },
  });
  const all = people.flatMap((p) => [segment(p, 0.85), segment(p, 0.95, 30)]);
  t.same(chooseFloor(all), { floor: 0.8, kept: 1 });
  t.equal(keptAt(all, 0.9), 0.75);
  // One whose voice is unsure is refused at the floor that the others chose.
  const unsure = [...all, segment('x', 0.1, 5)];
  const { floor, kept } = chooseFloor(unsure);
  t.equal(floor, 0.8, '5 of 485 words are no reason');
  t.ok(Math.abs(kept - 480 / 485) < 1e-9);
  t.same(chooseFloor([segment('x', 0.05)]).floor, 0);
});
