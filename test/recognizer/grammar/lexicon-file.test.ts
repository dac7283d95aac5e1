/** The lexicon's file: what goes in comes out, damage is refused, the format before is still read. */
import { brotliCompressSync, gzipSync } from 'node:zlib';
import t from 'tap';
import { dictionary } from 'cmu-pronouncing-dictionary';
import { randomFrom } from '../../../src/measure/evaluate/statistics.js';
import { buildLexicon, Lexicon } from '../../../src/recognizer/index.js';
import { packDictionary } from '../../../src/recognizer/lexicon/build-dictionary.js';
import { unpack, writeContainer } from '../../../src/recognizer/lexicon/container.js';
import { blockEntries, PackedDictionary } from '../../../src/recognizer/lexicon/dictionary.js';
import { decodeOldRules } from '../../../src/recognizer/lexicon/old-format.js';
import { decodeRules, encodeRules, type Rules } from '../../../src/recognizer/lexicon/rule-tree.js';
import { dictionaryEntries, trainG2p } from '../../../src/recognizer/lexicon/index.js';
import { KikitoriError } from '../../../src/runtime/errors.js';
import { fullLexicon, madeAnew, tinyLexiconBytes, units } from '../../sim/lexicons.js';

type Entry = [string, number[]];

/** The slow, obvious dictionary. */
function listed(entries: readonly Entry[]): Map<string, string[]> {
  const ways = new Map<string, string[]>();
  for (const [word, phones] of entries)
    ways.set(word, [...(ways.get(word) ?? []), phones.join(' ')]);
  return ways;
}

void t.test('the lexicon that tests keep between runs is the one that is made today', async (t) => {
  t.ok(Buffer.from(tinyLexiconBytes()).equals(madeAnew('tiny')));
});

void t.test('what was read does not hold the file', async (t) => {
  const file = Uint8Array.from(tinyLexiconBytes());
  const wanted = Lexicon.read(tinyLexiconBytes(), 'tiny').lookup('blorvik');
  const lexicon = Lexicon.read(file, 'tiny');
  file.fill(0);
  t.same(lexicon.lookup('blorvik'), wanted);
  t.ok(wanted.some(({ source }) => source === 'g2p'));
});

void t.test('every word and variant of CMUdict is exactly what the package says', async (t) => {
  const lexicon = fullLexicon();
  const wanted = new Map<string, Set<string>>();
  for (const [key, said] of Object.entries(dictionary)) {
    const word = key.replace(/\(\d+\)$/, '');
    const phones = (said.split('#')[0] ?? '').trim().replace(/\d/g, '');
    // Variants that differ in stress alone are one.
    wanted.set(word, (wanted.get(word) ?? new Set()).add(phones));
  }
  t.ok(wanted.size > 126_000, `${wanted.size} words`);
  const wrong: string[] = [];
  for (const [word, ways] of wanted) {
    const found = lexicon.lookup(word);
    const said = found.map((p) => p.phones.map((u) => units[u]).join(' '));
    const known = found.every((p) => p.source === 'dictionary');
    if (!known || said.join('|') !== [...ways].join('|')) wrong.push(word);
  }
  t.same(wrong, []);
});

void t.test('any dictionary comes back: rare spellings, many variants, long words', async (t) => {
  const random = randomFrom(3);
  const below = (n: number) => Math.floor(random() * n);
  const letters = "abcdefghijklmnopqrstuvwxyz'.-";
  const entries: Entry[] = [];
  for (let i = 0; i < 400; i++) {
    const length = 1 + below(i % 40 === 0 ? 60 : 8);
    const word = Array.from({ length }, () => letters[below(letters.length)]).join('');
    for (let variant = 0; variant <= below(i % 50 === 0 ? 2 * blockEntries : 2); variant++)
      entries.push([word, Array.from({ length: 1 + below(14) }, () => 1 + below(39))]);
  }
  const packed = PackedDictionary.parse(packDictionary(entries));
  const ways = listed(entries);
  for (const [word, said] of ways)
    t.same(
      packed.find(word).map((p) => p.join(' ')),
      said,
      word,
    );
  for (const word of ways.keys())
    for (const other of [word.slice(0, -1), `${word}a`, `${word}'`, `z${word}`, ''])
      if (!ways.has(other)) t.same(packed.find(other), [], `"${other}" is in no dictionary`);
  t.same(PackedDictionary.parse(packDictionary([])).find('a'), []);
});

