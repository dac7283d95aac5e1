/** The automaton of a grammar's sentences: how it grows, what it refuses and where, what stands for a word. */
import t from 'tap';
import { interpretWords } from '../../../src/recognizer/grammar/interpret.js';
import { buildNfa, type Nfa } from '../../../src/recognizer/grammar/nfa.js';
import { GrammarTooLarge } from '../../../src/recognizer/grammar/states.js';
import type { Fault, Tree } from '../../../src/recognizer/grammar/tree.js';
import { parseYamlGrammar } from '../../../src/recognizer/grammar/yaml.js';
import {
  meaningIn,
  readTemplate,
  sentencesOf,
  templateSentences as sentences,
} from '../../sim/templates.js';

const read = (source: string): { nfa: Nfa; faults: readonly Fault[] } => {
  const { grammar, faults } = parseYamlGrammar(source);
  return { nfa: buildNfa(grammar, faults), faults };
};
const states = (template: string, more?: object) => readTemplate(template, more).nfa.edges.length;
/** How many transitions say the word. */
const times = (nfa: Nfa, word: string) =>
  nfa.edges.flat().filter((edge) => nfa.words[edge.word] === word).length;
const numbers = { lists: { n: { range: { from: 2, to: 3 } }, m: { range: { from: 2, to: 3 } } } };

void t.test('states grow with what is written, not with the ways to say it', async (t) => {
  for (const [what, piece] of [
    ['optional words', ' [x]'],
    ['alternatives', ' (x|y|z)'],
    ['endings', ' x[s]'],
    ['optional spaces', '[ x]'],
    ['lists', ' {a}'],
    ['a number of its own', ' {n}'],
    ['permutations', ' (x;y)'],
    ['what may be said of a unit', ' 5[%]'],
  ] as const) {
    const of = (count: number) =>
      states(`go${piece.repeat(count)}`, {
        lists: { a: { values: ['lamp', 'big door', 'bay[s]'] }, ...numbers.lists },
      });
    t.equal(of(6) - of(4), of(4) - of(2), what);
  }
});

void t.test('a word more is a state more', async (t) => {
  // Start, end, intent, beginning of the sentence, its end; and one for each word.
  t.equal(states('go'), 5 + 1);
  t.equal(states('go to the hall now'), 5 + 5);
  // Two beginnings, the word, and where two fronts meet.
  t.equal(states('go (left|right) now'), 5 + 2 + 2 + 2 + 1);
  // A slot: its two marks. One that begins inside of a word may be refused there, so it branches off.
  const lists = { a: { values: ['lamp'] }, g: { values: ['g'] }, ...numbers.lists };
  t.equal(states('{a}', { lists }), 5 + 1 + 2);
  t.equal(states('x{a}', { lists }), 5 + 1 + 2 + 1);
  // Two orders of two words, a branch for each, and where they meet.
  t.equal(states('(a;b)'), 5 + 4 + 4 + 1);
  // The dollars that are owed are said once, before the slot.
  t.equal(states('${n}k{g}', { lists }), 18);
});

void t.test('what is written alike is there once', async (t) => {
  for (const [template, word, count] of [
    ['(x|x)(y|z)', 'xy', 1],
    ['(x|x)(y|y)', 'xy', 1],
    ['(x|X)y', 'xy', 2], // capitals may be read as letters
    ['[x][x] y', 'y', 1],
    ['go [x] [y] now', 'now', 1],
    ['{n}[ ](kg|kg) now', 'now', 1],
    ['{x:a}y', 'redy', 1],
    ['(a;b) now', 'now', 1],
  ] as const)
    t.equal(
      times(
        readTemplate(template, { lists: { ...numbers.lists, x: { values: ['red'] } } }).nfa,
        word,
      ),
      count,
      template,
    );
});

