import t from 'tap';
import {
  meaningIn,
  readTemplate as read,
  templateSentences as sentences,
} from '../../sim/templates.js';

const slots = (sentence: string, said: string, more: object) =>
  meaningIn(read(sentence, more).nfa, said)?.slots;

const site = {
  lists: {
    a: { values: ['lamp', 'big door'] },
    b: { values: [{ in: '[the] bay[s]', out: 'bay' }, 'shed'] },
    n: { range: { from: 2, to: 3 } },
    nth: { ordinal: { from: 2, to: 2 } },
    at: { time: { from: '07:00', to: '07:00' } },
    id: { values: ['PLC 12', 'R2', 'CNC'] },
    said: { values: ['(red|blue) lamp'] },
    unit: { values: [{ in: 'c[elsius]', out: 'celsius' }] },
  },
  expansion_rules: {
    turn: '(turn|switch)',
    lamp: 'lamp',
    the: '[the ]',
    wards: '[ wards]',
    degrees: '{n}[ degree[s][ {unit}]]',
    nested: '<the>{a}<wards>',
  },
};

/** Template, and all that it says. */
const table: readonly (readonly [string, ...string[]])[] = [
  // Spaces in groups.
  ['turn on[ the] lights', 'turn on lights', 'turn on the lights'],
  ['turn [on ]lights', 'turn lights', 'turn on lights'],
  ['turn( on| off) lights', 'turn off lights', 'turn on lights'],
  ['(turn |switch )on', 'switch on', 'turn on'],
  ['go[ to| into] hall', 'go hall', 'go into hall', 'go to hall'],
  ['this is (the | a ) test', 'this is a test', 'this is the test'],
  ['[please ]turn on', 'please turn on', 'turn on'],
  ['go[ now]', 'go', 'go now'],
  [
    'all [[of ](the|my)] lamps',
    'all lamps',
    'all my lamps',
    'all of my lamps',
    'all of the lamps',
    'all the lamps',
  ],
  ['[[please] [do]] go', 'do go', 'go', 'please do go', 'please go'],
  ['turn [[on ][the ]]lamp', 'turn lamp', 'turn on lamp', 'turn on the lamp', 'turn the lamp'],
  // Endings.
  ['light[s]', 'light', 'lights'],
  ['turn(s|ed|ing) on', 'turned on', 'turning on', 'turns on'],
  ['[un]lock', 'lock', 'unlock'],
  ['(every|some)(one|body)', 'everybody', 'everyone', 'somebody', 'someone'],
  [
    '(light|lamp)[s][ now]',
    'lamp',
    'lamp now',
    'lamps',
    'lamps now',
    'light',
    'light now',
    'lights',
    'lights now',
  ],
  ['(start|)ing', 'ing', 'starting'],
  // Lists and rules.
  ['{a}[s]', 'big door', 'big doors', 'lamp', 'lamps'],
  ["{a}'s", "big door's", "lamp's"],
  ['re{a}', 'rebig door', 'relamp'],
  ['{a}{a:x}', 'big doorbig door', 'big doorlamp', 'lampbig door', 'lamplamp'],
  ['pre-{b} go', 'pre bay go', 'pre bays go', 'pre shed go', 'pre the bay go', 'pre the bays go'],
  ['<lamp>[s]', 'lamp', 'lamps'],
  ['re<turn> now', 'reswitch now', 'return now'],
  ['go <the>lamp', 'go lamp', 'go the lamp'],
  ['up<wards>', 'up', 'up wards'],
  [
    'go <nested>',
    'go big door',
    'go big door wards',
    'go lamp',
    'go lamp wards',
    'go the big door',
    'go the big door wards',
    'go the lamp',
    'go the lamp wards',
  ],
  [
    'light[s][ in {a}]',
    'light',
    'light in big door',
    'light in lamp',
    'lights',
    'lights in big door',
    'lights in lamp',
  ],
  ['go[ {a}] now', 'go big door now', 'go lamp now', 'go now'],
  ['see {@a}', 'see big door', 'see lamp'],
  ['see {a:@b}', 'see big door', 'see lamp'],
  // Permutations: spaces around each part.
  ['(on; the lamp)', 'on the lamp', 'the lamp on'],
  ['light(s; on)', 'light on s', 'light s on'],
  ['is it ([right now];off)', 'is it off', 'is it off right now', 'is it right now off'],
  ['on; off', 'off on', 'on off'],
  ['[on;off] now', 'now', 'off on now', 'on off now'],
  // Numbers are words of their own, and what touches them is read as beside a figure.
  ['set {n}', 'set three', 'set two'],
  ['level{n}', 'level three', 'level two'],
  ['{n}x', 'three x', 'two x'],
  ['{n}[%]', 'three', 'three per cent', 'three percent', 'two', 'two per cent', 'two percent'],
  ['{n}[ percent]', 'three', 'three percent', 'two', 'two percent'],
  ['{n}[°]', 'three', 'three degree', 'three degrees', 'two', 'two degree', 'two degrees'],
  ['-{n}', 'minus three', 'minus two'],
  ['go {n} in', 'go three in', 'go two in'],
  [
    '<degrees>',
    ...['three', 'two'].flatMap((n) =>
      [
        '',
        ' degree',
        ' degree c',
        ' degree celsius',
        ' degrees',
        ' degrees c',
        ' degrees celsius',
      ].map((d) => n + d),
    ),
  ],
  [
    '{n}-{n:m}',
    ...['', 'to ', 'through ', 'dash '].flatMap((dash) =>
      ['three', 'two'].flatMap((n) => [`${n} ${dash}three`, `${n} ${dash}two`]),
    ),
  ],
  ['the {nth}-floor', 'the second floor'],
  ['{2..4,2:x}[s]ince', 'four ince', 'four since', 'two ince', 'two since'],
  ['set {0..10,5:x}', 'set five', 'set ten', 'set zero'],
  ['R(2|3)', 'r three', 'r two'],
  ["{id}'s light", "cnc's light", "plc one two's light", "plc twelve's light", "r two's light"],
  // Escapes.
  ['press \\(stop\\)', 'press stop'],
  ['a\\|b', 'a b'],
];

