import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { Bundle } from '../../../src/bundle/index.js';
import { readGrammar, readLexicon } from '../../../src/engine/engine.js';
import {
  compileGrammar,
  GrammarError,
  type GrammarDetails,
  type GrammarFolder,
} from '../../../src/recognizer/index.js';
import { defaultModelPath } from '../../../src/runtime/paths.js';
import { fullLexicon } from '../../sim/tiny-checkpoint.js';

const lexicon = fullLexicon();

async function folderWith(t: Test, files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'kikitori-grammar-'));
  t.teardown(() => rm(folder, { recursive: true }));
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  return folder;
}
const inMemory = (files: Readonly<Record<string, string>>): GrammarFolder => ({
  files: Object.entries(files)
    .map(([path, text]) => ({ name: path, path, text }))
    .sort((a, b) => (a.path < b.path ? -1 : 1)),
});
const compile = (files: Readonly<Record<string, string>>) =>
  compileGrammar(inMemory(files), { file: 'folder', lexicon });
const meaningOf = (g: GrammarDetails, text: string) => {
  const ids = g.read(text);
  if (ids === null) return null;
  const { intent, slots } = g.interpret(ids);
  return { intent, slots };
};
const faultsOf = (files: Readonly<Record<string, string>>) => {
  try {
    compile(files);
    return '';
  } catch (error) {
    if (!(error instanceof GrammarError)) throw error;
    return error.message;
  }
};

const turnOn = `
language: en
intents:
  TurnOn: { data: [{ sentences: ["<turn> on [the] {name}"] }], confirm: true }
`;
const turnOff = `
intents:
  TurnOn: { data: [{ sentences: ["{name} on"] }] }
  TurnOff: { data: [{ sentences: ["<turn> off [the] {name}"] }] }
skip_words: [please]
`;
const lamps = 'lists: { name: { values: [lamp] } }\nexpansion_rules: { turn: (turn|switch) }\n';
const fans =
  'lists: { name: { values: [fan] } }\n# the same once more\nexpansion_rules: { turn: (turn|switch) }\n';

void t.test('files of a folder are one grammar', async (t) => {
  const folder = await folderWith(t, {
    'on.yaml': turnOn,
    'off.yml': turnOff,
    'house/lamps.yaml': lamps,
    'house/fans.yaml': fans,
    'empty.yaml': '# nothing yet\n',
    'notes.txt': 'intents: {',
    '.hidden.yaml': 'intents: {',
    '.git/config.yaml': 'intents: {',
  });
  const source = await readGrammar(folder);
  const g = compileGrammar(source, { file: folder, lexicon });
  t.same(meaningOf(g, 'switch on the lamp'), { intent: 'TurnOn', slots: { name: 'lamp' } });
  t.same(meaningOf(g, 'fan on please'), { intent: 'TurnOn', slots: { name: 'fan' } });
  t.same(meaningOf(g, 'turn off the fan'), { intent: 'TurnOff', slots: { name: 'fan' } });
  const ids = g.read('fan on') ?? [];
  t.equal(g.interpret(ids).confirm, true, 'settings of an intent hold for all its files');
  t.match(g.sha256, /^[0-9a-f]{64}$/);
  await writeFile(join(folder, 'house/fans.yaml'), fans.replace('fan', 'van'));
  const other = compileGrammar(await readGrammar(folder), { file: folder, lexicon });
  t.not(other.sha256, g.sha256, 'of the whole');
  t.same(meaningOf(other, 'turn off the van'), { intent: 'TurnOff', slots: { name: 'van' } });
});

void t.test(
  'a mounted folder of links, a folder without sentences, one that is not there',
  async (t) => {
    const folder = await folderWith(t, { '..data/on.yaml': turnOn + lamps });
    await symlink('..data/on.yaml', join(folder, 'on.yaml'));
    await symlink('gone.yaml', join(folder, 'dangling.yaml'));
    const source = await readGrammar(folder);
    t.same(typeof source === 'string' ? [] : source.files.map(({ path }) => path), ['on.yaml']);
    const empty = await folderWith(t, { 'readme.md': '' });
    await t.rejects(
      readGrammar(empty),
      /there is no sentence file in this folder; expected \*\.yaml/,
    );
    await t.rejects(readGrammar(join(empty, 'gone')), /there is no such file/);
    const round = await folderWith(t, { 'on.yaml': turnOn });
    await symlink('.', join(round, 'again'));
    await t.rejects(readGrammar(round), /folders in folders, more than 16 deep/);
    const bad = await folderWith(t, {
      'a.yaml': 'x: 12345678\u0000',
      'b.yaml': 'y: 12345678\u0000',
    });
    await t.rejects(readGrammar(bad), /a\.yaml:1:12[^]*b\.yaml:1:12/, 'all of them at once');
  },
);