void t.test('a unit behind a number, with or without a space', async (t) => {
  const kilograms = ['three kilograms', 'two kilograms'];
  for (const [template, ...all] of [
    ['{n} kg', ...kilograms],
    ['{n}kg', ...kilograms],
    ['{n}[ ]kg', ...kilograms],
    ['{n} kg now', 'three kilograms now', 'two kilograms now'],
    ['{n} x kg', 'three x kg', 'two x kg'],
    ['2 kg', 'two kilograms'],
    ['{five} kg', 'five kilograms'],
    ['five kg', 'five kg'],
    ['{six}ty kg', 'sixty kg'],
    ['{n} {m}', 'three three', 'three two', 'two three', 'two two'],
    ['{n} th', 'three th', 'two th'],
    ['(2;kg)', 'kg two', 'two kilograms'],
    ['£{n} now', 'three pounds now', 'two pounds now'],
    ['£{n}', 'three pounds', 'two pounds'],
  ] as const) {
    const said = sentences(template, {
      lists: { ...numbers.lists, five: { values: ['five'] }, six: { values: ['six'] } },
    });
    for (const one of all) t.ok(said.includes(one), `${template}: ${one}, of ${said.join(', ')}`);
    if (template.endsWith('{m}') || /^five|ty/.test(template)) t.same(said, all, template);
  }
});

void t.test(
  'a word that a slot cuts in two: only its first part is behind the number',
  async (t) => {
    const lists = {
      n: { range: { from: 2, to: 2 } },
      c: { values: [{ in: 'c[elsius]', out: 'celsius' }] },
      u: { values: ['kg'] },
      any: { values: ['(red|blue)'] },
    };
    for (const [template, all, slots] of [
      [
        '{n} °{c}',
        ['two degree c', 'two degree celsius', 'two degrees c', 'two degrees celsius'],
        { n: 2, c: 'celsius' },
      ],
      [
        '{n}°{c}',
        ['two degree c', 'two degree celsius', 'two degrees c', 'two degrees celsius'],
        { n: 2, c: 'celsius' },
      ],
      ['{n} k{u}', ['two k kg'], { n: 2, u: 'kg' }],
      ['{n}k{u}', ['two k kg'], { n: 2, u: 'kg' }],
      ['{u}-{n}', ['kg two'], { u: 'kg', n: 2 }],
      [
        '£{n}{any}',
        ['two pound blue', 'two pound red', 'two pounds blue', 'two pounds red'],
        { n: 2, any: 'red' },
      ],
    ] as const) {
      t.same(sentences(template, { lists }), all, template);
      t.same(
        meaningIn(readTemplate(template, { lists }).nfa, all.at(-1) ?? '')?.slots,
        slots,
        template,
      );
    }
  },
);

void t.test('where each word was written first', async (t) => {
  const { nfa, faults } = read(`intents:
  A:
    data:
      - sentences:
          - "go to[ the] hall"
          - "the lamp{room}[s] 5%"
lists:
  room:
    values: [kitchen]
`);
  t.same(faults, []);
  const place = (word: string) => {
    const { line, column } = nfa.places.get(word) ?? {};
    return `${line}:${column}`;
  };
  t.same(['go', 'to', 'the', 'hall', 'lampkitchen', 'lampkitchens', 'five', 'percent'].map(place), [
    '5:14',
    '5:17',
    '5:21',
    '5:26',
    '6:18',
    '6:18',
    '6:32',
    '6:32',
  ]);
});

void t.test('what is not defined is said once, where it is used first', async (t) => {
  const { faults } = read(`intents:
  A:
    data:
      - sentences: ["go {there} <how>", "stop {there}", "turn {there} {area}"]
  B: { data: [{ sentences: ["run <how>", "lie {floor} {name}"] }] }
lists:
  x: { values: [why] }
  y: { values: [who] }
`);
  const house = ' (kikitori grammar import-ha writes it for a house)';
  t.same(
    faults.map(({ line, column, message }) => `${line}:${column} ${message}`),
    [
      '4:25 list {there} is not defined; defined: x, y; 2 more places use it',
      '4:33 rule <how> is not defined; none is defined; 1 more places use it',
      `4:71 list {area} is not defined${house}; defined: x, y`,
      `5:47 list {floor} is not defined${house}; defined: x, y`,
      `5:55 list {name} is not defined${house}; defined: x, y`,
    ],
  );
});

void t.test('a rule that is not defined: those that are', async (t) => {
  const { faults } = readTemplate('go <there>', { expansion_rules: { here: 'x', now: 'y' } });
  t.same(
    faults.map(({ message }) => message),
    ['rule <there> is not defined; defined: here, now'],
  );
});

