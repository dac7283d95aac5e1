import t from 'tap';
import { randomFrom } from '../../../src/measure/evaluate/statistics.js';
import {
  compileGrammar,
  confusableDistance,
  enumerateSentences,
  findConfusable,
  type GrammarDetails,
} from '../../../src/recognizer/index.js';
import { phoneCosts, phoneDistance } from '../../../src/recognizer/lexicon/index.js';
import { fullLexicon, units } from '../../sim/tiny-checkpoint.js';

const lexicon = fullLexicon();
const costs = phoneCosts(units);
const compile = (source: string) => compileGrammar(source, { file: 'test.yaml', lexicon });
const intents = (sentences: Readonly<Record<string, string>>) =>
  compile(
    JSON.stringify({
      intents: Object.fromEntries(
        Object.entries(sentences).map(([name, s]) => [name, { data: [{ sentences: [s] }] }]),
      ),
    }),
  );
const nearOf = (g: GrammarDetails) =>
  findConfusable(g, units).pairs.map((p) => [...p.words].sort().join('/'));

void t.test('the pairs that people mix up are warned of, and others are not', async (t) => {
  for (const [one, other] of [
    ['on', 'off'],
    ['start', 'stop'],
    ['fifteen', 'fifty'],
    ['thirteen', 'thirty'],
    ['lock', 'unlock'],
    ['increase', 'decrease'],
    ['one', 'nine'],
  ] as const) {
    const { pairs, complete } = findConfusable(
      intents({ A: `please ${one} the line`, B: `please ${other} the line` }),
      units,
    );
    t.ok(complete);
    t.same(
      pairs.map((p) => [...p.words].sort()),
      [[one, other].sort()],
      `${one}/${other}`,
    );
    t.ok((pairs[0]?.distance ?? 9) <= confusableDistance);
    t.same([...(pairs[0]?.intents ?? [])].sort(), ['A', 'B']);
    t.same(
      [...(pairs[0]?.sentences ?? [])].sort(),
      [`please ${one} the line`, `please ${other} the line`].sort(),
    );
  }
  for (const [one, other] of [
    ['up', 'down'],
    ['open', 'close'],
    ['red', 'blue'],
    ['left', 'right'],
    ['kitchen', 'office'],
    ['start', 'emergency'],
  ] as const)
    t.same(nearOf(intents({ A: `go ${one}`, B: `go ${other}` })), [], `${one}/${other}`);
});

void t.test('only where the meaning differs', async (t) => {
  t.same(nearOf(intents({ A: 'turn (on|off) the light' })), [], 'two words for one thing');
  t.same(nearOf(intents({ A: 'go [to] [two] stop' })), []);
  const g = compile(`
intents:
  Set: { data: [{ sentences: ["set [the] speed to {n} [percent]"] }] }
lists: { n: { range: { from: 0, to: 100 } } }
`);
  const near = nearOf(g);
  t.ok(near.includes('fifteen/fifty') && near.includes('sixteen/sixty'), near.join(' '));
  t.notOk(near.includes('/the'), 'an optional word changes nothing');
  t.equal(near.length, new Set(near).size, 'each pair once');
  t.same(nearOf(intents({ A: 'stop', B: 'stop it' })).length, 1, 'one sentence may go on');
  t.same(nearOf(intents({ A: 'take two', B: 'take too' })), ['too/two'], 'the same sound');
});

void t.test('agrees with comparing all sentences phone by phone', async (t) => {
  const words = 'start stop the a on off fan van line nine one two to lamp ramp'.split(' ');
  const random = randomFrom(7);
  const phrase = () =>
    Array.from(
      { length: 1 + Math.floor(random() * 3) },
      () => words[Math.floor(random() * words.length)],
    ).join(' ');
  for (let round = 0; round < 30; round++) {
    const g = intents(Object.fromEntries('ABCDEF'.split('').map((name) => [name, phrase()])));
    const sentences = [...enumerateSentences(g, 100)];
    const sounds = (ids: readonly number[]) =>
      ids.reduce<number[][]>(
        (heads, w) =>
          heads.flatMap((h) =>
            (g.pronunciations.get(g.graph.words[w] ?? '') ?? []).map((p) => [...h, ...p.phones]),
          ),
        [[]],
      );
    const distance = (a: readonly number[], b: readonly number[]) =>
      Math.min(...sounds(a).flatMap((x) => sounds(b).map((y) => phoneDistance(x, y, costs))));
    const all = new Map<string, number>();
    const text = (ids: readonly number[]) => ids.map((w) => g.graph.words[w]).join(' ');
    for (const a of sentences)
      for (const b of sentences)
        if (g.interpret(a).key < g.interpret(b).key)
          all.set([text(a), text(b)].sort().join(' / '), distance(a, b));
    const { pairs } = findConfusable(g, units);
    const found = new Map(pairs.map((p) => [[...p.sentences].sort().join(' / '), p.distance]));
    for (const [pair, d] of found)
      t.ok(Math.abs((all.get(pair) ?? 9) - d) < 1e-3, `${pair}: ${d}, ${all.get(pair) ?? NaN}`);
    const least = Math.min(...all.values());
    if (least <= confusableDistance)
      t.ok(Math.abs(Math.min(...found.values()) - least) < 1e-3, 'the nearest pair is found');
    else t.equal(found.size, 0);
  }
});

void t.test('thousands of sentences, and a bound that is said', async (t) => {
  const random = randomFrom(1);
  const words =
    'red blue go left right stop start light hall kitchen door lamp motor fan pump'.split(' ');
  const list = Array.from({ length: 4000 }, () =>
    Array.from({ length: 5 }, () => words[Math.floor(random() * words.length)]).join(' '),
  );
  const g = compile(
    JSON.stringify({
      intents: { A: { data: [{ sentences: ['do {x}'] }] } },
      lists: { x: { values: list } },
    }),
  );
  const { pairs, complete } = findConfusable(g, units, { pairsMax: 20 });
  t.notOk(complete, 'more than 20');
  t.equal(pairs.length, 20);
  t.notOk(findConfusable(g, units, { workMax: 1000 }).complete);
});

void t.test('costs: a distance is symmetric, nought only for the same', async (t) => {
  const id = (name: string) => units.indexOf(name);
  const d = (a: string, b: string) =>
    phoneDistance(a.split(' ').map(id), b.split(' ').map(id), costs);
  for (const a of units.slice(1)) {
    for (const b of units.slice(1)) {
      const [there, back] = [d(a, b), d(b, a)];
      if (there !== back || (there === 0) !== (a === b) || there > 2)
        t.fail(`${a} ${b} ${there} ${back}`);
    }
  }
  t.ok(d('M', 'N') < d('N', 'T'), 'place is mistaken before nasality');
  t.ok(d('IY', 'IH') < d('IY', 'AA'));
  t.ok(d('L', 'R') < d('L', 'S'));
});
