import t from 'tap';
import { compileGrammar, parseUserWords, wordsOf } from '../../src/recognizer/index.js';
import { enumerateSentences } from '../../src/recognizer/grammar/index.js';
import { readingsOf } from '../../src/recognizer/grammar/readings.js';
import { fullLexicon, units } from '../sim/tiny-checkpoint.js';

const lexicon = fullLexicon();
/** All ways to say a text. */
const ways = (text: string) =>
  readingsOf(text).reduce<string[]>(
    (heads, piece) =>
      heads.flatMap((head) =>
        piece.map((words) => [head, ...words.map((w) => w.word)].join(' ').trim()),
      ),
    [''],
  );

void t.test('mixed tokens are read the way people read them', async (t) => {
  for (const [text, ...said] of [
    ['PLC 12', 'plc twelve', 'plc one two'],
    ['R2', 'r two'],
    ['A3B', 'a three b'],
    ['3rd', 'third'],
    ['10th', 'tenth'],
    ['2.5', 'two point five', 'two and a half'],
    ['0.5', 'zero point five', 'point five', 'oh point five', 'half'],
    ['50%', 'fifty percent'],
    ['24V', 'twenty four volts', 'twenty four v'],
    ['24 V', 'twenty four volts'],
    ['M8', 'm eight'],
    ['CNC', 'cnc'],
    ['105', 'one hundred five', 'one oh five', 'one zero five'],
    ['1250', 'twelve fifty', 'one thousand two hundred fifty', 'twelve hundred fifty'],
    ['007', 'zero zero seven', 'oh oh seven'],
    ['1,200', 'twelve hundred'],
    ['-5 °C', 'minus five degrees celsius', 'minus five degrees'],
    ['#4', 'number four'],
    ['3:15', 'three fifteen', 'quarter past three'],
    ['7am', 'seven am'],
    ['mp3', 'mp three'],
    ['line3', 'line three'],
    ['3D', 'three d'],
    ['5 m/s', 'five meters per second'],
    ['R&D', 'r and d'],
    ['x-ray', 'x ray'],
    ['U.S.B.', 'usb'],
    ["Don't stop!", "don't stop"],
    ["'quoted'", 'quoted'],
    ['café', 'cafe'],
  ] as const)
    for (const way of said)
      t.ok(ways(text).includes(way), `${text}: ${way}, of ${ways(text).join(', ')}`);
  t.same(wordsOf('... -- !'), []);
  t.same(
    wordsOf('12345678901234'),
    '1 2 3 4 5 6 7 8 9 0 1 2 3 4'.split(' ').flatMap(wordsOf),
    'too long for a number',
  );
  t.ok(ways('1000000000').length <= 2, 'bounded');
});

void t.test('capitals are letters, except where all is capitals', async (t) => {
  const spelledIn = (text: string) =>
    readingsOf(text).flatMap((w) => (w[0] ?? []).filter((x) => x.spelled).map((x) => x.word));
  t.same(spelledIn('check the ID of PLC 4'), ['id', 'plc']);
  t.same(spelledIn('STOP THE CONVEYOR'), []);
  const g = compileGrammar(
    'intents: { A: { data: [{ sentences: ["show the ID", "go to {line} kg", "stop"] }] } }\nlists: { line: { values: ["A3", 12] } }',
    { file: 'test.yaml', lexicon },
  );
  const said = (word: string) =>
    (g.pronunciations.get(word) ?? []).map((p) => p.phones.map((u) => units[u]).join(' '));
  t.same(said('id'), ['AY D IY', 'IH D'], 'letters first, the word too');
  t.ok(said('a').includes('EY'));
  const texts = [...enumerateSentences(g, 100)].map((ids) =>
    ids.map((w) => g.graph.words[w]).join(' '),
  );
  t.ok(texts.includes('go to a three kilos') && texts.includes('go to twelve kilograms'));
  const values = texts
    .filter((text) => text.startsWith('go'))
    .map((text) => g.interpret(text.split(' ').map((w) => g.graph.words.indexOf(w))).slots.line);
  t.same(new Set(values), new Set(['A3', 12]), 'a value comes out as it was written');
});

void t.test("a site's own words stand as they are", async (t) => {
  const words = parseUserWords('R2: sounds like art two\nx-ray: EH K S R EY', 'words.txt', lexicon);
  const g = compileGrammar('intents: { A: { data: [{ sentences: ["call R2 for x-ray"] }] } }', {
    file: 'test.yaml',
    lexicon: lexicon.withUserWords(words),
  });
  t.same(g.graph.words, ['call', 'r2', 'for', 'x-ray']);
  t.equal(g.pronunciations.get('r2')?.[0]?.source, 'user');
});

void t.test('words without a pronunciation are refused where they stand', async (t) => {
  try {
    compileGrammar('intents:\n  A:\n    data:\n      - sentences: ["stop 日本 now", "go до"]\n', {
      file: 'test.yaml',
      lexicon,
    });
    t.fail('refused');
  } catch (error) {
    t.match(
      (error as Error).message,
      /test\.yaml:4:27: "日本" has no pronunciation: add it to the word list/,
    );
    t.match((error as Error).message, /test\.yaml:4:40: "до" has no pronunciation/);
  }
});
