import t from 'tap';
import { integerWays } from '../../../src/recognizer/grammar/written-numbers.js';
import { randomFrom } from '../../../src/measure/evaluate/statistics.js';
import { compileGrammar, type GrammarDetails } from '../../../src/recognizer/index.js';
import { enumerateSentences } from '../../../src/recognizer/grammar/index.js';
import {
  readNumber,
  spokenNumber,
  spokenOrdinal,
  type NumberStyle,
} from '../../../src/recognizer/grammar/numbers.js';
import { articleBelow } from '../../../src/recognizer/grammar/spoken-lists.js';
import { fullLexicon } from '../../sim/tiny-checkpoint.js';

const lexicon = fullLexicon();
const compile = (list: string, sentence = '{n}') =>
  compileGrammar(
    `intents: { A: { data: [{ sentences: ["${sentence}"] }] } }\nlists: { n: ${list} }`,
    {
      file: 'test.yaml',
      lexicon,
    },
  );
const meaningOf = (g: GrammarDetails, text: string) =>
  g.interpret(text.split(' ').map((w) => g.graph.words.indexOf(w)));
const sentencesOf = (g: GrammarDetails) =>
  [...enumerateSentences(g, 1_000_000)].map((ids) => ids.map((w) => g.graph.words[w]).join(' '));

/** The obvious form: every value of a range with every way to say it. */
function listed(
  from: number,
  to: number,
  step: number,
  style: NumberStyle = {},
): Map<string, number> {
  const all = new Map<string, number>();
  for (let i = 0; from + i * step <= to + 1e-9; i++) {
    const value = Number((from + i * step).toFixed(6));
    for (const way of spokenNumber(value, style)) all.set(way, value);
  }
  return all;
}

void t.test(
  'a range says exactly its numbers: compared with all of them written out',
  async (t) => {
    for (const [from, to, step, pairs] of [
      [0, 120, 1],
      [1, 1, 1],
      [0, 0, 1],
      [-25, 130, 5],
      [7, 2000, 7],
      [95, 3012, 1],
      [993, 12_007, 13],
      [98_765, 101_234, 1],
      [999_000, 1_001_100, 100],
      [0, 999, 1, true],
      [145, 730, 5, true],
      [0, 799, 1],
      [0, 3, 0.25],
      [-1.5, 12.5, 0.5],
      [99, 101, 0.1],
      [0.005, 0.25, 0.005],
      [2.2, 9.9, 1.1],
      [-2, 2, 0.25],
      [1900, 2100, 1],
      [1000, 9999, 1],
      [1005, 9000, 15],
      [0, 3000, 1, true],
      [400_000, 600_000, 50_000],
    ] as const) {
      const article = Math.max(Math.abs(from), Math.abs(to)) < articleBelow;
      const style = { article, pairs: pairs === true || (from >= 1000 && to <= 9999) };
      const g = compile(
        `{ range: { from: ${from}, to: ${to}, step: ${step}, pairs: ${pairs === true} } }`,
      );
      const wanted = listed(from, to, step, style);
      const name = `${from} to ${to} by ${step}`;
      const got = sentencesOf(g);
      t.same(got.sort(), [...wanted.keys()].sort(), name);
      t.equal(g.sentences, wanted.size, `${name}: counted`);
      const wrong = got.filter((text) => meaningOf(g, text).slots.n !== wanted.get(text));
      t.same(wrong, [], `${name}: emitted as numbers`);
    }
  },
);

void t.test('a million numbers are a small automaton, and every one comes back', async (t) => {
  const g = compile('{ range: { from: 0, to: 1000000 } }', 'set counter to {n}');
  t.ok(g.sentences > 1_000_001, `${g.sentences} sentences`);
  t.ok(g.graph.arcUnit.length < 10_000, `${g.graph.arcUnit.length} phones`);
  const random = randomFrom(11);
  const wrong: string[] = [];
  const check = (of: GrammarDetails, value: number, before = '') => {
    for (const way of spokenNumber(value, { article: false })) {
      const { slots, said } = meaningOf(of, before + way);
      if (slots.n !== value || said.n !== way) wrong.push(`${way}: ${String(slots.n)}`);
    }
  };
  for (let i = 0; i < 500; i++) check(g, Math.floor(random() ** 3 * 1_000_001), 'set counter to ');
  t.same(wrong, []);
  const stepped = compile('{ range: { from: -999999950, to: 999999950, step: 25 } }');
  t.ok(stepped.graph.arcUnit.length < 20_000, `${stepped.graph.arcUnit.length} phones`);
  for (let i = 0; i < 100; i++) {
    const value = -999_999_950 + 25 * Math.floor(random() * 79_999_997);
    check(stepped, value);
    if (i < 5)
      t.throws(() => meaningOf(stepped, spokenNumber(value + 1)[0] ?? ''), 'nothing between');
  }
  t.same(wrong, []);
});

