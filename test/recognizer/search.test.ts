import { isDeepStrictEqual } from 'node:util';
import t from 'tap';
import { randomFrom } from '../../src/measure/evaluate/statistics.js';
import { enumerateSentences, type GrammarDetails } from '../../src/recognizer/grammar/index.js';
import { compileGrammar } from '../../src/recognizer/index.js';
import { alignPhones, alignSentence } from '../../src/recognizer/search/align.js';
import { RestBound } from '../../src/recognizer/search/rest-bound.js';
import { runnersUp } from '../../src/recognizer/search/runners-up.js';
import { TokenSearch } from '../../src/recognizer/search/token-search.js';
import { WordHistory } from '../../src/recognizer/search/word-history.js';
import { tinyLexicon, units } from '../sim/tiny-checkpoint.js';

const lexicon = tinyLexicon();
// Homophones (two, to), words that are beginnings of others' sounds (light, lights), and variants (a, the).
// None has an opposite, which the graph would hold beside the sentences.
const vocabulary = ['a', 'light', 'lights', 'go', 'two', 'to', 'red', 'b', 'three', 'the', 'blue'];

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

interface Problem {
  readonly g: GrammarDetails;
  readonly scores: Float32Array;
  readonly frames: number;
}

/** Random grammars with random scores; some frames are sure of blank or of a phone, as a network is. */
function* problems(count: number, seed: number): Generator<Problem> {
  const random = randomFrom(seed);
  let g = randomGrammar(random);
  for (let i = 0; i < count; i++) {
    if (i % 10 === 0) g = randomGrammar(random);
    const frames = 3 + Math.floor(random() * 14);
    const scores = Float32Array.from({ length: frames * units.length }, () =>
      Math.log(random() ** 3 + 1e-4),
    );
    for (let f = 0; f < frames; f++) {
      const r = random();
      if (r < 0.3) scores[f * units.length + (r < 0.2 ? 0 : Math.floor(random() * 40))] = 1;
    }
    yield { g, scores, frames };
  }
}

function searched({ g, scores, frames }: Problem): TokenSearch {
  const search = new TokenSearch(g.graph);
  for (let f = 0; f < frames; f++) search.feed(scores, f * units.length);
  return search;
}

void t.test('the best sentence is exact on three thousand random cases', async (t) => {
  let wrong = 0;
  let none = 0;
  for (const problem of problems(3000, 11)) {
    const [expected] = reference(problem.g, problem.scores);
    const [found] = searched(problem).best();
    if (expected === undefined || found === undefined) {
      none++;
      if (expected !== found) wrong++;
    } else if (Math.abs(found.score - expected.score) > 1e-4) wrong++;
  }
  t.equal(wrong, 0);
  t.ok(none > 10 && none < 1500, `${none} times too short for any sentence`);
});

void t.test(
  'the best token between two words is that of the best beginning made of whole words',
  async (t) => {
    const none = (frames: number, scores: Float32Array) =>
      Array.from({ length: frames }, (_, f) => scores[f * units.length] ?? 0).reduce(
        (a, b) => a + b,
        0,
      );
    let wrong = 0;
    for (const problem of problems(600, 23)) {
      const { g, scores, frames } = problem;
      const beginnings = new Map<string, readonly number[]>();
      for (const ids of enumerateSentences(g, 1000))
        for (let n = 1; n <= ids.length; n++)
          beginnings.set(ids.slice(0, n).join(), ids.slice(0, n));
      let expected = none(frames, scores);
      for (const ids of beginnings.values()) {
        const { score } = alignSentence(
          ids.map((id) => g.phonesOf(id)),
          scores,
          units.length,
        );
        expected = Math.max(expected, score);
      }
      const found = searched(problem).betweenWords();
      if (found.inWord || Math.abs(found.score - expected) > 1e-4) wrong++;
    }
    t.equal(wrong, 0);
  },
);

void t.test('word times are those of the best alignment', async (t) => {
  let wrong = 0;
  for (const problem of problems(500, 3)) {
    const [found] = searched(problem).best();
    if (found === undefined) continue;
    const { phones } = alignSentenceExactly(problem, found.words);
    found.words.forEach((w, i) => {
      const own = phones.filter((p) => p.word === i);
      const next = phones.find((p) => p.word === i + 1);
      const lastStart = own.at(-1)?.startFrame ?? NaN;
      if (w.startFrame !== own[0]?.startFrame) wrong++;
      if (!(w.endFrame >= lastStart && w.endFrame < (next?.startFrame ?? problem.frames))) wrong++;
    });
  }
  t.equal(wrong, 0);
});

