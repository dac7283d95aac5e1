import t from 'tap';
import { trieFile } from '../../src/language/build/write-trie.js';
import { joinFile, splitFile, type PartName } from '../../src/language/trie-file.js';
import { TrieModel } from '../../src/language/trie-model.js';
import { generator } from '../sim/random-text.js';
import { smoothed } from '../sim/small-models.js';

/** A file of whole parts with a checksum that fits, and one part changed. */
function changed(part: PartName, change: (bytes: Uint8Array) => void): Buffer {
  const { shape, parts } = splitFile(trieFile(smoothed(generator(3).text(), { order: 3 }).grams));
  const bytes = Uint8Array.from(parts[part]);
  change(bytes);
  return joinFile(shape, { ...parts, [part]: bytes });
}

const all = (value: number) => (bytes: Uint8Array) => bytes.fill(value);

void t.test('what contradicts itself behind a checksum that fits is refused', (t) => {
  const faults: [PartName, (bytes: Uint8Array) => void, RegExp][] = [
    ['wordEnds', all(255), /words end where no letters are/],
    ['wordPairs', all(255), /pairs that it has not/],
    ['pairWord', all(255), /has a word that it has not/],
    ['pairTriples', all(0), /triples that it has not/],
    ['pairTriples', all(255), /triples that it has not/],
    ['pairPlaces', all(7), /triples that it has not/],
    ['tripleLns', all(255), /is no number/],
    ['wordLn', all(255), /is no number/],
  ];
  for (const [part, change, message] of faults)
    t.throws(() => new TrieModel(changed(part, change)), { message }, part);
  t.doesNotThrow(() => new TrieModel(changed('wordLn', () => undefined)));
  t.end();
});
