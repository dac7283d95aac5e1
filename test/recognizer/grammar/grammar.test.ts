import t from 'tap';
import { randomFrom } from '../../../src/measure/evaluate/statistics.js';
import {
  compileGrammar,
  GrammarError,
  sampleSentence,
  wordsOf,
  type GrammarDetails,
} from '../../../src/recognizer/index.js';
import { enumerateSentences, spokenNumber } from '../../../src/recognizer/grammar/index.js';
import { pathsOf } from '../../../src/recognizer/search/align.js';
import { tinyLexicon } from '../../sim/tiny-checkpoint.js';

const lexicon = tinyLexicon();
const compile = (source: string, file = 'test.yaml') => compileGrammar(source, { file, lexicon });
const texts = (g: GrammarDetails) =>
  [...enumerateSentences(g, 1000)].map((ids) => ids.map((w) => g.graph.words[w]).join(' '));
const meaningOf = (g: GrammarDetails, text: string) => {
  const { intent, slots } = g.interpret(wordsOf(text).map((w) => g.graph.words.indexOf(w)));
  return { intent, slots };
};

const lights = `
intents:
  Light:
    data:
      - sentences: ["turn <state> [the] {room} light[s]", "{room} light (on|off){x}"]
lists:
  room: { values: [kitchen, { in: "[the] big hall", out: hall }] }
  x: { values: [please] }
expansion_rules:
  state: "(on|off)"
`;

void t.test('templates: alternatives, optional parts, lists, rules, glued endings', async (t) => {
  const g = compile(lights);
  for (const sentence of ['turn on the kitchen light', 'turn off big hall lights'])
    t.ok(texts(g).includes(sentence), sentence);
  t.equal(g.sentences, texts(g).length, 'the count is the number of different sentences');
  t.equal(new Set(texts(g)).size, g.sentences);
  t.same(meaningOf(g, 'turn on the big hall lights'), { intent: 'Light', slots: { room: 'hall' } });
});

void t.test('permutations, fixed slots, own names of slots', async (t) => {
  const g = compile(`
intents:
  Go: { data: [{ sentences: ["go ({d:direction};[{s}])"], slots: { how: fast } }] }
lists:
  d: { values: [left, right] }
  s: { values: [slow, fast] }
`);
  t.same(meaningOf(g, 'go slow left'), {
    intent: 'Go',
    slots: { direction: 'left', s: 'slow', how: 'fast' },
  });
  t.same(meaningOf(g, 'go right fast'), {
    intent: 'Go',
    slots: { direction: 'right', s: 'fast', how: 'fast' },
  });
  t.equal(g.sentences, 2 + 4 + 4);
});

void t.test('slots are known with the types of all their values', async (t) => {
  const g = compile(`
intents:
  Go:
    data:
      - { sentences: ["go {w}", "set {n} {c}", "turn {t}"], slots: { sure: true, level: 3 } }
      - { sentences: ["go left {o}", "set {m} left"], slots: { level: high } }
lists:
  w: { values: [left, right] }
  n: { range: { from: 1, to: 5 } }
  c: { digits: { min: 2, max: 2 } }
  o: { ordinal: { to: 3 } }
  t: { time: {} }
  m: { values: [{ in: one, out: 1 }, { in: many, out: many }] }
`);
  t.same(
    [...g.slots].map(([slot, types]) => [slot, [...types].sort()]),
    [
      ['c', ['string']],
      ['level', ['number', 'string']],
      ['m', ['number', 'string']],
      ['n', ['number']],
      ['o', ['number']],
      ['sure', ['boolean']],
      ['t', ['string']],
      ['w', ['string']],
    ],
  );
});

void t.test('numbers are spoken as words and given as numbers', async (t) => {
  const g = compile(`
intents: { Speed: { data: [{ sentences: ["set speed to {n} percent"] }] } }
lists: { n: { range: { from: -5, to: 120, step: 5, multiplier: 0.01 } } }
`);
  t.same(meaningOf(g, 'set speed to twenty five percent').slots, { n: 0.25 });
  t.same(meaningOf(g, 'set speed to one hundred and five percent').slots, { n: 1.05 });
  t.same(meaningOf(g, 'set speed to one hundred five percent').slots, { n: 1.05 });
  t.same(meaningOf(g, 'set speed to minus five percent').slots, { n: -0.05 });
  t.same(
    spokenNumber(1234567)[0],
    'one million two hundred thirty four thousand five hundred sixty seven',
  );
  t.same(spokenNumber(2.5), ['two point five', 'two and a half']);
  t.same(wordsOf("Turn R2 to 50%, don't stop!"), [
    'turn',
    'r',
    'two',
    'to',
    'fifty',
    'percent',
    "don't",
    'stop',
  ]);
});

