import t from 'tap';
import { compileGrammar, parseUserWords, wordsOf } from '../../../src/recognizer/index.js';
import { enumerateSentences } from '../../../src/recognizer/grammar/index.js';
import { readingsOf } from '../../../src/recognizer/grammar/readings.js';
import { fullLexicon, units } from '../../sim/tiny-checkpoint.js';

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
    ["boys' room", 'boys room'],
    ["boys'1", 'boys one'],
    ['café', 'cafe'],
  ] as const)
    for (const way of said)
      t.ok(ways(text).includes(way), `${text}: ${way}, of ${ways(text).join(', ')}`);
  // What every object of JavaScript has is no unit.
  for (const word of ['constructor', 'toString', 'valueOf', 'hasOwnProperty'])
    for (const text of [`5 ${word}`, `5${word}`, `5 m/${word}`, `5 ${word}/s`])
      t.ok(
        ways(text).some((way) => way.startsWith('five ')),
        text,
      );
  t.ok(ways('5 constructor').includes('five constructor'));
  t.same(wordsOf('... -- !'), []);
  t.same(
    wordsOf('12345678901234'),
    '1 2 3 4 5 6 7 8 9 0 1 2 3 4'.split(' ').flatMap(wordsOf),
    'too long for a number',
  );
  t.ok(ways('1000000000').length <= 2, 'bounded');
});

void t.test('texts as people write them: signs, fractions, commas, currencies', async (t) => {
  for (const [text, ...said] of [
    ['−5 °C', 'minus five degrees celsius'],
    ['–5', 'minus five'],
    ['− 5', 'minus five'],
    ['±0.5 mm', 'plus or minus half millimeters', 'plus or minus point five millimeters'],
    ['£5', 'five pounds'],
    ['$20 bill', 'twenty dollar bill'],
    ['$2.50', 'two dollars fifty', 'two fifty', 'two dollars and fifty cents'],
    ['-$5', 'minus five dollars'],
    ['5€', 'five euros'],
    ['5 €', 'five euros'],
    ['€ 5', 'five euros'],
    ['€1.5m', 'one point five million euros'],
    ['99¢', 'ninety nine cents'],
    ['1/2 inch', 'half inch', 'half an inch', 'one half inch'],
    ['½ speed', 'half speed'],
    ['3/4 valve', 'three quarter valve', 'three quarters valve'],
    ['3/4"', 'three quarters inch'],
    ['1/2-inch', 'half inch'],
    ['2½ inch', 'two and a half inch'],
    ['2 1/2 inch', 'two and a half inch'],
    ['1-1/2 inch', 'one and a half inch'],
    ['7/8', 'seven eighths'],
    ['24/7 line', 'twenty four seven line'],
    ['5/2 valve', 'five two valve'],
    ['1/2/2026', 'one two twenty twenty six'],
    ['1,5 mm', 'one point five millimeters', 'one comma five millimeters'],
    ['0,500', 'zero point five zero zero'],
    ['1.234,5', 'one thousand two hundred thirty four point five'],
    ["1'000", 'one thousand'],
    ['10\u00A0000', 'ten thousand'],
    ['12,34,567', 'one million two hundred thirty four thousand five hundred sixty seven'],
    ['1_000', 'one thousand'],
    ['2.50', 'two point five zero', 'two and a half'],
    ['PM2.5 monitor', 'pm two point five monitor'],
    ['v1.2', 'v one point two'],
    ['1.2.3', 'one point two point three', 'one dot two dot three'],
    ['192.168.1.5', 'one ninety two dot one sixty eight dot one dot five'],
    ['CO₂', 'co two'],
    ['m²', 'square meter', 'm squared'],
    ['5 m²', 'five square meters'],
    ['5 m3/h', 'five cubic meters per hour'],
    ['m/s²', 'meters per second squared'],
    ['10⁻³', 'ten to the minus three'],
    ['ﬁle', 'file'],
    ['ＦＵＬＬ １２', 'full twelve'],
    ['№ 5', 'number five'],
    ['No. 5', 'number five'],
    ['Ⅳ', 'four'],
    ['II press', 'two press', 'ii press'],
    ['4x4', 'four by four'],
    ['10x20mm', 'ten by twenty millimeters'],
    ['line 1–3', 'line one to three'],
    ['line 1-3', 'line one three', 'line one to three'],
    ['2026-11-29', 'twenty twenty six eleven twenty nine'],
    ['5G', 'five g'],
    ['C#', 'c sharp'],
    ['x=5', 'x equals five'],
    ['6′ 2″', 'six feet two inches'],
    ["'line 5'", 'line five'],
    ['"line 5"', 'line five'],
    ['007', 'double oh seven'],
    ['555', 'triple five'],
    ['500 000', 'five hundred zero zero zero'],
    ['1.25', 'one and a quarter'],
    ['500,000', 'half a million'],
    ['straße', 'strasse'],
    ['zero\u200Bwidth so\u00ADft', 'zero width soft'],
    ['15:15', 'fifteen fifteen', 'three fifteen pm', 'three fifteen'],
  ] as const)
    for (const way of said)
      t.ok(ways(text).includes(way), `${text}: ${way}, of ${ways(text).slice(0, 9).join(', ')}`);
  t.equal(wordsOf('5G')[1], 'g', 'no grams first');
  t.ok(ways('100000000000000000000').length <= 2, 'many zeros are no thousands of ways');
});