void t.test('a sentence is aligned in the best of all choices of pronunciations', async (t) => {
  let wrong = 0;
  for (const problem of problems(1000, 5)) {
    const [found] = searched(problem).best();
    if (found === undefined) continue;
    const expected = alignSentenceExactly(problem, found.words);
    const { score, phones } = alignSentence(
      found.words.map((w) => problem.g.phonesOf(w.word)),
      problem.scores,
      units.length,
    );
    if (Math.abs(score - expected.score) > 1e-9) wrong++;
    const again = alignPhones(phones, problem.scores, units.length);
    phones.forEach(({ startFrame, endFrame }, i) => {
      if (startFrame !== again.phones[i]?.startFrame) wrong++;
      if (endFrame !== again.phones[i]?.endFrame) wrong++;
    });
  }
  t.equal(wrong, 0);
});

/** The best of all choices of pronunciations. */
function alignSentenceExactly({ g, scores }: Problem, words: readonly { word: number }[]) {
  const ways = words.reduce<{ unit: number; word: number }[][]>(
    (heads, { word }, w) =>
      heads.flatMap((h) =>
        g.phonesOf(word).map((p) => [...h, ...p.map((unit) => ({ unit, word: w }))]),
      ),
    [[]],
  );
  const aligned = ways.map((phones) => alignPhones(phones, scores, units.length));
  return aligned.reduce((best, a) => (a.score > best.score ? a : best));
}

void t.test(
  'runners-up: all within the window, unless it says that places were crowded',
  async (t) => {
    let wrong = 0;
    let crowdedOnes = 0;
    let compared = 0;
    for (const problem of problems(2000, 7)) {
      const [best] = searched(problem).best();
      if (best === undefined) {
        const none = runnersUp(problem.g.graph, problem.scores, units.length, { window: 6, k: 2 });
        if (none.candidates.length > 0) wrong++;
        continue;
      }
      const window = 6;
      const expected = reference(problem.g, problem.scores).filter(
        (c) => c.score >= best.score - window,
      );
      for (const k of [2, 8]) {
        const { candidates, crowded } = runnersUp(problem.g.graph, problem.scores, units.length, {
          best: best.score,
          window,
          k,
        });
        const alone = runnersUp(problem.g.graph, problem.scores, units.length, { window, k });
        if (!isDeepStrictEqual(alone, { candidates, crowded })) wrong++;
        if (crowded) {
          crowdedOnes++;
          // What is missing is worse than all that is there at one place: the best must be right.
          if (Math.abs((candidates[0]?.score ?? NaN) - best.score) > 1e-4) wrong++;
          continue;
        }
        compared += candidates.length;
        const texts = new Set(candidates.map((c) => c.words.map((w) => w.word).join()));
        if (texts.size !== candidates.length || candidates.length !== expected.length) wrong++;
        candidates.forEach((c, i) => {
          if (Math.abs(c.score - (expected[i]?.score ?? NaN)) > 1e-4) wrong++;
        });
      }
    }
    t.equal(wrong, 0, `${compared} sentences compared`);
    t.ok(compared > 3000 && crowdedOnes > 100, `crowded ${crowdedOnes} times`);
  },
);

const bytesOf = (row: Float32Array) => Buffer.from(row.buffer, row.byteOffset, row.byteLength);

void t.test('the bound on what is to come: exact at the start, the same in pieces', async (t) => {
  const random = randomFrom(8);
  let wrong = 0;
  for (const { g } of problems(60, 5)) {
    const frames = 20 + Math.floor(random() * 40);
    const scores = Float32Array.from({ length: frames * units.length }, () => Math.log(random()));
    const whole = new RestBound(g.graph, scores, units.length);
    const pieces = new RestBound(g.graph, scores, units.length, 1);
    for (let f = 0; f < frames; f++)
      if (Buffer.compare(bytesOf(pieces.after(f)), bytesOf(whole.after(f))) !== 0) wrong++;
    // From state 0 before the first frame: blank, or one of its arcs.
    const row = whole.after(0);
    const first = [(row[whole.firstState] ?? 0) + (scores[0] ?? 0)];
    for (let a = 0; a < (g.graph.arcStart[1] ?? 0); a++)
      first.push((row[a] ?? 0) + (scores[g.graph.arcUnit[a] ?? 0] ?? 0));
    const [best] = searched({ g, scores, frames }).best();
    if (!(Math.abs(Math.max(...first) - (best?.score ?? NaN)) < 1e-3)) wrong++;
  }
  t.equal(wrong, 0);
});

void t.test('a long utterance: old words are forgotten, the best sentence is not', async (t) => {
  const history = new WordHistory();
  const roots = Int32Array.from([-1, history.add(1, -1, 0, 2)]);
  for (let i = 0; i < 40_000; i++) history.add(2, roots[1] ?? -1, i, i + 1);
  roots[0] = history.add(3, roots[1] ?? -1, 5, 6);
  t.ok(history.crowded);
  const [before, hash] = [history.words(roots[0] ?? -1), history.hash(roots[0] ?? -1)];
  history.compact([roots]);
  t.equal(history.size, 2);
  t.same(history.words(roots[0] ?? -1), before);
  t.equal(history.hash(roots[0] ?? -1), hash);
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
