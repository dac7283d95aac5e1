/**
 * Home Assistant's English sentences with a house of 40 names, 8 areas and 3 floors (examples/home-assistant): how many
 * there are, what compiling them takes in time of the processor and in memory, and what they cost to search.
 * usage: node --expose-gc dist/bench/home-assistant.js FOLDER [--repeat N] [--json]    FOLDER: OHF-Voice/intents
 */
import { fileURLToPath } from 'node:url';
import { readGrammar, readLexicon } from '../src/engine/engine.js';
import { compileGrammar, searchCost, type GrammarFile } from '../src/recognizer/index.js';
import { numberArgument, report, type Row } from './lib/report.js';
import { defaultModelPath } from '../src/runtime/paths.js';
import { Bundle } from '../src/bundle/index.js';

const [folder = ''] = process.argv.slice(2);
const repeat = numberArgument('repeat', 3);
const example = fileURLToPath(new URL('../../examples/home-assistant', import.meta.url));
const [intents, house] = [await readGrammar(folder), await readGrammar(example)];
if (typeof intents === 'string' || typeof house === 'string') throw new Error('two folders');
const lexicon = await readLexicon(await Bundle.open(defaultModelPath));
const collect = (globalThis as { gc?: () => void }).gc ?? (() => undefined);
const lean: GrammarFile = {
  name: 'lean.yaml',
  path: 'lean.yaml',
  text: 'settings: { speech_to_phrase: true }\n',
};
const rows: Row[] = [];
for (const [how, more] of [
  ['all', []],
  ['lean', [lean]],
] as const) {
  const files = [...intents.files, ...house.files, ...more];
  const [seconds, kept]: [number[], number[]] = [[], []];
  let size = '';
  let costs = { shareOfRealTime: 0, endMs: 0 };
  for (let round = 0; round < repeat; round++) {
    collect();
    const before = process.memoryUsage();
    const began = process.cpuUsage();
    const g = compileGrammar({ files }, { file: folder, lexicon });
    const { user, system } = process.cpuUsage(began);
    seconds.push((user + system) / 1e6);
    collect();
    const after = process.memoryUsage();
    kept.push((after.heapUsed + after.external - before.heapUsed - before.external) / 1e6);
    size = `${how}: ${g.sentences} sentences, ${g.dfa.edges.length} states of words, ${g.graph.arcUnit.length} phones`;
    costs = searchCost(g.graph.arcUnit.length);
  }
  rows.push({ name: size, unit: 's of processor', values: seconds });
  rows.push({ name: '  kept', unit: 'MB', values: kept });
  rows.push({
    name: '  search, of a core (estimate)',
    unit: '%',
    values: [100 * costs.shareOfRealTime],
  });
}
rows.push({
  name: 'peak of the process',
  unit: 'MB',
  values: [process.resourceUsage().maxRSS / 1000],
});
report('home assistant', rows);
