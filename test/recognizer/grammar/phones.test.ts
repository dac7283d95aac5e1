import t from 'tap';
import { randomFrom } from '../../../src/measure/evaluate/statistics.js';
import type { Dfa } from '../../../src/recognizer/grammar/dfa.js';
import { heardGraph } from '../../../src/recognizer/grammar/heard-graph.js';
import { expandPhones } from '../../../src/recognizer/grammar/phones.js';
import { compileGrammar } from '../../../src/recognizer/index.js';
import { pathsOf } from '../../../src/recognizer/search/align.js';
import { fullLexicon, units } from '../../sim/tiny-checkpoint.js';

type Ways = readonly (readonly number[])[];

/** A random automaton whose edges go to later states, and pronunciations of few units, so that much is alike. */
function random(seed: number): { dfa: Dfa; ways: Ways[]; skip: number[] } {
  const next = randomFrom(seed);
  const below = (n: number) => Math.floor(next() * n);
  const states = 2 + below(6);
  const ways = Array.from({ length: 5 }, (): Ways => {
    const all = Array.from({ length: 1 + below(2) }, () =>
      Array.from({ length: 1 + below(4) }, () => 1 + below(3)),
    );
    return [...new Map(all.map((phones) => [phones.join(), phones])).values()];
  });
  const edges = Array.from({ length: states }, (_, s) => {
    const count = s === states - 1 ? 0 : 1 + below(4);
    return new Map(
      Array.from({ length: count }, () => [below(4), s + 1 + below(states - s - 1)] as const),
    );
  });
  return { dfa: { edges, final: edges.map((_, s) => s === states - 1) }, ways, skip: [4] };
}

void t.test(
  'from each state the words that may follow, in all their ways, and no others',
  async (t) => {
    for (let seed = 1; seed <= 200; seed++) {
      const { dfa, ways, skip } = random(seed);
      for (const anywhere of [true, false]) {
        const graph = expandPhones(dfa, ['a', 'b', 'c', 'd', 'e'], ways, skip, anywhere);
        dfa.edges.forEach((out, state) => {
          const may = anywhere || state === 0 || dfa.final[state] === true;
          const wanted = [...out, ...(may ? skip.map((word) => [word, state] as const) : [])]
            .flatMap(([word, target]) =>
              (ways[word] ?? []).map((p) => `${word} ${p.join()} ${target}`),
            )
            .sort();
          const found = pathsOf(graph, state).map(
            (p) => `${p.word} ${p.phones.join()} ${p.target}`,
          );
          if (found.sort().join('|') !== wanted.join('|'))
            t.fail(
              `seed ${seed}, state ${state}: ${found.join('|')} in place of ${wanted.join('|')}`,
            );
        });
        const shapes = Array.from({ length: graph.states - dfa.edges.length }, (_, i) => {
          const state = dfa.edges.length + i;
          const arcs: string[] = [];
          for (let a = graph.arcStart[state] ?? 0; a < (graph.arcStart[state + 1] ?? 0); a++)
            arcs.push([graph.arcUnit[a], graph.arcTarget[a], graph.arcWord[a]].join());
          return arcs.sort().join(';');
        });
        if (new Set(shapes).size !== shapes.length) t.fail(`seed ${seed}: a branch is there twice`);
      }
    }
    t.pass('200 automata');
  },
);

void t.test('many ways to the same words cost little more than one', async (t) => {
  const lexicon = fullLexicon();
  const arcs = (sentence: string) =>
    compileGrammar(JSON.stringify({ intents: { A: { data: [{ sentences: [sentence] }] } } }), {
      file: 'test',
      lexicon,
    }).graph.arcUnit.length;
  const names = '(kitchen|bedroom|office|hall)';
  const once = arcs(`${names} light`);
  const often = arcs(`[my] [old] [red] ${names} light`);
  t.ok(often < 2.2 * once, `${often} phones, ${once} without the words before`);
});

void t.test(
  'skip words go to the ends of sentences where they would be most of a large graph',
  async (t) => {
    const listed = (phones: Ways[]) =>
      phones.map((way) => way.map((p) => ({ phones: p, source: 'user' as const })));
    const chain = (length: number): Dfa => ({
      edges: Array.from({ length: length + 1 }, (_, s) => new Map(s < length ? [[0, s + 1]] : [])),
      final: Array.from({ length: length + 1 }, (_, s) => s === length),
    });
    const skips = [1, 2, 3, 4, 5];
    const long = Array.from({ length: 10 }, (_, i) => 1 + (i % 5));
    const words = ['a', ...skips.map((i) => `skip ${i}`)];
    const ways = listed([[[1, 2]], ...skips.map((i) => [[...long.slice(i), ...long.slice(0, i)]])]);
    const small = heardGraph(chain(100), words, ways, skips, units);
    t.equal(small.skipAnywhere, true);
    const large = heardGraph(chain(2000), words, ways, skips, units);
    t.equal(large.skipAnywhere, false);
    t.ok(large.phonesWithSkip > 50_000 && large.graph.arcUnit.length < 5000);
    const noisy = listed([
      [Array.from({ length: 40 }, (_, i) => 1 + (i % 5))],
      [[1]],
      [],
      [],
      [],
      [],
    ]);
    const busy = heardGraph(chain(2000), words, noisy, [1], units);
    t.equal(busy.skipAnywhere, true, 'what is large without them stays as it is');
  },
);