void t.test('nothing that is written is left out in silence', async (t) => {
  const refusal = (source: string) => {
    try {
      compileGrammar(source, { file: 't.yaml', lexicon });
    } catch (error) {
      return (error as Error).message;
    }
    return '';
  };
  const list = (value: string) =>
    `intents: { A: { data: [{ sentences: ["go {n}"] }] } }\nlists:\n  n: { values: [one, ${JSON.stringify(value)}] }\n`;
  for (const value of ['-', '...', '—', '…', '"', '. - .', '(-)', '[...]'])
    t.match(refusal(list(value)), /^t\.yaml:3:\d+: ".*" says nothing: write the words/, value);
  for (const value of [
    '🔥',
    'on 🔥',
    '®',
    'Foo™',
    '~5',
    'a → b',
    '†',
    '₿5',
    '👨\u200D👩',
    'π',
    '\u0301',
  ])
    t.match(refusal(list(value)), /^t\.yaml:3:\d+: ".*" has no pronunciation: add it/, value);
  const sentence = (text: string) =>
    refusal(`intents: { A: { data: [{ sentences: ["${text}"] }] } }`);
  t.match(sentence('—'), /1:39: "—" says nothing/);
  t.match(sentence('go (…|now)'), /1:43: "…" says nothing/);
  for (const text of ['go - now', 'go, now!', 'go [-] now', '(go) ... [now]', 'hall / left'])
    t.equal(sentence(text), '', text);
  // Every sign of ASCII and beyond: read as something, or refused, or punctuation.
  const punctuation =
    /^[\p{Pd}\p{Ps}\p{Pe}\p{Pi}\p{Pf}\p{Pc}\s'´`.,:;?!"/\\|·•¡¿、。・\u200B-\u200F\u2060-\u2069]*$/u;
  const silent = (sign: string) => readingsOf(`a ${sign} b`).length < 3;
  for (let code = 33; code < 0x3100; code++) {
    const sign = String.fromCharCode(code);
    // Not assigned, not visible, or one of the many apostrophes.
    if (/[\p{Cn}\p{Cs}\p{Cf}´ʹʼ\u0374\u1FFD]/u.test(sign)) continue;
    if (silent(sign) && !punctuation.test(sign.normalize('NFKC').replace(/′′/g, '"')))
      t.fail(`${sign} (U+${code.toString(16)}) is left out`);
  }
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

void t.test('the word list takes every form that a refusal names', async (t) => {
  const list = `½: sounds like half
ß: sounds like sharp
ø: AO
日本: sounds like knee hon
ü: sounds like you
m²: sounds like square meter
pm2.5: sounds like fine dust
CO₂: sounds like see oh two
🔥: sounds like fire # a comment
C#: sounds like see sharp
"#4": sounds like bay four
3:15: sounds like quarter past three
küche: sounds like kitchen
кнопка:  B AH T AH N
`;
  const own = lexicon.withUserWords(parseUserWords(list, 'words.txt', lexicon));
  const text = 'set ½ ß ø 日本 ü m² PM2.5 CO₂ 🔥 C# #4 3:15 (Küche), küche’s Кнопка!';
  const g = compileGrammar(
    JSON.stringify({ intents: { A: { data: [{ sentences: [text.replace(/[()]/g, '\\$&')] }] } } }),
    {
      file: 'x.yaml',
      lexicon: own,
    },
  );
  t.same(g.graph.words, [
    'set',
    '½',
    'ß',
    'ø',
    '日本',
    'ü',
    'm²',
    'pm2.5',
    'co₂',
    '🔥',
    'c#',
    '#4',
    '3:15',
    'küche',
    "küche's",
    'кнопка',
  ]);
  for (const word of g.graph.words.slice(1, 14))
    t.equal(g.pronunciations.get(word)?.[0]?.source, 'user', word);
  t.ok(g.read(text), 'and labels with them are read');
  t.same(g.pronunciations.get('½')?.[0]?.phones, lexicon.lookup('half')[0]?.phones);
  const wrong = () => parseUserWords('two words: S T AA P\n: S\n日本: XX', 'words.txt', lexicon);
  t.throws(wrong, /words\.txt:1:1: "two words" is no single word/);
  t.throws(wrong, /words\.txt:2:1: ": S", expected "word: PHONES"/);
  t.throws(wrong, /words\.txt:3:5: "XX" is no phone/);
});

void t.test('values stay as they are written', async (t) => {
  const values = ['007', '2.50', '12', '0.5', '1e3', '-5', '0x10'];
  const g = compileGrammar(
    `intents: { A: { data: [{ sentences: ["take {n}"] }] } }\nlists: { n: { values: [${values.join(', ')}, { in: x, out: 012 }, { in: y, out: 1.0 }] } }`,
    { file: 'x.yaml', lexicon },
  );
  const slot = (text: string) => g.interpret(g.read(text) ?? []).slots.n;
  t.equal(slot('take double oh seven'), '007');
  t.equal(slot('take 2.50'), '2.50');
  t.equal(slot('take twelve'), 12);
  t.equal(slot('take half'), 0.5);
  t.equal(slot('take minus five'), -5);
  t.equal(slot('take x'), '012');
  t.equal(slot('take y'), 1);
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
