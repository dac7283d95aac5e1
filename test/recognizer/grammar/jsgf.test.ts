import t from 'tap';
import { randomFrom } from '../../../src/measure/evaluate/statistics.js';
import { compileGrammar, enumerateSentences, GrammarError } from '../../../src/recognizer/index.js';
import type { GrammarDetails } from '../../../src/recognizer/index.js';
import { fullLexicon } from '../../sim/tiny-checkpoint.js';

const lexicon = fullLexicon();
const compile = (body: string, file = 'test.gram') =>
  compileGrammar(body.startsWith('#JSGF') ? body : `#JSGF V1.0;\ngrammar g;\n${body}`, {
    file,
    lexicon,
  });
/** Every sentence with its slots. */
const meanings = (g: GrammarDetails) =>
  Object.fromEntries(
    [...enumerateSentences(g, 10_000)].map((ids) => [
      ids.map((w) => g.graph.words[w]).join(' '),
      g.interpret(ids).slots,
    ]),
  );
const says = (body: string) => Object.keys(meanings(compile(body))).sort();
const faultsOf = (body: string): string[] => {
  try {
    compile(body);
  } catch (error) {
    if (error instanceof GrammarError)
      return error.faults.map((f) => `${f.line}:${f.column} ${f.message}`);
    throw error;
  }
  return [];
};

void t.test('tags and quoted tokens are literal: comments exist outside of them', async (t) => {
  t.same(
    meanings(
      compile(
        'public <c> = weather {url=http://a.example}\n | stop the line {x=1} // {y=2} | gone\n | time {y=2} /* | "gone" {z} */;',
      ),
    ),
    { weather: { url: 'http://a.example' }, 'stop the line': { x: 1 }, time: { y: 2 } },
  );
  t.same(
    meanings(
      compile('public <c> = "a // b" {n=1} | "c /;{ d" {n=/* no; comment | */} | "e" "//" f;'),
    ),
    { 'a b': { n: 1 }, 'c d': { n: '/* no; comment | */' }, 'e f': {} },
  );
  t.same(says('public <a> = go /*"*/ | stop /*{*/;\npublic <b> = "wait }";'), [
    'go',
    'stop',
    'wait',
  ]);
  t.same(says('public <a> = go;/**/public <b> = stop;//'), ['go', 'stop'], 'at the edges');
  t.same(
    compile('public <a> = open http://x\n | close;').warnings.map((w) => `${w.line}:${w.column}`),
    ['3:24'],
    'a comment within an address is told',
  );
});

void t.test('tags: escapes, quotes, numbers as they are written', async (t) => {
  const slots = (tag: string) => meanings(compile(`public <c> = go ${tag};`)).go;
  for (const [tag, wanted] of [
    ['{path=a\\}b}', { path: 'a}b' }],
    ['{path=a\\\\}', { path: 'a\\' }],
    ['{path=a\\{b\\}}', { path: 'a{b}' }],
    ["{say=it's; now}", { say: "it's; now" }],
    ['{s=a|b}', { s: 'a|b' }],
    ['{n="two words"}', { n: 'two words' }],
    ['{ n = "two \\"big\\" words" }', { n: 'two "big" words' }],
    ['{n=" spaced "}', { n: ' spaced ' }],
    ['{url=http://x/?a=b&c=d}', { url: 'http://x/?a=b&c=d' }],
    ['{n=0.5}', { n: 0.5 }],
    ['{n=-3}', { n: -3 }],
    ['{n="3"}', { n: '3' }],
    ['{n=007}', { n: '007' }],
    ['{n=2.50}', { n: '2.50' }],
    ['{n=1e3}', { n: '1e3' }],
    ['{n=Infinity}', { n: 'Infinity' }],
    ['{n=12345678901234567890}', { n: '12345678901234567890' }],
    ['{n= }', { n: '' }],
    ['{verb}', { verb: 'go' }],
    ['{two words}', { 'two words': 'go' }],
    ['{größe=groß}', { größe: 'groß' }],
    ['{a=1} {b=2}{c}', { a: 1, b: 2, c: 'go' }],
    ['{line=1\n 2}', { line: '1\n 2' }],
  ] as const)
    t.same(slots(tag), wanted, tag);
  t.match(faultsOf('public <c> = {start=1} go;')[0], /^3:14 a tag stands behind the words/);
  t.match(faultsOf('public <c> = go {};')[0], /^3:17 a tag without a name/);
  t.match(faultsOf('public <c> = go {=1};')[0], /^3:17 a tag without a name/);
});

void t.test('weights in every form are read and ignored', async (t) => {
  for (const weight of ['1', '10', '3.14e3', '8f', '.5', '5.', '0.5', '1e-3', '2.0F', '1E+2d'])
    for (const [before, after] of [
      ['', ''],
      [' ', ' '],
      ['\n', '\t'],
    ] as const)
      t.same(
        says(`public <c> = /${before}${weight}${after}/go | (/${weight}/\nstop);`),
        ['go', 'stop'],
        weight,
      );
  t.same(says('public <c> = /1//* a comment */ go | /2/// stop\n wait;'), ['go', 'wait']);
  t.match(faultsOf('public <c> = /-1/ go;')[0], /^3:14 "\/-1\/" is no weight/);
  t.match(faultsOf('public <c> = /heavy/ go;')[0], /^3:14 "\/heavy\/" is no weight/);
});