void t.test('words and numbers, there and back', async (t) => {
  const random = randomFrom(5);
  for (let i = 0; i < 3000; i++) {
    const whole = Math.floor(random() ** 4 * 1e9);
    const value =
      (random() < 0.3 ? -1 : 1) * Number((whole / 10 ** Math.floor(random() * 4)).toFixed(3));
    for (const way of spokenNumber(value, { pairs: true })) {
      const back = readNumber(way.split(' '));
      if (back !== value) t.equal(back, value, way);
    }
  }
  t.same(spokenNumber(1500), [
    'one thousand five hundred',
    'fifteen hundred',
    'a thousand five hundred',
  ]);
  t.same(spokenNumber(0.05).slice(0, 3), [
    'zero point zero five',
    'zero point oh five',
    'point zero five',
  ]);
  t.ok(spokenNumber(0.5).includes('point five') && spokenNumber(0.5).includes('half'));
  t.same(spokenNumber(105), [
    'one hundred five',
    'one hundred and five',
    'a hundred five',
    'a hundred and five',
  ]);
  t.equal(readNumber(['left']), undefined);
  t.equal(readNumber([]), undefined);
  t.equal(readNumber(['point', 'left']), undefined);
});

void t.test('digit strings keep their zeros', async (t) => {
  const g = compile('{ digits: { min: 2, max: 4 } }', 'enter code {n:code}');
  // One digit in 11 ways, two or three equal ones after "double" or "triple".
  const codes = [1];
  for (let n = 1; n <= 4; n++)
    codes.push(11 * ((codes[n - 1] ?? 0) + (codes[n - 2] ?? 0) + (codes[n - 3] ?? 0)));
  t.equal(g.sentences, (codes[2] ?? 0) + (codes[3] ?? 0) + (codes[4] ?? 0));
  for (const [said, code] of [
    ['double oh seven', '007'],
    ['triple five', '555'],
    ['double five double zero', '5500'],
    ['one double two', '122'],
    ['two two double two', '2222'],
  ] as const)
    t.same(meaningOf(g, `enter code ${said}`).slots, { code }, said);
  t.throws(() => meaningOf(g, 'enter code double double five'));
  t.throws(() => meaningOf(g, 'enter code five double'));
  t.throws(() => meaningOf(g, 'enter code double triple'));
  t.same(meaningOf(g, 'enter code zero oh four two').slots, { code: '0042' });
  t.same(meaningOf(g, 'enter code zero oh four two').said, { code: 'zero oh four two' });
  t.throws(() => meaningOf(g, 'enter code five'));
  t.equal(compile('{ digits: 3 }').sentences, codes[3]);
});

void t.test('ordinals', async (t) => {
  const g = compile('{ ordinal: { from: 1, to: 120 } }', 'the {n} floor');
  for (let n = 1; n <= 120; n++) {
    for (const way of spokenOrdinal(n)) t.equal(meaningOf(g, `the ${way} floor`).slots.n, n, way);
  }
  t.same(spokenOrdinal(22), ['twenty second']);
  t.same(spokenOrdinal(112)[0], 'one hundred twelfth');
  t.same(spokenOrdinal(40), ['fortieth']);
});

