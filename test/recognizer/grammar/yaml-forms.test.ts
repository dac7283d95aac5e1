import t from 'tap';
import {
  compileGrammar,
  enumerateSentences,
  type GrammarDetails,
} from '../../../src/recognizer/index.js';
import { tinyLexicon } from '../../sim/tiny-checkpoint.js';

const lexicon = tinyLexicon();
const compile = (source: string, phonesMax?: number) =>
  compileGrammar(source, {
    file: 'test.yaml',
    lexicon,
    ...(phonesMax === undefined ? {} : { phonesMax }),
  });
const texts = (g: GrammarDetails) =>
  [...enumerateSentences(g, 1000)].map((ids) => ids.map((w) => g.graph.words[w]).join(' ')).sort();
const intents = (sentences: string, more = '') =>
  `intents:\n  A: { data: [{ sentences: ${sentences}${more} }] }\n`;
const warnings = (g: GrammarDetails) =>
  g.warnings.map(({ line, message }) => `${line}: ${message}`);

void t.test('anchors stand for what they name', async (t) => {
  const g = compile(
    `
x-rooms: &rooms [hall, kitchen]
intents:
  Go: { data: [{ sentences: &go ["go {a}"] }] }
  Stop: { data: [{ sentences: ["stop {b}"] }, { sentences: ["start {b}"], slots: &fast { how: fast } }] }
lists:
  a: { values: *rooms }
  b: { values: [ *one ] }
x-late: 1
`.replace('*one', '&one hall'),
  );
  t.same(texts(g), ['go hall', 'go kitchen', 'start hall', 'stop hall']);
});

void t.test('merge keys: own keys win, then the first map', async (t) => {
  const g = compile(`
x-base: &base { minConfidence: 0.9, confirm: true, data: [{ sentences: ["go"] }] }
x-more: &more { minConfidence: 0.1, data: [{ sentences: ["left"] }] }
intents:
  A: { <<: *base }
  B: { <<: [*more, *base], data: [{ sentences: ["stop"] }] }
`);
  t.same(texts(g), ['go', 'stop']);
  const meaning = (word: string) => g.interpret([g.graph.words.indexOf(word)]);
  t.match(meaning('go'), { intent: 'A', minConfidence: 0.9, confirm: true });
  t.match(meaning('stop'), { intent: 'B', minConfidence: 0.1, confirm: true });
});

void t.test('what YAML allows and sentences do not is refused with its place', async (t) => {
  const refused = (source: string, what: RegExp) => t.throws(() => compile(source), what, source);
  refused(
    intents('["go {a}"]') + 'lists: { a: { values: *b } }\n',
    /test\.yaml:3:23: \*b: there is no anchor &b before it/,
  );
  refused('intents: &a\n  A: { data: [*a] }\n', /test\.yaml:2:15: \*a is used inside of &a/);
  refused('x-a: &a [1]\nintents:\n  <<: *a\n', /test\.yaml:3:3: "<<:" takes a map/);
  refused('intents:\n\tA: 1\n', /^test\.yaml:2:1: this line is indented with a tab[^\n]*$/);
  refused(
    `${intents('["go"]')}---\n${intents('["stop"]')}`,
    /test\.yaml:3:1: a second document begins here/,
  );
  refused('intents:\n  A: 1\n  A: 2\n', /test\.yaml:3:3: this name is there twice/);
  refused(
    intents('["go {a}"]') + 'lists: { a: { values: [hall, null, ~, true] } }\n',
    /3:30: .*"null".*no value[^]*3:36: .*"~"[^]*3:39: .*"true".*true\/false/,
  );
  refused('conversation:\n  intents: {}\n', /^test\.yaml:1:1: "conversation:" belongs to[^\n]*$/);
  refused(intents('["[go]", "stop"]'), /^test\.yaml:2:29: a sentence may be empty/);
  refused(
    'intents:\n  A: { slots: { a: b }, data: [{ sentences: ["go"] }] }\n',
    /slots stand beside "sentences:"/,
  );
});

void t.test('numbers as values stay as they are written', async (t) => {
  const g = compile(intents('["go {a}"]') + 'lists: { a: { values: [7, 007, 2.50, 0x10] } }\n');
  const slot = (said: string) => g.interpret(g.read(said) ?? []).slots.a;
  t.equal(slot('go 7'), 7);
  t.equal(slot('go 007'), '007');
  t.equal(slot('go two point five zero'), '2.50');
});

