/**
 * Every test sentence of Home Assistant's intents (tests/en) through our grammar, with the house that its file
 * describes: the same intent and slots, or what else. One line for each that differs, then how many of each kind.
 * "open slots": the same with words of the sentence in a list that takes any; "one of several": there are other ways to
 * fill such lists, and which is heard is for the ear. --voices N --language-model FILE: those sentences are then spoken by
 * N synthetic voices, each in its own house, and heard. The status is 0 whatever comes out, unless nothing could be read.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { parse, stringify } from 'yaml';
import { Bundle } from '../src/bundle/index.js';
import { readGrammar, readLexicon } from '../src/engine/engine.js';
import { compileGrammar, type GrammarDetails, type GrammarFile } from '../src/recognizer/index.js';
import { defaultModelPath } from '../src/runtime/paths.js';
import { openReadings } from './lib/open-readings.js';
import { hearSpoken, type OpenSentence } from './lib/open-spoken.js';

interface TestFile {
  readonly entities?: readonly { readonly name: string; readonly domain: string }[];
  readonly areas?: readonly { readonly name: string; readonly context_area?: boolean }[];
  readonly floors?: readonly { readonly name: string }[];
  readonly tests: readonly {
    readonly sentences: readonly string[];
    readonly slots?: Readonly<Record<string, unknown>>;
  }[];
}

const kinds = [
  'same',
  'open slots',
  'one of several',
  'needs dictation',
  'no sentence',
  'other intent',
  'other slots',
] as const;
type Kind = (typeof kinds)[number];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    voices: { type: 'string', default: '0' },
    'language-model': { type: 'string' },
  },
});
const [folder = '.'] = positionals;
const { json } = values;
const source = await readGrammar(folder);
if (typeof source === 'string') throw new Error(`${folder} is a file, expected a folder`);
const own = source.files.filter(({ path }) => path.includes('/'));
const lexicon = await readLexicon(await Bundle.open(defaultModelPath));
const wildcards = own
  .filter(({ path }) => path.startsWith('lists/'))
  .flatMap(({ text }) => {
    const { lists = {} } = parse(text) as { lists?: Record<string, { wildcard?: boolean }> };
    return Object.keys(lists).filter((name) => lists[name]?.wildcard === true);
  });
const grammars = new Map<string, GrammarDetails>();
const counts = Object.fromEntries(kinds.map((kind) => [kind, 0])) as Record<Kind, number>;
const byIntent = new Map<string, { same: number; all: number }>();
/** Those that need an open slot. */
const open: OpenSentence[] = [];
let seconds = 0;

for (const intent of readdirSync(join(folder, 'tests/en'), { withFileTypes: true })) {
  if (!intent.isDirectory()) continue;
  for (const name of readdirSync(join(folder, 'tests/en', intent.name))) tryFile(intent.name, name);
}
const all = Object.values(counts).reduce((sum, n) => sum + n, 0);
if (json) process.stdout.write(`${JSON.stringify({ all, counts, byIntent: [...byIntent] })}\n`);
else {
  process.stdout.write(
    `${all} sentences, ${grammars.size} houses, ${seconds.toFixed(0)} s of processor to compile\n`,
  );
  for (const kind of kinds) process.stdout.write(`${kind.padEnd(16)} ${counts[kind]}\n`);
}
if (all === 0) process.exitCode = 1;
const languageModel = values['language-model'];
if (languageModel !== undefined)
  await hearSpoken(open, { voices: Number(values.voices), languageModel }, alike, (line) =>
    process.stdout.write(`${line}\n`),
  );

function tryFile(intent: string, name: string): void {
  const file = parse(readFileSync(join(folder, 'tests/en', intent, name), 'utf8')) as TestFile;
  const grammar = grammarOf(file);
  for (const { sentences, slots = {} } of file.tests)
    for (const text of sentences) {
      const found = heard(grammar, text);
      const kind = kindOf(grammar, text, found, intent, slots, () => {
        const said = filled(intent, name, slots);
        if (said.size === 0) return false;
        const other = heard(grammarOf(file, said), text);
        return other?.intent === intent && sameSlots(other.slots, slots);
      });
      counts[kind]++;
      if (kind === 'open slots' || kind === 'one of several') {
        const names = filled(intent, name, slots).values();
        open.push({ grammar, text, intent, slots, open: [...names].map(({ slot }) => slot) });
      }
      const of = byIntent.get(intent) ?? { same: 0, all: 0 };
      byIntent.set(intent, { same: of.same + (kind === 'same' ? 1 : 0), all: of.all + 1 });
      if (!['same', 'open slots'].includes(kind) && !json)
        process.stdout.write(
          `${kind}: ${intent}/${name}: "${text}" wants ${JSON.stringify(slots)}${found === null ? '' : `, gives ${found.intent} ${JSON.stringify(found.slots)}`}\n`,
        );
    }
}