void t.test('names: of the grammar, beyond ASCII, <NULL> and <VOID>', async (t) => {
  t.same(says('public <c> = go <g.n>;\n<n> = one | two;'), ['go one', 'go two']);
  const packaged =
    '#JSGF V1.0 UTF-8 en;\ngrammar com.acme.robot;\npublic <c> = <com.acme.robot.n> | <robot.n> <n>; <n> = go;';
  t.same(says(packaged), ['go', 'go go']);
  t.same(says('public<c>=go|stop;<x>=y;'), ['go', 'stop']);
  const named = compile('public <größe> = go;\npublic <команда> = stop <日本>;<日本> = it;');
  t.same(
    [...enumerateSentences(named, 9)].map((ids) => named.interpret(ids).intent),
    ['größe', 'команда'],
  );
  t.equal(named.warnings.length, 2, 'their topics are told');
  t.same(says('public <a:1-2+3> = <b/c>; <b/c> = go;'), ['go'], 'what the note allows in names');
  t.same(
    says('public <c> = go (<NULL> | <VOID> | home);\npublic <never> = stop <no>;\n<no> = <VOID>;'),
    ['go', 'go home'],
  );
  t.match(faultsOf('public <c> = <VOID>;')[0], /no sentence can be said/);
  t.match(faultsOf('public <c d> = stop;\npublic <e> = go;')[0], /^3:8 <c d> is no rule name/);
  t.match(faultsOf('public <c> = go <nope>;\n<x> = <no>;'), [
    /^3:17 rule <nope> is not defined; defined: c, x/,
    /^4:7 rule <no> is not defined/,
  ]);
});

void t.test('headers and lines as they are found', async (t) => {
  for (const header of [
    '#JSGF V1.0;',
    '\uFEFF#JSGF V1.0 UTF-8 en;',
    '#JSGF V1.0 ISO8859-1 fr;',
    '#JSGF;',
    '#jsgf v1.0;',
    '/** a comment; with <x> = y */\n// and another\n#JSGF V1.0;',
    '#JSGF V1.0',
  ])
    for (const [file, end] of [
      ['x.yaml', '\r\n'],
      ['x.gram', '\n'],
      ['x', '\r'],
    ] as const)
      t.same(
        Object.keys(
          meanings(
            compileGrammar(
              [header, 'grammar my-robot; // hi', 'public <c> = go // hi', ' | stop;', ''].join(
                end,
              ),
              { file, lexicon },
            ),
          ),
        ),
        ['go', 'stop'],
        `${header} ${file}`,
      );
  t.match(
    faultsOf('public <c> = go\r | ) stop;\r'),
    [/^4:4 "\)" closes/],
    'places in old-Mac lines',
  );
});

void t.test('texts: slashes, units, capitals, what has no sound', async (t) => {
  t.same(says('public <c> = I/O unit;'), ['i o unit']);
  t.ok(says('public <c> = move 5 mm;').includes('move five millimeters'));
  t.ok(says("public <c> = AT&T | what's up? | hello, world!;").includes('hello world'));
  t.match(faultsOf('public <c> = go | "...";'), [/^3:19 "\.\.\." says nothing/]);
  t.match(faultsOf('public <c> = go (now | -);'), [/^3:24 "-" says nothing/]);
});

void t.test('all faults at once, each where it stands', async (t) => {
  const faults = faultsOf(`import <com.acme.numbers.*>;
public <a> = go+ home*;
public <b> = go | stop
<d> = left (right;
public <e> = "open;
public <f> = [on {x=1;
public <a> = twice;
nonsense here;
public <g> = [please];
public <h> = go = now;
`);
  const wanted = [
    '3:1 import <com.acme.numbers.*>: imports are not read',
    '4:16 "*" and "+" repeat without end',
    '4:22 "*" and "+" repeat without end',
    '5:23 expected ";" at the end of rule <b>',
    '6:12 "(" is never closed',
    `7:14 '"' is never closed on its line`,
    '8:14 "[" is never closed',
    '8:18 "{" is never closed',
    '9:8 rule <a> is there twice',
    '10:1 "nonsense here", expected "<rule> = ...;"',
    '12:17 "=" closes or begins nothing',
  ];
  t.same(
    faults.map((f, i) => f.slice(0, wanted[i]?.length)),
    wanted,
  );
  t.match(faultsOf('public <g> = [please];'), [/^3:8 <g> may be said with no words/]);
  t.match(faultsOf('public <g> = ;'), [/^3:8 <g> may be said with no words/]);
  t.match(faultsOf('public <c> = x {a=1 | y {b=2};'), [/^3:16 "\{" is never closed/]);
  t.match(faultsOf('public <c> = go; /* no end'), [/^3:18 the comment is never closed/]);
  t.match(faultsOf('<c> = go;'), [/there is no public rule/]);
});