void t.test('required keywords: only sentences with one of them count', async (t) => {
  t.same(texts(compile(intents('["go [left] [hall]"]', ', required_keywords: [Hall, right]'))), [
    'go hall',
    'go left hall',
  ]);
  t.throws(
    () => compile(intents('["go"]', ', required_keywords: ["go left"]')),
    /expected single words/,
  );
});

void t.test('what says nothing about the words is read over', async (t) => {
  const g = compile(`
language: en-GB
settings: { filter_with_regex: false }
responses: { errors: { no_intent: sorry } }
intents:
  A:
    supported: true
    domain: light
    description: x
    settings: { a: 1 }
    data: [{ sentences: ["go"], settings: { filter_with_regex: false }, metadata: { a: 1 }, response: one, example: go }]
`);
  t.same(texts(g), ['go']);
  t.same(warnings(g), ['4: responses are left out: this device does not speak']);
});

void t.test('skip words: all that their templates say', async (t) => {
  const g = compile(`${intents('["go"]')}skip_words: ['(could|can) you', '[the]', 'please[s]']\n`);
  const skipped = [...g.pronunciations.keys()];
  for (const phrase of ['could you', 'can you', 'the', 'please', 'pleases'])
    t.ok(skipped.includes(phrase), phrase);
  t.equal(g.interpret(g.read('go please') ?? []).intent, 'A');
  t.throws(
    () => compile(`${intents('["go"]')}skip_words: ['{0..999:x}']\n`),
    /3:14: skip_words say more than 200/,
  );
});

void t.test('a check says when meaning is lost', async (t) => {
  const lost = (source: string) => warnings(compile(source));
  t.match(lost('language: de\n' + intents('["go"]')), [
    /^1: language is "de", but this recogniser speaks English/,
  ]);
  t.match(
    lost(
      'intents:\n  A: { data: [{ sentences: ["go [left]", "stop"] }] }\n  B: { data: [{ sentences: ["go", "stop"] }] }\n',
    ),
    [/^3: intent B can never be heard: all of it is said by A, which comes before/],
  );
  t.match(
    lost(
      'intents:\n  A: { data: [{ sentences: ["go [left]"] }] }\n  B: { data: [{ sentences: ["go", "stop"] }] }\n',
    ),
    [/^3: no way to say this gives B: all of it is said by A/],
  );
  t.same(
    lost('intents:\n  A: { data: [{ sentences: ["go", "go [left]", "go"] }] }\n'),
    [],
    'one intent may repeat itself',
  );
  const place = 'lists: { p: { values: [hall, kitchen] } }\n';
  t.match(lost(intents('["from {p} to {p}"]') + place), [
    /^2: intent A: a sentence fills the slot "p" more than once/,
  ]);
  t.match(lost(intents('["go ({p};left {p})"]') + place), [/"p" more than once/]);
  t.match(lost(intents('["go {p}"]', ', slots: { p: x }') + place), [/"p" more than once/]);
  t.same(
    lost(intents('["go ({p}|to {p})", "from {p} to {p:q}"]') + place),
    [],
    'either way only once',
  );
});

void t.test('what makes the search late is said, and refused beyond the limit', async (t) => {
  const source = intents('["go {n}"]') + 'lists: { n: { range: { from: 0, to: 1000000 } } }\n';
  t.throws(
    () => compile(source, 500),
    /test\.yaml:1:1: the sentences make [\d,]+ phones to search, at most 500 \(grammar\.phonesMax\).*What helps/,
  );
  t.same(warnings(compile(source)), [], 'ranges are small');
  const names = Array.from(
    { length: 4000 },
    (_, i) =>
      `${'go le ri st li ha ki tu wo ca'.split(' ')[i % 10] ?? ''}${[...String(i)].map((d) => 'bolamidusetokerifona'.slice(2 * Number(d), 2 * Number(d) + 2)).join('')}`,
  );
  t.match(
    warnings(
      compile(
        JSON.stringify({
          intents: {
            A: {
              data: [
                { sentences: ['go {a} [left {a:b} right {a:c} stop {a:d} start {a:e} on {a:f}]'] },
              ],
            },
          },
          lists: { a: { values: names } },
        }),
      ),
    ),
    [/phones to search: about/],
  );
});
