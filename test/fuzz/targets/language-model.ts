import { crc32 } from 'node:zlib';
import { trieFile } from '../../../src/language/build/write-trie.js';
import { TrieModel } from '../../../src/language/trie-model.js';
import { KikitoriError, messageOf } from '../../../src/runtime/errors.js';
import { generator } from '../../sim/random-text.js';
import { smoothed } from '../../sim/small-models.js';
import { mutated } from '../engine/mutate.js';
import { must, type Target } from '../engine/target.js';

/** Words and contexts that are asked for: those of a real model are too many. */
const askedMax = 40;

export const target: Omit<Target, 'name'> = {
  right:
    'of what is accepted every probability asked for is a number, and each word has a bounded list of followers',
  covers: [
    'src/language/trie-file.ts',
    'src/language/trie-model.ts',
    'src/language/children.ts',
    'src/language/packed.ts',
  ],
  bytesMax: 65_536,
  where: 'a.lm',
  words: ['kikitori-lm 1\n', '"order":', '"counts":', '"letters":', '"bits":', '3', '17'],
  seeds: () =>
    [1, 2, 3].map((order) => trieFile(smoothed(generator(order).text(), { order }).grams)),
  mutate: (input, random, other) =>
    summed(mutated(input, random, other, { words: [], text: false, bytesMax: 65_536 })),
  run: (input) => {
    const model = opened(input);
    const words = Math.min(model.size, askedMax);
    for (let word = 0; word < words; word++) {
      must(typeof model.wordAt(word) === 'string', 'a word without letters');
      const contexts = [model.empty, model.begin, model.advance(model.begin, word)];
      for (const context of contexts)
        for (let next = 0; next < words; next++)
          must(
            Number.isFinite(model.lnProbability(context, next)),
            `ln P of word ${next} behind context ${context}`,
          );
      let count = 0;
      model.followers(word, () => count++);
      must(count <= model.shape.counts[1], `${count} followers of ${model.shape.counts[1]} pairs`);
    }
  },
};

/** As readers of files say it. */
function opened(input: Buffer): TrieModel {
  try {
    return new TrieModel(input);
  } catch (error) {
    throw new KikitoriError(messageOf(error), { kind: 'input', where: 'a.lm' });
  }
}

/** A change behind a checksum that does not fit is seen by that alone. */
function summed(input: Uint8Array): Uint8Array {
  const file = Buffer.from(input);
  if (file.length > 4)
    file.writeUInt32LE(crc32(file.subarray(0, file.length - 4)), file.length - 4);
  return file;
}
