import t from 'tap';
import { dictionary } from 'cmu-pronouncing-dictionary';
import { Lexicon, parseUserWords } from '../../../src/recognizer/index.js';
import { alignLetters } from '../../../src/recognizer/lexicon/align-letters.js';
import { dictionaryEntries, G2p, trainG2p } from '../../../src/recognizer/lexicon/index.js';
import { tinyLexicon, units } from '../../sim/tiny-checkpoint.js';

const lexicon = tinyLexicon();
const said = (word: string) =>
  lexicon.lookup(word).map((p) => `${p.phones.map((u) => units[u]).join(' ')} (${p.source})`);

void t.test('dictionary, possessives, letters, rules', async (t) => {
  t.same(said('kitchen'), ['K IH CH AH N (dictionary)']);
  t.ok(said('the').length >= 2, 'variants');
  t.same(said("kitchen's"), ['K IH CH AH N Z (dictionary)']);
  t.same(said('plc'), ['P IY EH L S IY (spelled)']);
  t.match(said('blort')[0], /g2p/);
  t.match(said('usb')[0], /g2p/);
  t.ok(said('usb').includes('Y UW EH S B IY (spelled)'), 'short and unknown: also spelled');
  t.ok(said('plz').includes('P IY EH L Z EH D (spelled)'));
  t.same(said('123'), []);
});

void t.test('own words come first; wrong ones are all named', async (t) => {
  const words = parseUserWords(
    'kitchen: K IH1 CH\nzorblax: sounds like big hall # the press\n',
    'words.txt',
    lexicon,
  );
  const own = lexicon.withUserWords(words);
  t.equal(own.lookup('kitchen')[0]?.source, 'user');
  t.equal(own.lookup('zorblax')[0]?.phones.length, 6);
  t.throws(
    () => parseUserWords('a: QQ\nnonsense\nb: AA X1', 'words.txt', lexicon),
    /words\.txt:1:4: "QQ" is no phone, expected some of AA AE .*\n.*words\.txt:2:1: .*\n.*words\.txt:3:7: "X1"/,
  );
  const refused = (source: string) => {
    try {
      parseUserWords(source, 'words.txt', lexicon);
    } catch (error) {
      return (error as Error).message;
    }
    return '';
  };
  t.match(refused('two words: AA'), /words\.txt:1:1: "two words" is no single word/);
  t.match(refused('x: sounds like 42 hall'), /words\.txt:1:16: "42" has no pronunciation/);
  t.match(refused('x: sounds like # nothing'), /words\.txt:1:4: nothing follows/);
  t.match(refused('  # only\n\n x AA'), /words\.txt:3:1: "x AA", expected/);
});

void t.test('a damaged file is refused', async (t) => {
  t.throws(
    () => Lexicon.read(Buffer.from('no gzip'), 'bundle'),
    /bundle: the lexicon cannot be read/,
  );
});

void t.test('letter-to-sound rules: whole numbers, so the same everywhere', async (t) => {
  const entries = dictionaryEntries(
    Object.fromEntries(Object.entries(dictionary).filter((_, i) => i % 40 === 0)),
    units,
  );
  const bytes = trainG2p(entries);
  t.same(trainG2p(entries), bytes, 'the same dictionary gives the same bytes');
  const g2p = G2p.parse(bytes);
  const names = (word: string) =>
    g2p
      .pronounce(word)
      .map((u) => units[u])
      .join(' ');
  t.equal(names('sandstone'), 'S AE N D S T OW N');
  t.equal(names("it's--"), names('its'), 'what is no letter is silent');
  t.same(g2p.guesses('', 2), []);
  const [first, second] = g2p.guesses('readable', 2);
  t.ok(first && second && first.cost <= second.cost && Number.isInteger(second.cost));
  t.not(first?.phones.join(), second?.phones.join());
  const known = entries.filter(([w]) => /^[a-z]{4,}$/.test(w)).slice(0, 500);
  const right = known.filter(([w, phones]) => g2p.pronounce(w).join() === phones.join());
  t.ok(right.length > 300, `${right.length} of 500 words it was taught`);
  for (const cut of [10, bytes.length - 1])
    t.throws(() => G2p.parse(bytes.subarray(0, cut)), 'a part is refused');
});

void t.test('splits letters over phones', async (t) => {
  const phones = (text: string) => text.split(' ').map((p) => units.indexOf(p));
  const taught = ['tax:T AE K S', 'tan:T AE N', 'fan:F AE N', 'ox:AA K S', 'nat:N AE T'].map(
    (l) => {
      const [word = '', said = ''] = l.split(':');
      return { word, phones: phones(said) };
    },
  );
  const aligned = alignLetters([...taught, { word: 'x', phones: phones('T T T') }]);
  t.same(aligned[0], [phones('T'), phones('AE'), phones('K S')]);
  t.equal(aligned.at(-1), null, 'three phones for one letter: no such split');
});
