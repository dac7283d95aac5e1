/**
 * Time and memory to compile 1,000 and 20,000 sentences: listed one by one, which share little, and
 * written as a template with lists.
 * usage: node --expose-gc dist/bench/grammar.js [--repeat N] [--json]
 */
import { compileGrammar } from '../src/recognizer/index.js';
import { listedSentences, openLexicon, templateSentences } from './lib/sentences.js';
import { numberArgument, report, type Row } from './lib/report.js';

const repeat = numberArgument('repeat', 3);
const lexicon = await openLexicon();
const collect = (globalThis as { gc?: () => void }).gc ?? (() => undefined);
const rows: Row[] = [];
for (const count of [1000, 20_000]) {
  for (const [how, source] of [
    ['listed', listedSentences(count)],
    ['template', templateSentences(count)],
  ] as const) {
    const [seconds, kept]: [number[], number[]] = [[], []];
    let size = '';
    for (let round = 0; round < repeat; round++) {
      collect();
      const before = process.memoryUsage();
      const began = performance.now();
      const grammar = compileGrammar(source, { file: 'bench', lexicon });
      seconds.push((performance.now() - began) / 1000);
      collect();
      const after = process.memoryUsage();
      kept.push((after.heapUsed + after.external - before.heapUsed - before.external) / 1e6);
      size = `${grammar.sentences} sentences ${how}, ${grammar.graph.arcUnit.length} arcs`;
    }
    rows.push({ name: size, unit: 's', values: seconds, ...(count === 1000 ? { aim: '1' } : {}) });
    rows.push({ name: '  kept', unit: 'MB', values: kept });
  }
}
rows.push({
  name: 'peak of the process',
  unit: 'MB',
  values: [process.resourceUsage().maxRSS / 1000],
});
report('grammar', rows);
