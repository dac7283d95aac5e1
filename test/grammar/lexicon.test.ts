import t from 'tap';
import { Lexicon, parseUserWords } from '../../src/recognizer/index.js';
import { tinyLexicon, units } from '../sim/tiny-checkpoint.js';

const lexicon = tinyLexicon();
const said = (word: string) =>
  lexicon.lookup(word).map((p) => `${p.phones.map((u) => units[u]).join(' ')} (${p.source})`);

void t.test('dictionary, possessives, letters, rules', async (t) => {
  t.same(said('kitchen'), ['K IH CH AH N (dictionary)']);
  t.ok(said('the').length >= 2, 'variants');
  t.same(said("kitchen's"), ['K IH CH AH N Z (dictionary)']);
  t.same(said('plc'), ['P IY EH L S IY (spelled)']);
  t.match(said('blort')[0], /g2p/);
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
    /words\.txt:1:4: "QQ".*\n.*words\.txt:2:1.*\n.*words\.txt:3:7/,
  );
});

void t.test('a damaged file is refused', async (t) => {
  t.throws(
    () => Lexicon.read(Buffer.from('no gzip'), 'bundle'),
    /bundle: the lexicon cannot be read/,
  );
});
