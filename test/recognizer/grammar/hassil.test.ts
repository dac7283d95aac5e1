import t from 'tap';
import {
  compileGrammar,
  enumerateSentences,
  type GrammarDetails,
} from '../../../src/recognizer/index.js';
import { fullLexicon } from '../../sim/tiny-checkpoint.js';

const lexicon = fullLexicon();
const compile = (source: string, file = 'test.yaml') => compileGrammar(source, { file, lexicon });
const texts = (g: GrammarDetails) =>
  [...enumerateSentences(g, 1000)].map((ids) => ids.map((w) => g.graph.words[w]).join(' ')).sort();
const meaningOf = (g: GrammarDetails, text: string) => {
  const ids = g.read(text);
  return ids === null ? null : g.interpret(ids);
};

const house = (data: string) => `
language: en
intents:
  TurnOn:
    data:
      - sentences: ["turn on [the] {name}"]
        ${data}
lists:
  name:
    values:
      - { in: "hall lamp", out: lamp.hall, context: { domain: light } }
      - { in: "kitchen lamp", out: lamp.kitchen, context: { domain: light, floor: 1 } }
      - { in: "water pump", out: pump.water, context: { domain: switch } }
      - just a name
`;

void t.test('the context of list values settles requires and excludes', async (t) => {
  const names = (data: string) =>
    texts(compile(house(data)))
      .filter((text) => !text.includes(' the '))
      .map((text) => text.replace('turn on ', ''));
  t.same(names(''), ['hall lamp', 'just a name', 'kitchen lamp', 'water pump']);
  t.same(names('requires_context: { domain: light }'), ['hall lamp', 'kitchen lamp']);
  t.same(names('requires_context: { domain: [light, switch] }'), [
    'hall lamp',
    'kitchen lamp',
    'water pump',
  ]);
  t.same(names('requires_context: { floor: }'), ['kitchen lamp'], 'any value');
  t.same(names('requires_context: { floor: { value: 1 } }'), ['kitchen lamp']);
  t.same(names('excludes_context: { domain: light }'), ['just a name', 'water pump']);
  t.throws(
    () => compile(house('requires_context: { area: { slot: true } }')),
    /test\.yaml:7:\d+: left out: 1 sentence \(the first: 6:\d+\), because nothing gives the context "area"/,
  );
  t.throws(
    () => compile(house('requires_context: { area: hall }')),
    /nothing gives the context "area" that they require.*nothing is left of TurnOn/,
  );
  t.throws(
    () => compile(house('requires_context: { domain: cover }')),
    /no value of \{name\} has the context that they ask for \(domain cover\)/,
  );
});

void t.test('nested rules, local lists and rules, punctuation, glued parts', async (t) => {
  const g = compile(`
intents:
  Light:
    data:
      - sentences: ["<turn> {what}, please!", "what's {what}'s state?"]
        lists: { what: { values: ["lamp[s]", "R(2|3)", "5 kg"] } }
        expansion_rules: { state: "(on|off)" }
expansion_rules:
  turn: "(turn|switch|<get> going) <state>"
  state: "over"
  get: "get [it]"
`);
  t.ok(texts(g).includes('get it going off lamps please'), 'the inner rule wins');
  t.equal(meaningOf(g, 'Switch on R3, please')?.slots.what, 'r three');
  t.equal(meaningOf(g, 'switch on 5kg please')?.slots.what, '5 kg');
  t.equal(meaningOf(g, 'switch on R4 please'), null);
});

void t.test('a text is read as the grammar allows it', async (t) => {
  const g = compile(`
intents:
  Go: { data: [{ sentences: ["go to {n}", "call {code}", "at {when}", "set {deg} °C"] }] }
lists:
  n: { range: { from: 0, to: 5000 } }
  code: { digits: { min: 3, max: 4 } }
  when: { time: {} }
  deg: { range: { from: 0, to: 90, fractions: halves } }
skip_words: [please]
`);
  t.equal(meaningOf(g, 'go to 1,250')?.slots.n, 1250);
  t.equal(meaningOf(g, 'please go to 1500')?.slots.n, 1500);
  t.equal(meaningOf(g, 'Call 0042')?.slots.code, '0042');
  t.equal(meaningOf(g, 'call 105')?.slots.code, '105');
  t.equal(meaningOf(g, 'at 3:15pm')?.slots.when, '15:15');
  t.equal(meaningOf(g, 'set 21.5 °C')?.slots.deg, 21.5);
  t.equal(meaningOf(g, 'set twenty one and a half degrees')?.slots.deg, 21.5);
  t.equal(meaningOf(g, 'go to 6000'), null);
});

void t.test(
  'JSGF: weights are ignored, tags make slots, the rest is refused by name',
  async (t) => {
    const g = compile(
      '#JSGF V1.0;\ngrammar x;\npublic <move> = (/2/ go | /1/ drive) (R2 {robot} | PLC 12 {robot=plc}) [3rd {lane=3}];\n',
      'x.gram',
    );
    t.same(meaningOf(g, 'drive PLC 12 third')?.slots, { robot: 'plc', lane: 3 });
    t.same(meaningOf(g, 'go R2')?.slots, { robot: 'r two' });
    t.same(meaningOf(g, 'go PLC 12')?.said, { robot: 'twelve' });
    try {
      compile('#JSGF V1.0;\ngrammar x;\nimport <a.b>;\npublic <m> = go+ (left;\n', 'x.gram');
      t.fail('refused');
    } catch (error) {
      t.match((error as Error).message, /x\.gram:3:1: import <a\.b>: imports are not read/);
      t.match((error as Error).message, /x\.gram:4:\d+: "\*" and "\+" repeat without end/);
      t.match((error as Error).message, /x\.gram:4:\d+: "\(" is never closed/);
    }
  },
);
