import t from 'tap';
import { randomFrom } from '../../src/compress/evaluate/statistics.js';
import { enumerateSentences, type GrammarDetails } from '../../src/recognizer/grammar/index.js';
import { compileGrammar } from '../../src/recognizer/index.js';
import { alignPhones, alignSentence } from '../../src/recognizer/search/align.js';
import { TokenSearch } from '../../src/recognizer/search/token-search.js';
import { tinyLexicon, units } from '../sim/tiny-checkpoint.js';

const lexicon = tinyLexicon();
const vocabulary = ['a', 'on', 'off', 'go', 'two', 'to', 'red', 'b', 'three', 'the', 'left'];

/** A random small grammar, at most 200 sentences. */
function randomGrammar(random: () => number): GrammarDetails {
  const pick = () => vocabulary[Math.floor(random() * vocabulary.length)] ?? 'a';
  const part = (): string => {
    const r = random();
    if (r < 0.5) return pick();
    if (r < 0.7) return `[${pick()}]`;
    return `(${pick()}|${pick()} ${pick()}|${pick()})`;
  };
  const sentences = Array.from(
    { length: 1 + Math.floor(random() * 3) },
    () => `${pick()} ${part()} ${part()}`,
  );
  return compileGrammar(JSON.stringify({ intents: { A: { data: [{ sentences }] } } }), {
    file: 'random',
    lexicon,
  });
}

/** Every sentence and every choice of pronunciations, each aligned by itself: the meaning of "best". */
function reference(g: GrammarDetails, scores: Float32Array): { text: string; score: number }[] {
  const best = new Map<string, number>();
  for (const ids of enumerateSentences(g, 1000)) {
    const ways = ids.reduce<{ unit: number; word: number }[][]>(
      (heads, id, w) =>
        heads.flatMap((h) =>
          g.phonesOf(id).map((p) => [...h, ...p.map((unit) => ({ unit, word: w }))]),
        ),
      [[]],
    );
    const text = ids.map((w) => g.graph.words[w]).join(' ');
    for (const phones of ways) {
      const { score } = alignPhones(phones, scores, units.length);
      best.set(text, Math.max(best.get(text) ?? -Infinity, score));
    }
  }
  return [...best]
    .map(([text, score]) => ({ text, score }))
    .filter((c) => c.score > -Infinity)
    .sort((a, b) => b.score - a.score);
}

void t.test('exact on two thousand random cases', async (t) => {
  const random = randomFrom(11);
  let wrongBest = 0;
  let wrongSecond = 0;
  let cases = 0;
  let compared = 0;
  let g = randomGrammar(random);
  while (cases < 2000) {
    if (cases % 10 === 0) g = randomGrammar(random);
    const frames = 3 + Math.floor(random() * 14);
    const scores = Float32Array.from({ length: frames * units.length }, () =>
      Math.log(random() ** 3 + 1e-4),
    );
    const [first, second] = reference(g, scores);
    for (const k of [1, 4]) {
      const search = new TokenSearch(g.graph, k);
      for (let f = 0; f < frames; f++) search.feed(scores, f * units.length);
      const found = search.best();
      if (first === undefined) {
        if (found.length > 0) wrongBest++;
        continue;
      }
      if (Math.abs((found[0]?.score ?? NaN) - first.score) > 1e-4) wrongBest++;
      if (k === 4 && second !== undefined) {
        compared++;
        if (Math.abs((found[1]?.score ?? NaN) - second.score) > 1e-4) wrongSecond++;
      }
      const words = found[0]?.words ?? [];
      const ordered = words.every(
        (w, i) =>
          w.startFrame <= w.endFrame &&
          w.startFrame > (words[i - 1]?.endFrame ?? -1) &&
          w.endFrame < frames,
      );
      if (!ordered) wrongBest++;
    }
    cases++;
  }
  t.equal(wrongBest, 0, 'the best sentence, with and without runners-up');
  t.equal(wrongSecond, 0, `the second sentence, ${compared} times`);
});

void t.test('alignment: times in order, the same score as the search', async (t) => {
  const g = compileGrammar('intents: {A: {data: [{sentences: ["go left"]}]}}', {
    file: 'x',
    lexicon,
  });
  const random = randomFrom(2);
  const scores = Float32Array.from({ length: 20 * units.length }, () => Math.log(random() + 1e-3));
  const search = new TokenSearch(g.graph);
  for (let f = 0; f < 20; f++) search.feed(scores, f * units.length);
  const [best] = search.best();
  const aligned = alignSentence(
    (best?.words ?? []).map((w) => g.phonesOf(w.word)),
    scores,
    units.length,
  );
  t.ok(Math.abs(aligned.score - (best?.score ?? NaN)) < 1e-4);
  t.ok(aligned.phones.every((p, i) => p.startFrame > (aligned.phones[i - 1]?.startFrame ?? -1)));
});