function heard(grammar: GrammarDetails, text: string) {
  const ids = grammar.read(text);
  return ids === null ? null : grammar.interpret(ids);
}

function kindOf(
  grammar: GrammarDetails,
  text: string,
  found: ReturnType<typeof heard>,
  intent: string,
  wanted: Readonly<Record<string, unknown>>,
  withItsWords: () => boolean,
): Kind {
  if (found?.intent === intent && sameSlots(found.slots, wanted)) return 'same';
  const open = openReadings(grammar, text);
  if (open.some((o) => o.intent === intent && sameSlots(o.slots, wanted, alike)))
    return open.length === 1 && found === null ? 'open slots' : 'one of several';
  // With the words that the test says as values of the list that takes any.
  if (withItsWords()) return 'needs dictation';
  if (found === null) return 'no sentence';
  return found.intent === intent ? 'other slots' : 'other intent';
}

/** As Home Assistant's own test: a domain that is implied is only compared where the test names one. */
function sameSlots(
  given: Readonly<Record<string, unknown>>,
  wanted: Readonly<Record<string, unknown>>,
  same: (a: unknown, b: unknown) => boolean = Object.is,
): boolean {
  const compared = Object.entries(given).filter(([slot]) => slot !== 'domain' || slot in wanted);
  if (compared.length !== Object.keys(wanted).length) return false;
  return compared.every(([slot, value]) => {
    const want = wanted[slot];
    return Array.isArray(want) ? want.some((w) => same(w, value)) : same(want, value);
  });
}

/** Words of an open slot are heard without capitals. */
function alike(a: unknown, b: unknown): boolean {
  const small = (v: unknown) => (typeof v === 'string' ? v.toLowerCase() : v);
  return small(a) === small(b);
}

/** The sentences with the names, areas and floors of a test. */
function grammarOf(file: TestFile, said: ReturnType<typeof filled> = new Map()): GrammarDetails {
  const names = (some: readonly { readonly name: string }[] = []) => ({
    values: some.map(({ name }) => name),
  });
  const text = stringify({
    lists: {
      name: {
        values: (file.entities ?? []).map(({ name, domain }) => ({
          in: name,
          out: name,
          context: { domain },
        })),
      },
      area: names(file.areas),
      floor: names(file.floors),
      ...Object.fromEntries([...said].map(([list, { value }]) => [list, { values: [value] }])),
    },
  });
  const known = grammars.get(text);
  if (known !== undefined) return known;
  const house: GrammarFile = { name: 'house.yaml', path: 'house.yaml', text };
  const before = process.cpuUsage().user;
  const grammar = compileGrammar(
    { files: [...own, ...declared(), house] },
    { file: folder, lexicon, openSlots: said.size === 0 },
  );
  seconds += (process.cpuUsage().user - before) / 1e6;
  grammars.set(text, grammar);
  return grammar;
}

function declared(): readonly GrammarFile[] {
  return typeof source === 'string'
    ? []
    : source.files.filter(({ path }) => path === 'intents.yaml');
}

/** What a test says where a list takes any words, by list. */
function filled(
  intent: string,
  name: string,
  slots: Readonly<Record<string, unknown>>,
): ReadonlyMap<string, { readonly slot: string; readonly value: string }> {
  const text = own.find(({ path }) => path === `sentences/en/${intent}/${name}`)?.text ?? '';
  const said = new Map<string, { slot: string; value: string }>();
  for (const [, list = '', slot = list] of text.matchAll(/\{(\w+)(?::(\w+))?\}/g)) {
    const value = slots[slot];
    if (wildcards.includes(list) && typeof value === 'string') said.set(list, { slot, value });
  }
  return said;
}