void t.test('times of day', async (t) => {
  const g = compile('{ time: {} }', 'start at {n}');
  const at = (text: string) => meaningOf(g, `start at ${text}`).slots.n;
  for (const [said, value] of [
    ['half past three', '03:30'],
    ['three fifteen pm', '15:15'],
    ['three fifteen in the afternoon', '15:15'],
    ['fifteen hundred', '15:00'],
    ['oh eight hundred hours', '08:00'],
    ["six o'clock", '06:00'],
    ['quarter to one am', '00:45'],
    ['a quarter past twelve', '12:15'],
    ['twelve thirty am', '00:30'],
    ['ten to nine pm', '20:50'],
    ['seventeen minutes past two', '02:17'],
    ['noon', '12:00'],
    ['midnight', '00:00'],
    ['twenty two oh five', '22:05'],
    ['three oh five', '03:05'],
    ['quarter after two', '02:15'],
    ['a quarter of eight', '07:45'],
    ['ten of eight', '07:50'],
    ['twenty after nine at night', '21:20'],
    ['quarter till six pm', '17:45'],
    ['five minutes after noon', undefined],
    ['fifteen fifteen hours', '15:15'],
  ] as const)
    if (value === undefined) t.throws(() => at(said), said);
    else t.equal(at(said), value, said);
  const values = new Set(sentencesOf(g).map((text) => meaningOf(g, text).slots.n));
  t.equal(values.size, 1440, 'every minute can be said');
  t.ok(g.graph.arcUnit.length < 20_000, `${g.graph.arcUnit.length} phones`);

  const shift = compile('{ time: { from: "08:00", to: "19:00", step: 15 } }');
  t.equal(meaningOf(shift, 'three fifteen').slots.n, '15:15', 'the time of the window');
  t.equal(meaningOf(shift, 'eight').slots.n, '08:00');
  t.throws(() => meaningOf(shift, 'three ten'));
  const night = compile('{ time: { from: "22:00", to: "02:00", step: 30 } }');
  t.equal(meaningOf(night, 'twelve thirty').slots.n, '00:30', 'a window over midnight');
});

void t.test('units of measure', async (t) => {
  const one = compile('{ range: { from: 0, to: 20, step: 0.5, unit: mm } }', 'move {n}');
  t.equal(meaningOf(one, 'move two point five millimeters').slots.n, 2.5);
  t.equal(meaningOf(one, 'move one millimeter').slots.n, 1);
  t.throws(() => meaningOf(one, 'move one'), 'the unit must be said');
  const some = compile('{ range: { from: 0, to: 20, units: { mm: 1, cm: 10, meters: 1000 } } }');
  t.equal(meaningOf(some, 'seven centimeters').slots.n, 70);
  t.equal(meaningOf(some, 'two meters').slots.n, 2000);
  t.same(meaningOf(some, 'two meters').said, { n: 'two meters' });
  const tenths = compile('{ range: { from: 0, to: 9, multiplier: 0.1 } }');
  t.equal(meaningOf(tenths, 'seven').slots.n, 0.7, 'no 0.7000000000000001');
});

void t.test('parts of a unit, where what comes out is a step', async (t) => {
  const g = compile('{ range: { from: 0, to: 300, units: { ml: 1, l: 1000, hour: 60 } } }');
  for (const [said, value] of [
    ['half a liter', 500],
    ['a quarter of a liter', 250],
    ['three quarters of a liter', 750],
    ['one and a half liters', 1500],
    ['two and a quarter liters', 2250],
    ['half an hour', 30],
    ['one and three quarters hour', 105],
    ['two hundred fifty milliliters', 250],
  ] as const)
    t.equal(meaningOf(g, said).slots.n, value, said);
  for (const said of [
    'half a milliliter',
    'one and a half milliliters',
    'half an liter',
    'half liter',
  ])
    t.throws(() => meaningOf(g, said), said);
  const one = compile('{ range: { from: 0, to: 9, step: 0.5, unit: mm } }');
  t.equal(meaningOf(one, 'half a millimeter').slots.n, 0.5);
  t.equal(meaningOf(one, 'two and a half millimeters').slots.n, 2.5);
  t.throws(() => meaningOf(one, 'a quarter of a millimeter'));
});

