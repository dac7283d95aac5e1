import t from 'tap';
import { gramsOf, readArpa } from '../../src/language/build/arpa.js';
import { GramsModel } from '../../src/language/build/grams.js';
import { pruned } from '../../src/language/build/prune.js';
import { ReferenceModel } from '../../src/language/build/reference-model.js';
import { trieFile } from '../../src/language/build/write-trie.js';
import { TrieModel } from '../../src/language/trie-model.js';
import { obviousKneserNey } from '../sim/obvious-kneser-ney.js';
import { arpaOf, contexts, difference, each, smoothed, worstSum } from '../sim/small-models.js';
import { generator } from '../sim/random-text.js';

void t.test('the words behind every context have together the probability 1', async (t) => {
  for (let seed = 1; seed <= 25; seed += 1) {
    const text = generator(seed).text();
    for (const order of [1, 2, 3]) {
      const { grams } = smoothed(text, { order, vocabulary: seed % 2 === 0 ? 5 : 1000 });
      t.ok(worstSum(new GramsModel(grams)) < 1e-5, `seed ${seed}, order ${order}`);
    }
  }
});

void t.test('smoothing is as its definition says, written out', async (t) => {
  for (let seed = 1; seed <= 25; seed += 1) {
    const text = generator(seed).text();
    const { grams, discounts } = smoothed(text);
    const obvious = obviousKneserNey(text, 3);
    t.strictSame(
      discounts.map(({ of }) => of.map((d) => d.toFixed(9))),
      obvious.discounts.map((of) => of.map((d) => d.toFixed(9))),
    );
    const model = new GramsModel(grams);
    let worst = 0;
    for (const [history, context] of contexts(model))
      for (let word = 0; word < model.size; word += 1) {
        const text = model.wordAt(word);
        if (text === '<s>' || history[1] === '<s>') continue;
        const gap =
          Math.exp(model.lnProbability(context, word)) - obvious.probability(history, text);
        worst = Math.max(worst, Math.abs(gap));
      }
    t.ok(worst < 1e-6, `seed ${seed}: ${worst}`);
  }
});

void t.test('runs on disk change nothing', async (t) => {
  const text = generator(7).text();
  const [a, b] = [smoothed(text), smoothed(text, { perRun: 5 })];
  t.strictSame(a, b);
});

void t.test('triples beyond the limit: those that stood once go, and the sums stay', async (t) => {
  const text = generator(8).text();
  const all = smoothed(text).grams;
  const { grams } = smoothed(text, { triplesMax: all.tripleWord.length - 1 });
  t.ok(grams.tripleWord.length < all.tripleWord.length);
  t.ok(worstSum(new GramsModel(grams)) < 1e-5);
});

void t.test('ARPA out and in, and the reference, are the same model', async (t) => {
  for (let seed = 1; seed <= 12; seed += 1) {
    for (const order of [1, 2, 3]) {
      const { grams } = smoothed(generator(seed).text(), { order });
      const arpa = arpaOf(grams);
      const model = new GramsModel(grams);
      t.ok(difference(model, new ReferenceModel(arpa)) < 2e-5, `reference ${seed}, ${order}`);
      const back = await readArpa(each(arpa.split('\n')), 'ARPA');
      t.ok(difference(model, new GramsModel(back)) < 2e-5, `read ${seed}, ${order}`);
      t.equal(arpaOf(back), arpa);
    }
  }
});

void t.test(
  'the file is the model within what it was rounded by, and still adds up to 1',
  async (t) => {
    for (let seed = 1; seed <= 12; seed += 1) {
      for (const order of [1, 2, 3]) {
        const { grams } = smoothed(generator(seed).text(), { order });
        const model = new GramsModel(grams);
        for (const [bits, most] of [
          [8, 0.05],
          [4, 1.5],
        ] as const) {
          const trie = new TrieModel(trieFile(grams, { bits }));
          const worst = difference(model, trie);
          t.ok(worst < most, `seed ${seed}, order ${order}, ${bits} bits: ${worst}`);
          t.ok(worstSum(trie) < (bits === 8 ? 0.02 : 0.6), `sum ${worstSum(trie)}`);
          t.ok(difference(trie, new ReferenceModel(arpaOf(gramsOf(trie)))) < 2e-5);
        }
      }
    }
  },
);

void t.test(
  'pruning keeps to the bytes, adds up to 1, and leaves out what says least',
  async (t) => {
    for (let seed = 1; seed <= 12; seed += 1) {
      const { grams } = smoothed(generator(seed, 30, 400).text());
      const whole = trieFile(grams).length;
      const least = trieFile(pruned(grams, 0.6 * whole)).length;
      t.ok(least <= 0.6 * whole, `${least} of ${whole}`);
      const small = pruned(grams, 0.6 * whole);
      t.ok(worstSum(new GramsModel(small)) < 1e-4);
      t.ok(
        worstSum(new GramsModel(pruned({ ...grams, occurrences: undefined }, 0.6 * whole))) < 1e-4,
      );
      t.ok(small.tripleWord.length < grams.tripleWord.length);
      t.equal(pruned(grams, whole), grams, 'what fits stays as it is');
      t.ok(difference(new TrieModel(trieFile(small)), new GramsModel(small)) < 0.1);
    }
    const { grams } = smoothed(generator(1).text());
    t.throws(() => pruned(grams, 10), { message: /words alone take \d+ bytes/ });
  },
);