void t.test('rules that go round: the circle alone, at the rule that closes it', async (t) => {
  const { faults } = read(`intents:
  A: { data: [{ sentences: ["go <a>", "stop <a>"] }] }
expansion_rules:
  a: "left <b>"
  b: "right <c>"
  c: "up <b>"
  d: "<b>"
`);
  t.same(
    faults.map(({ line, column, message }) => `${line}:${column} ${message}`),
    ['6:10 the rules go round in a circle: <b> -> <c> -> <b>'],
  );
  const twice = 'a rule may be used twice, one after the other and inside of another';
  t.same(sentences('<a> <b> <a>', { expansion_rules: { a: 'x', b: '<a> y' } }), ['x x y x'], twice);
});

void t.test('what touches a number and cannot be read: its place, once', async (t) => {
  const { faults } = read(`intents:
  A:
    data:
      - sentences:
          - "go {n}{m}"
          - "the (red|blue) {n}th"
lists:
  n: { range: { from: 2, to: 3 } }
  m: { range: { from: 2, to: 3 } }
`);
  const advice =
    'and cannot be read with it: put a space between, or use another list (digits:, ordinal:, range: with a step)';
  t.same(
    faults.map(({ line, column, message }) => `${line}:${column} ${message}`),
    [`5:20 two numbers touch ${advice}`, `6:32 "th" touches a number ${advice}`],
  );
});

void t.test('six parts in any order, not seven', async (t) => {
  const all = sentences('(a;b;c;d;e;f)');
  t.equal(all.length, 720);
  t.equal(all[0], 'a b c d e f');
  t.throws(
    () => readTemplate('(a;b;c;d;e;f;g)'),
    new GrammarTooLarge('a permutation of 7 parts; at most 6'),
  );
});

void t.test('of two readings the first that is written counts', async (t) => {
  const lists = { a: { values: ['red'] }, b: { values: ['red', { in: 'red', out: 'late' }] } };
  const slots = (template: string, said: string) =>
    meaningIn(readTemplate(template, { lists }).nfa, said)?.slots;
  t.same(slots('({a}|{b})', 'red'), { a: 'red' });
  t.same(slots('({b}|{a})', 'red'), { b: 'red' });
  t.same(slots('(go |){a}[ {b}]', 'red'), { a: 'red' });
  t.same(slots('({b}x|{a}x)', 'redx'), { b: 'red' });
  t.same(slots('({a};{b})', 'red red'), { a: 'red', b: 'red' });
});

void t.test('slots that begin and end inside of a word', async (t) => {
  const lists = {
    a: { values: ['lamp', { in: 'big door', out: 'door' }] },
    id: { values: ['PLC 12', 'R2'] },
    any: { values: ['(red|blue)', '(5|6)%'] },
    rest: { values: ['en'] },
    ...numbers.lists,
  };
  for (const [template, said, slots] of [
    ['un{any}ed now', 'unreded now', { any: 'red' }],
    ['un{any}', 'unblue', { any: 'blue' }],
    ['{any}ed', 'reded', { any: 'red' }],
    ['{any}{any:b}', 'redblue', { any: 'red', b: 'blue' }],
    ['{any} {any:b}', 'five percent red', { any: 'five percent', b: 'red' }],
    ['go{any}', 'gored', { any: 'red' }],
    ['{id} {a}', 'r two lamp', { id: 'R2', a: 'lamp' }],
    ['{id}-{a}', 'r two big door', { id: 'R2', a: 'door' }],
    ['x{a}y', 'xbig doory', { a: 'door' }],
    ['{any}-now', 'red now', { any: 'red' }],
    ['go-{any}-now', 'go red now', { any: 'red' }],
    ['{any}-{any:b}-now', 'red blue now', { any: 'red', b: 'blue' }],
    ['{n}th{rest}', 'two then', { n: 2, rest: 'en' }], // "2th" is nothing, "2then" is
  ] as const)
    t.same(meaningIn(readTemplate(template, { lists }).nfa, said)?.slots, slots, template);
  // A slot that begins where the word ends holds none of its letters.
  const { edges } = readTemplate('un{a}ed{n}', {
    lists: { ...lists, a: { values: ['lamp'] } },
  }).nfa;
  const letters = edges.flat().flatMap(({ mark }) => {
    if (mark?.kind === 'open') return [['open', mark.id, mark.before]];
    return mark?.kind === 'close' ? [['close', mark.id, mark.after]] : [];
  });
  t.same(letters, [
    ['open', 0, 'un'],
    ['close', 0, 'ed'],
    ['open', 1, undefined],
    ['close', 1, undefined],
  ]);
});