/** A random expansion, as it is meant. */
type Part =
  | { word: string }
  | { quoted: string }
  | { rule: string }
  | { all: Part[] }
  | { one: Part[] }
  | { maybe: Part }
  | { tag: string; slots: Record<string, string | number>; of: Part };
type Said = readonly [string, Readonly<Record<string, string | number>>];

void t.test(
  'random grammars, printed with random space and comments, as a slow expander has them',
  async (t) => {
    const vocabulary = 'go stop left right up down red blue one two'.split(' ');
    let checked = 0;
    for (let seed = 1; seed <= 300; seed++) {
      const random = randomFrom(seed);
      const below = (n: number) => Math.floor(random() * n);
      const pick = <T>(of: readonly T[]): T => of[below(of.length)] as T;
      const tags: [string, Record<string, string | number>][] = [
        ['{url=http://x // y}', { url: 'http://x // y' }],
        ['{n=3}', { n: 3 }],
        ['{ n = "a; b" }', { n: 'a; b' }],
        ['{m=\\}/*\\\\}', { m: '}/*\\' }],
        ['{k=| <q> = "}', { k: '| <q> = "' }],
      ];
      const part = (depth: number, later: readonly string[]): Part => {
        const kind = depth <= 0 ? below(2) : below(9);
        if (kind === 0) return { word: pick(vocabulary) };
        if (kind === 1) return { quoted: `${pick(vocabulary)} ${pick(vocabulary)}` };
        if (kind === 2) return { rule: pick([...later, 'NULL', 'VOID']) };
        if (kind === 3) return { maybe: part(depth - 1, later) };
        if (kind <= 5) {
          const [tag, slots] = pick(tags);
          return { tag, slots, of: part(depth - 1, later) };
        }
        const parts = Array.from({ length: 1 + below(3) }, () => part(depth - 1, later));
        return kind <= 7 ? { one: parts } : { all: parts };
      };
      const rules = new Map<string, Part>();
      const names = ['top', 'größe', 'g-2'];
      names.forEach((name, i) => rules.set(name, part(3, names.slice(i + 1))));
      rules.set('top', { all: [{ word: 'begin' }, rules.get('top') ?? { word: 'go' }] });

      const gap = () => pick(['', ' ', '\n', '\t ', '/* "{ ; */', '/**/', ' // } "\n', ' ']);
      const between = () => ` ${gap()} `;
      const weight = () => pick(['', '', '/2/', '/ .5e1 /', '/8f/']);
      const print = (p: Part): string => {
        if ('word' in p) return p.word;
        if ('quoted' in p) return `"${p.quoted}"`;
        if ('rule' in p)
          return `<${p.rule === p.rule.toUpperCase() ? '' : pick(['', 'g.', 'com.x.g.'])}${p.rule}>`;
        if ('maybe' in p) return `[${gap()}${print(p.maybe)}${gap()}]`;
        if ('tag' in p) return `(${gap()}${print(p.of)}${gap()})${gap()}${p.tag}`;
        if ('all' in p) return `(${p.all.map((q) => print(q)).join(between())})`;
        return `(${p.one.map((q) => `${gap()}${weight()}${gap()}${print(q)}${gap()}`).join('|')})`;
      };
      const expand = (p: Part): Said[] => {
        if ('word' in p) return [[p.word, {}]];
        if ('quoted' in p) return [[p.quoted, {}]];
        if ('rule' in p)
          return p.rule === 'NULL'
            ? [['', {}]]
            : p.rule === 'VOID'
              ? []
              : expand(rules.get(p.rule) ?? { word: '?' });
        if ('maybe' in p) return [...expand(p.maybe), ['', {}]];
        if ('tag' in p)
          return expand(p.of).map(([text, slots]) => [text, { ...slots, ...p.slots }]);
        if ('one' in p) return p.one.flatMap(expand);
        return p.all.reduce<Said[]>(
          (heads, q) =>
            heads.flatMap(([text, slots]) =>
              expand(q).map(([more, s]): Said => [`${text} ${more}`.trim(), { ...slots, ...s }]),
            ),
          [['', {}]],
        );
      };
      const source = `#JSGF V1.0;${gap()}grammar${between()}com.x.g${gap()};${[...rules]
        .map(
          ([name, body]) =>
            `${gap()}${name === 'top' ? 'public' : ''}${gap()}<${name}>${gap()}=${gap()}${print(body)}${gap()};`,
        )
        .join('')}`;
      const wanted = new Map<string, Said[1]>();
      for (const [text, slots] of expand({ rule: 'top' }))
        if (!wanted.has(text)) wanted.set(text, slots);
      if (wanted.size === 0 || wanted.size > 2000) continue;
      const got = new Map(Object.entries(meanings(compile(source))));
      checked++;
      const wrong = JSON.stringify([...got].sort()) !== JSON.stringify([...wanted].sort());
      if (wrong) t.same([...got].sort(), [...wanted].sort(), `${seed}: ${source}`);
    }
    t.ok(checked > 90, `${checked} grammars`);
  },
);
