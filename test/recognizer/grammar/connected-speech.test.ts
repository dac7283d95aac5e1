import t from 'tap';
import { randomFrom } from '../../../src/measure/evaluate/statistics.js';
import { compileGrammar, connectedForms, Lexicon } from '../../../src/recognizer/index.js';
import { pathsOf } from '../../../src/recognizer/search/align.js';
import { fullLexicon, units } from '../../sim/tiny-checkpoint.js';

const lexicon = fullLexicon();
const named = (phones: readonly number[]) => phones.map((u) => units[u]).join(' ');
const forms = (word: string, from: Lexicon = lexicon) =>
  new Map(
    connectedForms(word, from.lookup(word), units).map((p) => [named(p.phones), p.form ?? '']),
  );

void t.test('each rule makes its form', async (t) => {
  for (const [word, phones, rule] of [
    ['triple', 'T ER P AH L', 'r-colouring'],
    ['triple', 'CH R IH P AH L', 'affrication'],
    ['drip', 'JH R IH P', 'affrication'],
    ['triple', 'T R IH P OW', 'l-vocalisation'],
    ['triple', 'T R IH P L', 'syllabic consonant'],
    ['button', 'B AH T N', 'syllabic consonant'],
    ['kitchen', 'K AH CH AH N', 'weak vowel'],
    ['roast', 'R OW S', 'cluster reduction'],
    ['counts', 'K AW N S', 'cluster reduction'],
    ['water', 'W AO D ER', 'tapping'],
    ['valves', 'V AE L V S', 'devoicing'],
    ['five', 'F AY F', 'devoicing'],
    ['gauge', 'G EY CH', 'devoicing'],
    ['the', 'D AH', 'stopping'],
    ['off', 'AA F', 'low back merger'],
    ['and', 'AH N', 'weak form'],
    ['have', 'AE V', 'weak form'],
  ] as const)
    t.equal(forms(word).get(phones), rule, `${word}: ${phones}`);
});

void t.test('what no rule touches stays as it is', async (t) => {
  for (const word of ['stop', 'lamp', 'up', 'go']) t.equal(forms(word).size, 0, word);
  // A stressed vowel of a short word is no weak one, R after a vowel is no colour, T at the start no tap.
  t.notOk(forms('fix').has('F AH K S'));
  t.notOk(forms('ten').has('D EH N'));
  t.notOk(forms('start').has('ER'));
  t.equal(connectedForms('tv', lexicon.spell('tv'), units).length, 0, 'letters are said with care');
});

void t.test('what every object of JavaScript has is a word like others', async (t) => {
  for (const word of ['constructor', 'valueof'])
    t.ok(connectedForms(word, lexicon.lookup('triple'), units).length > 0, word);
});

void t.test('bounded, without doubles, and never a form that the lexicon has', async (t) => {
  const words = 'internationalization,trinidad,particularly,twenty,sweetener,espresso,and,with';
  for (const word of words.split(',')) {
    const listed = lexicon.lookup(word).map((p) => p.phones.join());
    const made = connectedForms(word, lexicon.lookup(word), units);
    t.ok(made.length <= 8, word);
    const all = [...listed, ...made.map((p) => p.phones.join())];
    t.equal(new Set(all).size, all.length, word);
    t.ok(made.every((p) => p.phones.length > 0 && p.phones.every((u) => u > 0)));
  }
});

void t.test("a site's own word has forms, but no weak one", async (t) => {
  const own = lexicon.withUserWords(
    new Map([['and', [['AE', 'N', 'D'].map((p) => units.indexOf(p))]]]),
  );
  t.same([...forms('and', own).keys()], ['AE N'], 'cluster reduction alone');
});

const compiled = (...sentences: string[]) =>
  compileGrammar(JSON.stringify({ intents: { A: { data: [{ sentences }] } } }), {
    file: 'forms',
    lexicon,
  });
const heardAs = (g: ReturnType<typeof compiled>, word: string) =>
  g.phonesOf(g.graph.words.indexOf(word)).map(named);

void t.test('the graph holds them, and what the lexicon says is told apart', async (t) => {
  const g = compiled('a triple roast');
  const id = g.graph.words.indexOf('triple');
  const begin = pathsOf(g.graph, 0)[0]?.target ?? 0;
  const paths = pathsOf(g.graph, begin).filter((p) => p.word === id);
  t.same(new Set(paths.map((p) => named(p.phones))), new Set(heardAs(g, 'triple')));
  t.ok(heardAs(g, 'triple').includes('T ER P AH L'));
  t.same(
    g.pronunciations.get('triple')?.map((p) => named(p.phones)),
    ['T R IH P AH L'],
  );
  t.ok(g.forms.get('triple')?.some((p) => p.form === 'r-colouring'));
});

void t.test('no form makes two words alike where both may be said', async (t) => {
  const apart = compiled('the door is (close|closed)');
  t.notOk(heardAs(apart, 'closed').includes('K L OW Z'), 'which is "close"');
  t.ok(heardAs(compiled('the door is closed'), 'closed').includes('K L OW Z'), 'where it is alone');
  const shared = compiled('(send|sent) it');
  t.notOk(heardAs(shared, 'send').includes('S EH N'), "neither's");
  t.notOk(heardAs(shared, 'sent').includes('S EH N'));
  for (const g of [apart, shared, compiled('(seat|seed|seeds|ceased|sees) [and|an] (a|of) it')]) {
    for (const [word, listed] of g.pronunciations) {
      const own = heardAs(g, word).filter((p) => !listed.some((l) => named(l.phones) === p));
      for (const state of g.dfa.edges.keys()) {
        const here = pathsOf(g.graph, state);
        if (!here.some((p) => g.graph.words[p.word] === word)) continue;
        for (const { word: other, phones } of here)
          if (g.graph.words[other] !== word)
            t.notOk(own.includes(named(phones)), `${word} as ${named(phones)}`);
      }
    }
  }
});

void t.test('a large graph has none', async (t) => {
  const random = randomFrom(1);
  const words = ['triple', 'roast', 'kitchen', 'button', 'conveyor', 'percent', 'water', 'table'];
  const pick = () => words[Math.floor(random() * words.length)] ?? '';
  const many = (count: number) =>
    compiled(...Array.from({ length: count }, () => Array.from({ length: 12 }, pick).join(' ')));
  t.ok(heardAs(many(10), 'triple').length > 1);
  const large = many(15_000);
  t.ok(large.graph.arcUnit.length > 150_000);
  t.same(heardAs(large, 'triple'), ['T R IH P AH L']);
  t.same(large.forms.get('triple'), []);
});