void t.test('a slot of the whole sentence is not said by some of its words', async (t) => {
  const { nfa } = read(`intents:
  A: { data: [{ sentences: ["go {a}"], slots: { b: 5 }, lists: { a: { values: [left] } } }] }
`);
  const meaning = meaningIn(nfa, 'go left');
  t.same(meaning?.slots, { a: 'left', b: 5 });
  t.same(meaning?.said, { a: 'left' });
});

void t.test('a sentence needs one of its keywords', async (t) => {
  const { nfa, faults } = read(`intents:
  A:
    data:
      - sentences: ["[please] go (left|right) now"]
        required_keywords: [left, please]
      - sentences: ["stop"]
`);
  t.same(faults, []);
  t.same(sentencesOf(nfa), ['go left now', 'please go left now', 'please go right now', 'stop']);
  t.equal(meaningIn(nfa, 'go right now'), null);
  t.equal(meaningIn(nfa, 'please go right now')?.intent, 'A');
});

void t.test('each sentence is accepted at a state of its own, in file order', async (t) => {
  const { nfa } = read(`intents:
  A: { data: [{ sentences: ["go", "stop"] }] }
  B: { data: [{ sentences: ["[now] run"], required_keywords: [now] }] }
`);
  t.same(
    [...nfa.accepts.values()].map(({ intent }) => intent.name),
    ['A', 'A', 'B'],
  );
  for (const [state, { intent }] of nfa.accepts) {
    t.same(nfa.edges[state], [{ target: nfa.end, word: -1 }]);
    // The same automaton with this state as its end says that sentence alone.
    const alone = { ...nfa, end: state };
    const heard = ['go', 'stop', 'now run', 'run'].filter(
      (said) =>
        interpretWords(
          alone,
          said.split(' ').map((w) => nfa.words.indexOf(w)),
        ) !== null,
    );
    t.equal(heard.length, 1, heard.join());
    t.equal(intent.name, heard[0] === 'now run' ? 'B' : 'A');
  }
});

void t.test('200,000 ways to write one word, and not one more', async (t) => {
  const at = { line: 3, column: 7 };
  const part = (text: string): Tree => ({ kind: 'part', text, capitals: false, at });
  const list = (size: number): Tree => ({
    kind: 'list',
    list: 'same',
    values: Array.from({ length: size }, () => ({ spoken: part('x') })),
    at,
  });
  const choice = (...items: Tree[]): Tree => ({ kind: 'choice', items });
  const faultsOf = (...items: Tree[]) => {
    const faults: Fault[] = [];
    const scope = { lists: new Map(), rules: new Map(), losses: new Map() };
    const tree: Tree = { kind: 'sequence', items };
    const nfa = buildNfa(
      { intents: [{ name: 'A', sentences: [{ tree, scope }] }], skipWords: [], warnings: [] },
      faults,
    );
    return { faults, said: [...new Set(nfa.words)].sort() };
  };
  const two = choice(part('a'), part('b'));
  const refused = {
    ...at,
    message:
      '200,002 ways to write one word here, at most 200,000: put a space between what need not touch',
  };
  t.same(faultsOf(two, list(100_000)), { faults: [], said: ['ax', 'bx'] });
  t.same(faultsOf(two, list(100_001)), { faults: [refused], said: ['a', 'b'] });
  const many = choice(...Array.from({ length: 100_001 }, () => part('x')));
  t.same(faultsOf(two, many), { faults: [refused], said: ['a', 'b'] }, 'alternatives as well');
  const none = choice(part('a'), { kind: 'sequence', items: [] });
  t.same(
    faultsOf(none, list(200_001)).faults,
    [],
    'a list behind one beginning, or behind none, is only a list',
  );
});