void t.test('templates and all that they say', async (t) => {
  for (const [template, ...all] of table) t.same(sentences(template, site), all.sort(), template);
});

void t.test('what cannot be read beside a number is refused with its place', async (t) => {
  for (const [template, column, what] of [
    ['the {n}th', 45, /"th" touches a number/],
    ['go {n}{n:m}', 41, /two numbers touch/],
    ['go {n}.{n:m}', 41, /"\." touches a number/],
    ['go {n}0', 41, /"0" touches a number/],
    ['see {0..100}', 39, /which slot\?/],
    ['see {9..1:x}', 39, /expected from <= to, got 9 and 1/],
    ['see {1..9,0:x}', 39, /step 0, expected a step above 0/],
    ['(a;b|c)', 39, /"\|" and ";" in one group/],
    ['see {a b}', 40, /"a b" is no name/],
  ] as const) {
    const [fault] = read(template, site).faults;
    t.match(fault?.message, what, template);
    t.equal(fault?.line, 1);
    t.ok(Math.abs((fault?.column ?? 0) - column) <= 6, `${template}: ${fault?.column ?? 0}`);
  }
});

void t.test('slots have their values, whatever touches them', async (t) => {
  for (const [template, said, value] of [
    ['{a}[s]', 'big doors', { a: 'big door' }],
    ["{a}'s", "lamp's", { a: 'lamp' }],
    ['re{a}', 'relamp', { a: 'lamp' }],
    ['{said}[s]', 'blue lamps', { said: 'blue lamp' }],
    ['un{said}', 'unred lamp', { said: 'red lamp' }],
    ['{said}-now', 'red lamp now', { said: 'red lamp' }],
    ['{a}{b}', 'lampshed', { a: 'lamp', b: 'shed' }],
    ["{id}'s light", "plc twelve's light", { id: 'PLC 12' }],
    ['level{n}x', 'level two x', { n: 2 }],
    ['{n}% {a}', 'three percent lamp', { n: 3, a: 'lamp' }],
    ['-{n}', 'minus two', { n: 2 }],
    ['{nth}-floor', 'second floor', { nth: 2 }],
    ['at{at}', 'at seven', { at: '07:00' }],
    ['see {@a}', 'see lamp', {}],
    ['{0..10,5:x}', 'ten', { x: 10 }],
    ['({a};{b}) now', 'shed big door now', { a: 'big door', b: 'shed' }],
    ['<degrees>', 'two degrees celsius', { n: 2, unit: 'celsius' }],
    ['{n}°{unit}', 'two degrees celsius', { n: 2, unit: 'celsius' }],
  ] as const)
    t.same(slots(template, said, site), value, template);
});