void t.test('faults of all files at once, each in its file', async (t) => {
  const said = faultsOf({
    'a.yaml': 'intents:\n  A: { data: [{ sentences: ["turn (on"] }], minConfidence: 0.7 }\n',
    'b.yaml': 'intents:\n  A: { data: [{ sentences: ["go {nowhere}"] }], minConfidence: 0.8 }\n',
    'c.yaml':
      'lists: { a: { values: [x] }, n: { range: { from: 1, to: 2 } } }\nexpansion_rules: { r: one }\n',
    'd.yaml': 'lists: { n: { range: { from: 1, to: 3 } } }\nexpansion_rules: { r: two }\n',
    'e.yaml': 'lists:\n\tx: 1\n',
    'f.yaml': '- a list\n',
  });
  t.match(said, /^a\.yaml:2:\d+: "\(" is never closed$/m);
  t.match(said, /^b\.yaml:2:\d+: list \{nowhere\} is not defined; defined: a, n$/m);
  t.match(said, /^b\.yaml:2:\d+: intent A: minConfidence is 0\.8 here and 0\.7 in another file$/m);
  t.match(said, /^d\.yaml:1:\d+: list n is something else at c\.yaml:1:\d+: give one of them/m);
  t.match(said, /^d\.yaml:2:\d+: rule r is something else at c\.yaml:2:/m);
  t.match(said, /^e\.yaml:2:1: this line is indented with a tab/m);
  t.match(said, /^f\.yaml:1:1: this is no file of sentences/m);
  t.match(faultsOf({ 'a.yaml': lamps }), /a\.yaml:1:1: there are no intents/);
  const twice = faultsOf({
    'a.yaml': 'intents: { A: { data: [{ sentences: ["{name}", "a {name}"] }] } }',
  });
  t.match(twice, /import-ha writes it for a house\); none is defined; 1 more places use it/);
});

void t.test(
  'what needs a language model, an empty list or a context is left out and named',
  async (t) => {
    const g = compile({
      'a.yaml': `
intents:
  Say: { data: [{ sentences: ["say {message}", "announce [that] {message}"] }] }
  Go:
    data:
      - sentences: ["go [to {floor}|home]"]
      - sentences: ["go here"]
        requires_context: { area: { slot: true } }
lists:
  message: { wildcard: true }
  floor: { values: [] }
  zone: { wildcard: true }
`,
    });
    t.same(
      g.warnings.map(({ file, line, message }) => `${file ?? ''}:${line} ${message}`),
      [
        'a.yaml:8 left out: 1 sentence (the first: a.yaml:7:21), because nothing gives the context "area" that they require: a device knows what "context: { area: ... }" at the left edge says',
        'a.yaml:10 left out: 2 sentences (the first: a.yaml:3:31), because {message} is a wildcard: any words would have to be heard, which needs a language model (recognizer.languageModelPath); with "values:" those are heard; nothing is left of Say',
        'a.yaml:11 left out: parts of 1 sentence (the first: a.yaml:6:21), because the list {floor} has no values',
      ],
      'a wildcard that nothing uses says nothing',
    );
    t.same(meaningOf(g, 'go home'), { intent: 'Go', slots: {} });
    t.same(meaningOf(g, 'go'), { intent: 'Go', slots: {} });
    t.equal(meaningOf(g, 'go to'), null);
    t.equal(meaningOf(g, 'go here'), null);
  },
);

