/**
 * Cost of the two searches on random network outputs: while somebody speaks (one token a place) and at the
 * end of an utterance (what else it may have been), against graphs of growing size.
 * usage: node dist/bench/search.js [--repeat N] [--json]
 */
import { randomFrom } from '../src/measure/evaluate/statistics.js';
import { compileGrammar, TokenSearch } from '../src/recognizer/index.js';
import { runnersUp } from '../src/recognizer/search/runners-up.js';
import { listedSentences, openLexicon } from './lib/sentences.js';
import { cpuMsOf, numberArgument, report, type Row } from './lib/report.js';

const units = 40;
/** 3 s of 30 ms steps. */
const frames = 100;
const stepMs = 30;
const repeat = numberArgument('repeat', 5);
const lexicon = await openLexicon();
const random = randomFrom(1);
/** Peaky, as a trained network's: one unit gets almost all of a frame. */
const scores = new Float32Array(frames * units);
for (let t = 0; t < frames; t++) {
  const said = random() < 0.6 ? 0 : Math.floor(random() * units);
  for (let u = 0; u < units; u++)
    scores[t * units + u] = Math.log(u === said ? 0.9 : (0.1 / units) * (0.1 + random()));
}
const rows: Row[] = [];
for (const count of [100, 1000, 10_000]) {
  const { graph } = compileGrammar(listedSentences(count), { file: 'bench', lexicon });
  const [live, second]: [number[], number[]] = [[], []];
  for (let round = 0; round <= repeat; round++) {
    const search = new TokenSearch(graph);
    const liveMs = await cpuMsOf(async () => {
      for (let t = 0; t < frames; t++) search.feed(scores, t * units);
    });
    const best = search.best()[0]?.score ?? 0;
    const secondMs = await cpuMsOf(async () => {
      runnersUp(graph, scores, units, { best, window: 30, k: 16 });
    });
    if (round === 0) continue; // warms up
    live.push(liveMs / (frames * stepMs));
    second.push(secondMs);
  }
  const name = `${count} sentences, ${graph.arcUnit.length} arcs`;
  rows.push({ name: `${name}: live`, unit: 'of real time', values: live });
  rows.push({ name: `${name}: at the end`, unit: 'ms', values: second });
}
report('search', rows, { frames });
