import t from 'tap';
import type { PhoneChain } from '../../src/bundle/index.js';
import { phoneChain } from '../../src/measure/calibrate/phone-chain.js';
import { randomFrom } from '../../src/measure/evaluate/statistics.js';
import { alignPhones } from '../../src/recognizer/index.js';
import { fillerScore } from '../../src/recognizer/search/filler.js';
import { tinyLexicon } from '../sim/tiny-checkpoint.js';

const units = 4;
const phones = [1, 2, 3];

function randomChain(random: () => number): PhoneChain {
  const row = () => phones.map(() => -3 * random());
  return { first: row(), next: phones.map(row) };
}

/** Every phone string that fits into the frames, aligned and paid for. */
function slowest(scores: Float32Array, chain: PhoneChain): number {
  const frames = scores.length / units;
  let best = -Infinity;
  const extend = (said: number[], price: number) => {
    const aligned = alignPhones(
      said.map((unit) => ({ unit, word: 0 })),
      scores,
      units,
    );
    best = Math.max(best, aligned.score + price);
    if (said.length === frames) return;
    const before = said.at(-1);
    for (const p of phones) {
      const row = before === undefined ? chain.first : (chain.next[before - 1] ?? []);
      extend([...said, p], price + (row[p - 1] ?? 0));
    }
  };
  extend([], 0);
  return best;
}

void t.test('the filler is the best of all phone strings, each paid for', async (t) => {
  const random = randomFrom(11);
  for (let round = 0; round < 40; round++) {
    const frames = 1 + (round % 5);
    const scores = Float32Array.from({ length: frames * units }, () => -4 * random());
    const chain = randomChain(random);
    const [fast, slow] = [fillerScore(scores, units, chain), slowest(scores, chain)];
    t.ok(Math.abs(fast - slow) < 1e-6, `${frames} frames: ${fast} and ${slow}`);
  }
  t.equal(fillerScore(new Float32Array(0), units, randomChain(random)), 0);
});

void t.test(
  'a chain of phones is a distribution, and knows what the dictionary says',
  async (t) => {
    const words = [
      [1, 2],
      [1, 2, 3],
      [3, 2],
    ];
    const chain = phoneChain(words, units);
    const sum = (row: readonly number[]) => row.reduce((s, v) => s + Math.exp(v), 0);
    for (const row of [chain.first, ...chain.next])
      t.ok(Math.abs(sum(row) - 1) < 0.03, `${sum(row)}`);
    t.ok((chain.first[0] ?? 0) > (chain.first[1] ?? 0), 'words begin with 1 rather than 2');
    t.ok((chain.next[0]?.[1] ?? 0) > (chain.next[0]?.[2] ?? 0), '2 follows 1');
    t.ok([chain.first, ...chain.next].flat().every(Number.isFinite), 'nothing is impossible');
    t.ok(phoneChain([], units).next.flat().every(Number.isFinite), 'nor without words');
  },
);

void t.test('a lexicon gives all of its pronunciations', async (t) => {
  const lexicon = tinyLexicon();
  const all = [...lexicon.pronunciations()].map((p) => p.join());
  for (const { phones } of lexicon.lookup('machine')) t.ok(all.includes(phones.join()));
  t.ok(all.length > 10);
  t.ok([...lexicon.pronunciations()].flat().every((p) => p > 0 && p < lexicon.units.length));
});
