/** The duel of two sentences: sums over alignments against all of them written out, and where the two differ alone. */
import t from 'tap';
import { duelOf } from '../../src/recognizer/duel.js';
import { alignSentence } from '../../src/recognizer/search/align.js';
import { totalScore } from '../../src/recognizer/search/total.js';
import { collapsed } from '../../src/recognizer/confidence.js';
import { randomFrom } from '../../src/measure/evaluate/statistics.js';

const units = 4;

function randomScores(frames: number, random: () => number): Float32Array {
  return Float32Array.from({ length: frames * units }, () => Math.log(0.02 + random()));
}

/** Every path of units through the frames whose reading is one of the sentences: the slow, obvious reference. */
function writtenOut(sentences: readonly string[], scores: Float32Array): number {
  const frames = scores.length / units;
  let sum = 0;
  for (let n = 0; n < units ** frames; n++) {
    const path = Array.from({ length: frames }, (_, i) => Math.floor(n / units ** i) % units);
    if (!sentences.includes(collapsed(path).join(' '))) continue;
    sum += Math.exp(path.reduce((s, u, i) => s + (scores[i * units + u] ?? 0), 0));
  }
  return Math.log(sum);
}

void t.test('the sum over all alignments is that of every path written out', (t) => {
  const random = randomFrom(3);
  const cases: readonly (readonly [number[][][], string[]])[] = [
    [[[[1]]], ['1']],
    [[[[1, 1]]], ['1 1']],
    [[[[1, 2]], [[2]]], ['1 2 2']],
    // Two pronunciations of a word: both count.
    [
      [[[1], [2]], [[3]]],
      ['1 3', '2 3'],
    ],
  ];
  for (const [words, sentences] of cases)
    for (let round = 0; round < 5; round++) {
      const scores = randomScores(6, random);
      const slow = writtenOut(sentences, scores);
      t.ok(Math.abs(totalScore(words, scores, units) - slow) < 1e-4, sentences.join(', '));
      t.ok(alignSentence(words, scores, units).score <= slow + 1e-4, 'the best alone is less');
    }
  t.equal(totalScore([[[1, 2, 3]]], randomScores(2, random), units), -Infinity, 'too short');
  t.end();
});

const phonesOf = (word: number) => [[[1]], [[2]], [[3]], [[1, 2]]][word] ?? [];
const align = (words: readonly number[], scores: Float32Array) =>
  alignSentence(words.map(phonesOf), scores, units);
const duel = (said: readonly number[], rival: readonly number[], scores: Float32Array) => {
  const [a, b] = [align(said, scores), align(rival, scores)];
  return duelOf(
    { words: said, phones: a.phones },
    { words: rival, phones: b.phones },
    a.score - b.score,
    { phonesOf, scores, units },
  );
};

/** These units, one a frame, each as likely as said. */
const frames = (...said: readonly (readonly [number, number])[]) =>
  Float32Array.from(
    said.flatMap(([unit, p]) =>
      Array.from({ length: units }, (_, u) => Math.log(u === unit ? p : (1 - p) / (units - 1))),
    ),
  );

void t.test('only the words that differ, and their neighbours, are heard', (t) => {
  const middle = [
    [0, 0.9],
    [1, 0.6],
    [0, 0.9],
  ] as const;
  const one = [
    [2, 0.9],
    [0, 0.9],
  ] as const;
  const scores = frames([0, 0.9], ...one, ...middle, ...one);
  const ahead = duel([1, 0, 1], [1, 2, 1], scores);
  const behind = duel([1, 2, 1], [1, 0, 1], scores);
  t.ok(ahead > 1, `${ahead}`);
  t.ok(Math.abs(ahead + behind) < 1e-6, 'one has what the other lacks');
  // Two more words on each side, said badly: no part of the duel.
  const bad = frames([1, 0.3], [0, 0.5], [3, 0.3], [0, 0.5]);
  const longer = new Float32Array([...bad, ...scores, ...bad]);
  const within = duel([0, 2, 1, 0, 1, 0, 2], [0, 2, 1, 2, 1, 0, 2], longer);
  t.ok(Math.abs(within - ahead) < 1, `${within} and ${ahead}`);
  t.end();
});

void t.test('of sentences with little in common the margin counts', (t) => {
  const scores = frames([0, 0.9], [1, 0.8], [0, 0.9], [2, 0.5], [0, 0.9]);
  const far = (margin: number) =>
    duelOf({ words: [0, 1, 2, 0], phones: [] }, { words: [1, 2, 0, 1], phones: [] }, margin, {
      phonesOf,
      scores,
      units,
    });
  t.equal(far(4.5), 4.5);
  t.equal(far(50), 20);
  t.equal(far(-50), -20);
  t.end();
});