interface Piece {
  readonly source: string;
  /** What it may write. */
  readonly texts: readonly string[];
}

/** One of each kind of group, with and without spaces at its ends. */
const pieces: readonly Piece[] = [
  { source: 'go', texts: ['go'] },
  { source: '(up|down)', texts: ['up', 'down'] },
  { source: '(up |down )', texts: ['up ', 'down '] },
  { source: '( up| down|)', texts: [' up', ' down', ''] },
  { source: '[s]', texts: ['s', ''] },
  { source: '[ the]', texts: [' the', ''] },
  { source: '[the ]', texts: ['the ', ''] },
  { source: '[ ]', texts: [' ', ''] },
  { source: '{a}', texts: ['lamp', 'big door'] },
  { source: '{@b}', texts: [' bay', ' bays', 'the bay', 'the bays', 'shed'] },
  { source: '<turn>', texts: ['turn', 'switch'] },
  { source: '<the>', texts: ['the ', ''] },
  {
    source: '<nested>',
    texts: ['the ', ''].flatMap((the) =>
      ['lamp', 'big door'].flatMap((a) => [`${the}${a}`, `${the}${a} wards`]),
    ),
  },
  { source: '(on;off)', texts: [' on off ', ' off on '] },
  { source: '[on|the[ big]]', texts: ['on', 'the', 'the big', ''] },
];

/** The slow expander: write out everything, then look where the spaces are. */
const written = (parts: readonly (Piece | string)[]): string[] => {
  const texts = parts.reduce<string[]>(
    (heads, part) =>
      heads.flatMap((head) =>
        (typeof part === 'string' ? [part] : part.texts).map((text) => head + text),
      ),
    [''],
  );
  return [...new Set(texts.map((text) => text.trim().split(/\s+/).join(' ')))].sort();
};

void t.test('every kind of group beside every other says what is written', async (t) => {
  let wrong = 0;
  const check = (parts: readonly (Piece | string)[]) => {
    const template = parts.map((part) => (typeof part === 'string' ? part : part.source)).join('');
    const said = sentences(template, site);
    const expected = written(parts);
    if (JSON.stringify(said) === JSON.stringify(expected) || wrong++ > 5) return;
    t.same(said, expected, template);
  };
  for (const first of pieces)
    for (const second of pieces)
      for (const between of ['', ' ']) {
        check(['a', first, between, second]);
        check([first, between, second, 'b']);
        for (const third of pieces) check(['x', between, first, second, between, third]);
      }
  t.equal(wrong, 0);
});

void t.test('only what touches is written out', async (t) => {
  const names = Array.from(
    { length: 5000 },
    (_, i) =>
      `name${'abcdefghij'[i % 10] ?? ''}${[...String(i)].map((d) => 'klmnopqrst'[Number(d)] ?? '').join('')}`,
  );
  const more = { lists: { a: { values: names } } };
  const states = (template: string) => {
    const { nfa, faults } = read(template, more);
    t.same(faults, [], template);
    return nfa.edges.length;
  };
  const apart = states('turn on [the] {a} light now please');
  t.ok(
    states('turn on[ the] {a}[ light][ now] please') < 5 * apart,
    'as many for each name, however many names',
  );
  t.ok(states('turn on {a}[s] now') < 4 * apart, 'two endings, two words for each name');
  t.match(
    read('turn on {a}{a:b}', more).faults[0],
    { message: /25,000,000 ways to write one word here, at most 200,000: put a space/ },
    'and what would multiply is refused',
  );
});
