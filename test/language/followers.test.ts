import t, { type Test } from 'tap';
import type { BackOffModel } from '../../src/language/back-off.js';
import { GramsModel } from '../../src/language/build/grams.js';
import { trieFile } from '../../src/language/build/write-trie.js';
import { TrieModel } from '../../src/language/trie-model.js';
import { contexts, smoothed } from '../sim/small-models.js';
import { generator } from '../sim/random-text.js';

/** What is listed after a word, and its back-off for all others, are what the model says when it is asked word by word. */
function agree(t: Test, model: BackOffModel): number {
  let listed = 0;
  for (let word = 0; word < model.size; word++) {
    const context = model.wordAt(word) === '<s>' ? model.begin : model.advance(model.empty, word);
    const pairs = new Map<number, number>();
    model.followers(word, (second, ln) => pairs.set(second, ln));
    listed += pairs.size;
    for (let second = 0; second < model.size; second++) {
      const alone = model.lnProbability(model.empty, second);
      const told = pairs.get(second) ?? model.lnBackOffOfWord(word) + alone;
      if (Math.abs(told - model.lnProbability(context, second)) > 1e-6)
        t.fail(`${model.wordAt(word)} ${model.wordAt(second)}`);
    }
  }
  for (const [, context] of contexts(model)) {
    const last = model.lastWord(context);
    t.equal(last < 0, context === model.empty);
    if (last < 0) continue;
    const one = model.wordAt(last) === '<s>' ? model.begin : model.advance(model.empty, last);
    if (context <= model.size) t.equal(one, context);
  }
  return listed;
}

void t.test('pairs are listed as they are asked for, exact and from the file', (t) => {
  let listed = 0;
  for (let seed = 1; seed <= 6; seed++)
    for (const order of [1, 2, 3]) {
      const { grams } = smoothed(generator(seed).text(), { order });
      listed += agree(t, new GramsModel(grams));
      listed += agree(t, new TrieModel(trieFile(grams)));
    }
  t.ok(listed > 100, `${listed} pairs`);
  t.end();
});