void t.test('skip words may stand anywhere and mean nothing', async (t) => {
  const g = compile(`
intents: { Stop: { data: [{ sentences: ["stop conveyor"] }] } }
skip_words: [please, "go and"]
`);
  const id = (w: string) => g.graph.words.indexOf(w);
  t.equal(g.sentences, 1);
  t.same(g.interpret([id('please'), id('stop'), id('go and'), id('conveyor')]).intent, 'Stop');
});

void t.test('every sampled sentence is in the graph, phone by phone', async (t) => {
  const g = compile(lights);
  const random = randomFrom(3);
  for (let i = 0; i < 200; i++) {
    let state = 0;
    for (const word of sampleSentence(g, random)) {
      const way = pathsOf(g.graph, state).find((p) => p.word === word);
      t.ok(way, `${g.graph.words[word] ?? ''} can follow`);
      t.ok(g.phonesOf(word).some((p) => p.join() === way?.phones.join()));
      state = way?.target ?? 0;
    }
    t.equal(g.graph.final[state], 1);
  }
});

void t.test('all faults at once, with line and column', async (t) => {
  const source = `intents:
  A:
    data:
      - sentences:
          - "turn (on|off the light"
          - "stop {nowhere} now"
          - "go <circle>"
      - sentence: ["x"]
  B: { data: [{ sentences: ["stop"] }], minConfidence: 7 }
lists:
  w: { values: [why] }
  n: { range: { from: 0, to: 1000000000 } }
expansion_rules:
  circle: "left <round>"
  round: "right <circle>"
`;
  try {
    compile(source);
    t.fail('refused');
  } catch (error) {
    if (!(error instanceof GrammarError)) throw error;
    const said = error.message;
    t.match(said, 'test.yaml:5:19: "(" is never closed');
    t.match(said, /test\.yaml:6:\d+: list \{nowhere\} is not defined; defined: w, n/);
    t.match(said, /round in a circle: <circle> -> <round> -> <circle>/);
    t.match(said, /unknown key "sentence", expected one of sentences/);
    t.match(said, /minConfidence/);
    t.match(said, /from 0 to 1000000000, expected numbers up to 999,999,999/);
  }
});

void t.test('refused: what cannot be finite or is empty', async (t) => {
  const many = Array.from({ length: 9 }, (_, i) => `[{n}] ${'abcdefghi'[i] ?? ''}`).join('; ');
  t.throws(
    () =>
      compile(
        `intents: {A: {data: [{sentences: ["(${many})"]}]}}\nlists: {n: {range: {from: 0, to: 999}}}`,
      ),
    /permutation of 9 parts/,
  );
  t.throws(() => compile('intents: {A: {data: [{sentences: ["[stop]"]}]}}'), /may be empty/);
  t.throws(() => compile('just text'), /no file of sentences/);
  t.throws(() => compile('intents: {A: {data: [{sentences: ["a"]}]}\n'), /test\.yaml:\d+:\d+/);
  t.throws(() => compile('{}'), /there are no intents/);
});

void t.test('JSGF', async (t) => {
  const g = compile(
    `#JSGF V1.0;
grammar robot;
// a comment
public <move> = go (left {direction} | right {direction}) [<count> (meter | meters)];
<count> = (one {n=1} | two {n=2} | /3/ three {n=3});
public <halt> = stop;
`,
    'robot.gram',
  );
  t.same(meaningOf(g, 'go left two meters'), {
    intent: 'move',
    slots: { direction: 'left', n: 2 },
  });
  t.same(meaningOf(g, 'stop'), { intent: 'halt', slots: {} });
  t.throws(() => compile('#JSGF V1.0; grammar x; public <a> = go <b>*;'), /repeat without end/);
  t.throws(
    () => compile('#JSGF V1.0; grammar x; import <y.z>; public <a> = go;'),
    /import <y\.z>: imports are not read/,
  );
  t.throws(() => compile('#JSGF V1.0; grammar x; <a> = go;'), /no public rule/);
});

void t.test('big grammars: a thousand sentences, twenty thousand values', async (t) => {
  const words = ['red', 'blue', 'go', 'left', 'right', 'stop', 'start', 'light', 'hall', 'kitchen'];
  const random = randomFrom(1);
  const sentence = () =>
    Array.from({ length: 5 }, () => words[Math.floor(random() * words.length)]).join(' ');
  const list = Array.from({ length: 20_000 }, sentence);
  const g = compile(
    JSON.stringify({
      intents: { A: { data: [{ sentences: ['go {x}'] }] } },
      lists: { x: { values: list } },
    }),
  );
  t.equal(g.sentences, new Set(list).size);
  t.ok(g.graph.arcUnit.length < 200_000, 'shared beginnings and ends');
});