void t.test('values of another file fill a wildcard, and the own context a slot', async (t) => {
  const g = compile({
    'a.yaml': `
intents:
  Where: { data: [{ sentences: ["is jane at {zone}"] }] }
  Here:
    data:
      - sentences: ["lights on"]
        requires_context: { area: { slot: true } }
      - sentences: ["lights off"]
        excludes_context: { area: [hall] }
lists: { zone: { wildcard: true } }
`,
    'b.yaml':
      'lists: { zone: { values: [home, { in: the office, out: work }] } }\ncontext: { area: hall }\n',
  });
  t.same(meaningOf(g, 'is jane at the office'), { intent: 'Where', slots: { zone: 'work' } });
  t.same(meaningOf(g, 'lights on'), { intent: 'Here', slots: { area: 'hall' } });
  t.equal(meaningOf(g, 'lights off'), null, 'excluded');
});

/** Home Assistant's layout in small, of our own making. */
const layout = {
  'intents.yaml': `
HassTurnOn:
  supported: true
  slot_combinations:
    domain_only: { context_area: true, slots: [domain] }
    name_only: { slots: [name], name_domain_groups: { default: [light, switch] } }
    area_only: { slots: [area] }
HassOpen:
  slot_combinations: { name_only: { slots: [name] } }
`,
  'sentences/en/_common.yaml':
    'language: en\nresponses: { errors: { no_intent: Sorry } }\nskip_words: [please]\n',
  'sentences/en/HassTurnOn/name_only.yaml': `
language: en
data:
  - sentences: ["turn on <the> {name}"]
    name_domains: default
    response: default
  - sentences: ["light up <the> {name} lights"]
    name_domains: [light]
  - sentences: ["turn on the {name}"]
    name_domains: default
    speech_to_phrase: true
`,
  'sentences/en/HassTurnOn/domain_only.yaml': `
language: en
data:
  - sentences: ["turn on [the] (lights|kitchen lights)"]
    inferred_domain: light
`,
  'sentences/en/HassTurnOn/area_only.yaml':
    'data: [{ sentences: ["[turn on ]{area}"], speech_to_phrase: true }]\n',
  'sentences/en/HassOpen/name_only.yaml':
    'data: [{ sentences: ["open {name}"], name_domains: [cover] }]\n',
  'sentences/de/HassTurnOn/name_only.yaml': 'data: [{ sentences: ["{name} einschalten"] }]\n',
  'rules/en/common.yaml': 'expansion_rules: { the: "[the|my]" }\n',
  'lists/media.yaml': 'lists: { search_query: { wildcard: true } }\n',
  'lists/de/media.yaml': 'lists: { search_query: { values: [nichts] } }\n',
  'tests/en/_fixtures.yaml': 'not: sentences\n',
  'languages.yaml': 'en: { nativeName: English }\n',
  'house.yaml': `
lists:
  name:
    values:
      - { in: kitchen lights, out: kitchen lights, context: { domain: light } }
      - { in: kitchen, out: kitchen, context: { domain: switch } }
      - { in: front door, out: front door, context: { domain: lock } }
  area: { values: [kitchen, hall] }
`,
};

void t.test("Home Assistant's layout", async (t) => {
  const folder = await folderWith(t, layout);
  const source = await readGrammar(folder);
  t.same(
    typeof source === 'string' ? [] : source.files.map(({ path }) => path),
    Object.keys(layout)
      .filter((path) => !/\/de\/|^tests/.test(path))
      .sort(),
    'no tests, no other languages',
  );
  const g = compileGrammar(source, { file: folder, lexicon });
  t.same(
    meaningOf(g, 'turn on the kitchen lights please'),
    {
      intent: 'HassTurnOn',
      slots: { name: 'kitchen lights' },
    },
    'a name before all of a kind',
  );
  t.same(meaningOf(g, 'turn on lights'), { intent: 'HassTurnOn', slots: { domain: 'light' } });
  t.same(meaningOf(g, 'turn on kitchen'), { intent: 'HassTurnOn', slots: { name: 'kitchen' } });
  t.same(
    meaningOf(g, 'hall'),
    { intent: 'HassTurnOn', slots: { area: 'hall' } },
    'lean alone stays',
  );
  t.same(meaningOf(g, 'light up my kitchen lights lights'), {
    intent: 'HassTurnOn',
    slots: { name: 'kitchen lights' },
  });
  t.equal(meaningOf(g, 'light up kitchen lights'), null, 'the kitchen is no light');
  t.equal(meaningOf(g, 'turn on the front door'), null, 'a lock is not in the group');
  const said = g.warnings.map(({ message }) => message);
  t.match(said, [
    /this file is left out: there are no sentences/,
    /responses are left out/,
    /left out: 1 sentence .*no value of \{name\} has the context that they ask for \(domain cover\); nothing is left of HassOpen/,
  ]);
  t.equal(said.length, 3);
});