void t.test(
  'labels: written numbers and times mean what is written, or are not allowed',
  async (t) => {
    const read = (g: GrammarDetails, text: string) => {
      const ids = g.read(text);
      return ids === null ? null : g.interpret(ids).slots.n;
    };
    const day = compile('{ time: {} }', 'start at {n}');
    const early = compile('{ time: { from: "01:00", to: "05:00" } }', 'start at {n}');
    const shift = compile('{ time: { from: "08:00", to: "19:00", step: 15 } }', 'start at {n}');
    for (const [text, onDay, inShift, inNight] of [
      ['15:15', '15:15', '15:15', null],
      ['03:15', '03:15', null, '03:15'],
      ['3:15', '03:15', '15:15', '03:15'],
      ['3:15 pm', '15:15', '15:15', null],
      ['3:15 p.m.', '15:15', '15:15', null],
      ['03:15 PM', '15:15', '15:15', null],
      ['3:15pm', '15:15', '15:15', null],
      ['03:15am', '03:15', null, '03:15'],
      ['00:30', '00:30', null, null],
      ['0:00', '00:00', null, null],
      ['12:00', '12:00', '12:00', null],
      ['17:00', '17:00', '17:00', null],
      ['5 pm', '17:00', '17:00', null],
      ["5 o'clock", '05:00', '17:00', '05:00'],
      ['23:59', '23:59', null, null],
      ['25:00', null, null, null],
    ] as const) {
      t.equal(read(day, `start at ${text}`), onDay, text);
      t.equal(read(shift, `start at ${text}`), inShift, `${text}, 08:00 to 19:00`);
      t.equal(read(early, `start at ${text}`), inNight, `${text}, 01:00 to 05:00`);
    }
    // Every minute, as a clock of 24 hours writes it.
    for (let minute = 0; minute < 1440; minute++) {
      const text = `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`;
      const got = read(day, `start at ${text}`);
      if (got !== text) t.equal(got, text);
    }
    for (const [list, text, value] of [
      ['{ range: { from: 0, to: 1000000 } }', '1,000', 1000],
      ['{ range: { from: 0, to: 1000000 } }', "1'000", 1000],
      ['{ range: { from: 0, to: 1000000 } }', '2026', 2026],
      ['{ range: { from: -20, to: 20 } }', '−5', -5],
      ['{ range: { from: 0, to: 5, step: 0.25 } }', '2.50', 2.5],
      ['{ range: { from: 0, to: 5, step: 0.25 } }', '1,25', 1.25],
      ['{ range: { from: 0, to: 5, step: 0.25 } }', '1 1/4', 1.25],
      ['{ range: { from: 0, to: 5, step: 0.25 } }', '½', 0.5],
      ['{ digits: { min: 2, max: 5 } }', '007', '007'],
      ['{ digits: { min: 2, max: 5 } }', '42', '42'],
      ['{ ordinal: { from: 1, to: 31 } }', '22nd', 22],
      ['{ range: { from: 0, to: 300, units: { ml: 1, l: 1000 } } }', '250 ml', 250],
      ['{ range: { from: 0, to: 300, units: { ml: 1, l: 1000 } } }', '½ l', 500],
    ] as const)
      t.equal(read(compile(list, 'take {n}'), `take ${text}`), value, text);
  },
);

void t.test('lists that cannot be are refused by name', async (t) => {
  const refused = (list: string, what: RegExp) => t.throws(() => compile(list), what, list);
  refused('{ range: { from: 5, to: 1 } }', /list n: expected from <= to/);
  refused('{ range: { from: 0, to: 1, step: 0.0001 } }', /more than 3 digits after the point/);
  refused('{ range: { from: 0, to: x } }', /list n: to is no number/);
  refused('{ range: { from: 0, to: 1, words: 2 } }', /list n: words: expected true or false/);
  refused('{ range: { from: 0, to: 1, worth: 2 } }', /unknown key "worth"/);
  refused('{ range: { from: 0, to: 1, digits: false, words: false } }', /no number is left/);
  refused('{ range: { from: 0, to: 1, type: colour } }', /type: expected number, percentage/);
  refused('{ range: { from: 0, to: 1, unit: "§" } }', /"§" is no unit/);
  refused('{ range: { from: 0, to: 1, units: { mm: x } } }', /what one "mm" is worth/);
  refused('{ digits: 40 }', /list n: expected digits/);
  refused('{ digits: { min: 4, max: 2 } }', /list n: expected digits/);
  refused('{ ordinal: { to: 0 } }', /list n: expected ordinal/);
  refused('{ time: { from: "25:00" } }', /expected a time such as "06:30"/);
  refused('{ time: 3, digits: 2 }', /list n: expected one of/);
  refused('{ numbers: 3 }', /unknown key "numbers"/);
});

void t.test('a code of hundreds of digits is read digit by digit, at once', async (t) => {
  // The ways doubled with each repeat: this one would have had more than 2^40.
  const code = '11223344556677'.repeat(20);
  const digits = 'one one two two three three four four five five six six seven seven';
  t.same(integerWays(`${code}111`), [`${Array(20).fill(digits).join(' ')} one one one`]);
  t.ok(integerWays('0011').includes('double zero double one'), 'short ones as before');
});