void t.test('cut off at every hundredth, lengthened, or of another format: refused', async (t) => {
  const file = tinyLexiconBytes();
  const refused = (bytes: Uint8Array) => {
    try {
      Lexicon.read(bytes, 'bundle');
    } catch (error) {
      t.type(error, KikitoriError);
      return (error as Error).message;
    }
    return '';
  };
  for (let percent = 0; percent < 100; percent++)
    t.match(
      refused(file.subarray(0, Math.floor((file.length * percent) / 100))),
      /^bundle: the lexicon cannot be read: ./,
      `${percent} %`,
    );
  t.match(refused(Buffer.concat([file, Buffer.from('x')])), /more follows/);
  t.match(refused(Buffer.from('kikitori-lexicon 7\n{}\n')), /format 7; this version reads 1 and 2/);
  t.match(refused(Buffer.from('<html>')), /it is no lexicon of kikitori/);
  const other = (parts: unknown) =>
    Buffer.from(`kikitori-lexicon 2\n${JSON.stringify({ units, parts })}\n`);
  t.match(refused(other([])), /no dictionary/);
  t.match(refused(other([{ name: 'dictionary', packed: 1, bytes: 1e12 }])), /no sizes of parts/);
});

void t.test('one byte changed: refused, or read; nothing else happens', async (t) => {
  const file = tinyLexiconBytes();
  const random = randomFrom(5);
  const outcomes = new Set<string>();
  for (let i = 0; i < 200; i++) {
    const bytes = Buffer.from(file);
    const at = Math.floor(random() * bytes.length);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << (i % 8));
    try {
      const lexicon = Lexicon.read(bytes, 'bundle');
      for (const word of ['kitchen', 'zorblax', "the's"]) lexicon.lookup(word);
      outcomes.add('read');
    } catch (error) {
      t.type(error, KikitoriError);
      outcomes.add('refused');
    }
  }
  t.ok(outcomes.has('refused'));
});

void t.test('the same dictionary gives the same bytes', async (t) => {
  const some = Object.fromEntries(Object.entries(dictionary).filter((_, i) => i % 300 === 0));
  t.same(buildLexicon(some, units), buildLexicon(some, units));
});

const some = dictionaryEntries(
  Object.fromEntries(Object.entries(dictionary).filter((_, i) => i % 60 === 0)),
  units,
);

/** The first format, as it was written. */
function oldRules({ header, tree }: Rules): Buffer {
  const nodes = tree.symbol.length;
  const two = (values: readonly number[]) => values.flatMap((v) => [v & 255, v >> 8]);
  const children = [...tree.firstChild.subarray(1)].map((to, n) => to - (tree.firstChild[n] ?? 0));
  const head = { format: 1, order: 8, graphones: header.graphones, ngrams: [nodes - 1] };
  return Buffer.concat([
    Buffer.from(`${JSON.stringify(head)}\n`),
    Buffer.from([
      ...two(children),
      ...two([...tree.symbol]),
      ...tree.cost,
      ...[...tree.backOff].map((b) => b + 96),
    ]),
  ]);
}

void t.test('letter-to-sound rules: what is written is read, in both formats', async (t) => {
  const bytes = trainG2p(some);
  const rules = decodeRules(bytes);
  t.ok(Buffer.from(encodeRules(rules)).equals(bytes), 'written again: the same bytes');
  t.same(decodeOldRules(oldRules(rules)).tree, rules.tree);
  for (let percent = 0; percent < 100; percent++)
    t.throws(() => decodeRules(bytes.subarray(0, (bytes.length * percent) / 100)));
});