void t.test('own sentences first, the own area, the lean sentences alone', async (t) => {
  const own = compile({
    ...layout,
    'custom_sentences/en/own.yaml':
      'intents: { Bright: { data: [{ sentences: ["turn on the kitchen lights"] }] } }\n',
    'own.yaml': 'context: { area: hall }\n',
  });
  t.same(meaningOf(own, 'turn on the kitchen lights'), { intent: 'Bright', slots: {} });
  t.same(meaningOf(own, 'turn on lights'), {
    intent: 'HassTurnOn',
    slots: { area: 'hall', domain: 'light' },
  });
  const lean = compile({ ...layout, 'own.yaml': 'settings: { speech_to_phrase: true }\n' });
  t.same(meaningOf(lean, 'turn on the kitchen'), {
    intent: 'HassTurnOn',
    slots: { name: 'kitchen' },
  });
  t.equal(meaningOf(lean, 'turn on my kitchen'), null);
});

void t.test('groups of domains that nobody declared', async (t) => {
  const name = 'sentences/en/HassTurnOn/name_only.yaml';
  t.match(
    faultsOf({ ...layout, [name]: layout[name].replace('default', 'odd') }),
    /^sentences\/en\/HassTurnOn\/name_only\.yaml:5:\d+: intent HassTurnOn: name_domains: "odd" is no group of domains in intents\.yaml; there are: default$/m,
  );
});

void t.test('the longest name, then the fewest words in slots, then the first', async (t) => {
  const g = compile({
    'intents.yaml': 'A: { slot_combinations: { x: {} } }\nB: { slot_combinations: { x: {} } }\n',
    'sentences/en/A/x.yaml':
      'data: [{ sentences: ["on {name} {area}", "all {area} {thing}", "stop now"] }]\n',
    'sentences/en/B/x.yaml':
      'data: [{ sentences: ["on {name}", "all {area} lamp", "stop now"] }]\n',
    'house.yaml':
      'lists: { name: { values: [desk, desk lamp] }, area: { values: [lamp, hall] }, thing: { values: [lamp] } }\n',
  });
  t.same(meaningOf(g, 'on desk lamp'), { intent: 'B', slots: { name: 'desk lamp' } });
  t.same(meaningOf(g, 'on desk hall'), { intent: 'A', slots: { name: 'desk', area: 'hall' } });
  t.same(meaningOf(g, 'all hall lamp'), { intent: 'B', slots: { area: 'hall' } });
  t.same(meaningOf(g, 'stop now'), { intent: 'A', slots: {} });
});

const inProject = (path: string) => fileURLToPath(new URL(`../../../${path}`, import.meta.url));
const peers = inProject('../shared/peers/ha-intents');
void t.test(
  "Home Assistant's own sentences load without a fault",
  { skip: existsSync(peers) ? false : 'they are not beside this repository' },
  async (t) => {
    const house = await readGrammar(inProject('examples/home-assistant'));
    const lexicon = await readLexicon(await Bundle.open(defaultModelPath));
    const intents = await readGrammar(peers);
    if (typeof house === 'string' || typeof intents === 'string') throw new Error('two folders');
    const g = compileGrammar(
      { files: [...intents.files, ...house.files] },
      { file: 'house', lexicon },
    );
    t.same(meaningOf(g, 'turn on the desk lamp in the office'), {
      intent: 'HassTurnOn',
      slots: { name: 'desk lamp', area: 'office' },
    });
    t.same(meaningOf(g, 'set the bedroom brightness to 50%'), {
      intent: 'HassLightSet',
      slots: { area: 'bedroom', brightness: 50, domain: 'light' },
    });
    const wildcards = g.warnings.filter(({ message }) =>
      message.includes('needs a language model'),
    );
    t.equal(wildcards.length, 7, 'each list of any words is named once');
    t.ok(g.graph.arcUnit.length < 50_000, `${g.graph.arcUnit.length} phones`);
  },
);
