import t from 'tap';
import { randomFrom } from '../../../src/measure/evaluate/statistics.js';
import { compileDictation } from '../../../src/recognizer/dictation/index.js';
import { LookAhead, type Worth } from '../../../src/recognizer/dictation/look-ahead.js';
import { PlainLanguageModel, randomNgrams } from '../../sim/plain-language-model.js';
import { tinyLexicon } from '../../sim/tiny-checkpoint.js';

/** Two roundings to a twelfth of a nat, both upwards, and what 4-byte numbers lose. */
const slack = 2 / 12 + 1e-5;

const sounds = new Map<string, number[][]>();
for (let a = 1; a <= 4; a++)
  for (let b = 1; b <= 4; b++)
    for (let c = 1; c <= 3; c++)
      sounds.set(
        `w${a}${b}${c}`,
        c === 3
          ? [
              [a, b],
              [a, c],
            ]
          : [[a, b, c]],
      );
const lexicon = tinyLexicon().withUserWords(sounds);

function randomAhead(random: () => number) {
  const words = [...sounds.keys()].filter(() => random() < 0.7);
  const model = new PlainLanguageModel(randomNgrams(random, words, { order: 3 }));
  const boosted = new Map(words.filter(() => random() < 0.1).map((w) => [w, 3 * random()]));
  const { tree, modelWord, bonus, mostBonus } = compileDictation(model, lexicon, { boosted });
  const weight = 0.3 + random();
  const worth: Worth = { model, weight, modelWord, bonus, mostBonus };
  // The fewest rows: less than there are words.
  const ahead = new LookAhead(tree, worth, { narrow: 2, rowsBytes: 0 });
  return { ahead, tree, worth, words };
}

/** Every word below a node by itself. */
function slow({ tree, worth }: ReturnType<typeof randomAhead>, node: number, before: number) {
  const { model, weight, modelWord, bonus } = worth;
  const pairs = new Map<number, number>();
  if (before >= 0) model.followers(before, (second, ln) => pairs.set(second, ln));
  let best = -Infinity;
  for (let i = tree.from[node] ?? 0; i < (tree.to[node] ?? 0); i++) {
    const word = modelWord(tree.word[i] ?? 0);
    const alone = model.lnProbability(model.empty, word);
    const backedOff = alone + (before < 0 ? 0 : model.lnBackOffOfWord(before));
    const ln = Math.max(backedOff, pairs.get(word) ?? -Infinity);
    best = Math.max(best, weight * ln + (bonus?.[i] ?? 0));
  }
  return best;
}

void t.test('of each node and word before it tells the best below, never less', (t) => {
  const random = randomFrom(47);
  let looked = 0;
  for (let i = 0; i < 30; i++) {
    const made = randomAhead(random);
    const { ahead, tree, worth } = made;
    const { model } = worth;
    const contexts = Array.from({ length: 60 }, () => {
      const [a, b] = [0, 0].map(() => Math.floor(random() * model.size));
      return model.advance(model.advance(model.empty, a ?? 0), b ?? 0);
    });
    for (const context of [model.empty, model.begin, ...contexts, ...contexts]) {
      const row = ahead.row(context);
      for (let node = 0; node < tree.nodes; node++) {
        if (ahead.wide[node] === 0) continue;
        looked++;
        const wanted = slow(made, node, model.lastWord(context));
        const more = ahead.at(row, node) - wanted;
        if (!(more >= -1e-5 && more <= slack)) t.fail(`case ${i}, node ${node}: ${more} more`);
      }
    }
  }
  t.ok(looked > 10_000, `${looked} answers`);
  t.end();
});

void t.test('a narrow node has no row; the root always has', (t) => {
  const { ahead, tree } = randomAhead(randomFrom(48));
  for (let node = 0; node < tree.nodes; node++) {
    const below = (tree.to[node] ?? 0) - (tree.from[node] ?? 0);
    if ((ahead.wide[node] !== 0) !== (node === 0 || below > 2)) t.fail(`node ${node}: ${below}`);
  }
  t.end();
});

void t.test('worth less than a byte can tell is told as the least', (t) => {
  const { tree, worth } = randomAhead(randomFrom(49));
  const ahead = new LookAhead(tree, { ...worth, weight: 100 });
  const row = ahead.row(worth.model.begin);
  t.ok(ahead.at(row, 0) >= worth.mostBonus - 255 / 12);
  t.ok(ahead.at(row, 0) <= worth.mostBonus);
  t.end();
});