void t.test('a lexicon of the first format says the same', async (t) => {
  const rules = oldRules(decodeRules(trainG2p(some)));
  const line = ([word, phones]: Entry) =>
    `${word}\t${String.fromCharCode(...phones.map((p) => p + 64))}\n`;
  const lines = [...some].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)).map(line);
  const words = Buffer.from(lines.join(''));
  const head = { units, words: words.length, g2p: rules.length };
  const file = Buffer.concat([
    Buffer.from(`kikitori-lexicon 1\n${JSON.stringify(head)}\n`),
    words,
    rules,
  ]);
  const old = Lexicon.read(gzipSync(file), 'bundle');
  const packed = PackedDictionary.parse(packDictionary(some));
  for (const [word] of some)
    t.same(
      old.lookup(word).map((p) => p.phones),
      packed.find(word),
    );
  t.same([...old.pronunciations()], [...packed.all()], 'all, in the same order');
  t.same(old.lookup('blorter')[0]?.source, 'g2p');
  const damaged = Buffer.concat([Buffer.from('kikitori-lexicon 2\n'), words]);
  t.throws(() => Lexicon.read(gzipSync(damaged), 'bundle'), /unknown format/);
  t.throws(() => Lexicon.read(gzipSync(file.subarray(0, -9)), 'bundle'), /cut off/);
});

void t.test(
  'a lexicon that names phones or rules that there are not is refused, with the reason',
  async (t) => {
    const parts = (dictionary: string, rules?: string) =>
      writeContainer(
        ['<blank>', 'K', 'AE', 'T'],
        new Map([
          ['dictionary', Buffer.from(dictionary, 'latin1')],
          ...(rules === undefined ? [] : ([['rules', Buffer.from(rules)]] as const)),
        ]),
        1,
      );
    const dictionary = (phones: string) =>
      `{"symbols":[["c",[1]],["a",[2]],["t",${phones}]],"entries":1}\n\xff\0\x01\x02`;
    t.same(Lexicon.read(parts(dictionary('[3]')), 'x').lookup('cat')[0]?.phones, [1, 2, 3]);
    for (const phones of ['[4]', '[0]', '[-1]', '[1.5]', '["T"]'])
      t.throws(() => Lexicon.read(parts(dictionary(phones)), 'x'), {
        message: 'x: the lexicon cannot be read: the dictionary names phones that there are not',
      });
    const refused: readonly (readonly [string, RegExp])[] = [
      ['null\n', /name no graphones/],
      [
        '{"format":2,"nodes":1,"costUnits":16,"graphones":[["a",[9]]]}\n',
        /phones that there are not/,
      ],
      ['{"format":2,"nodes":1.5,"costUnits":16,"graphones":[]}\n\0\0\0', /cut off/],
      ['{"format":2,"nodes":1,"costUnits":"16","graphones":[]}\n\0\0', /no unit of costs/],
    ];
    for (const [rules, why] of refused)
      t.throws(() => Lexicon.read(parts(dictionary('[3]'), rules), 'x').lookup('zorblax'), {
        message: why,
      });
  },
);

void t.test(
  'rules of the first format whose nodes are their own children are refused',
  async (t) => {
    const rules = decodeRules(trainG2p(some));
    const good = oldRules(rules);
    const nodes = rules.tree.symbol.length;
    const from = good.indexOf(10) + 1;
    t.ok(good.length === from + 6 * nodes);
    const circle = Buffer.from(good);
    // The last node has as many children as there would be before it.
    circle.writeUInt16LE(0, from);
    circle.writeUInt16LE(good.readUInt16LE(from), from + 2 * (nodes - 1));
    t.throws(() => decodeOldRules(circle), /damaged/);
    const symbol = Buffer.from(good);
    symbol.writeUInt16LE(9999, from + 2 * nodes);
    t.throws(() => decodeOldRules(symbol), /damaged/);
  },
);

void t.test('a part that unpacks to more than is said is refused in our words', async (t) => {
  const bytes = brotliCompressSync(Buffer.alloc(100_000));
  t.throws(() => unpack({ bytes, unpackedBytes: 1000 }), {
    message: 'a part is larger than is said',
  });
});
