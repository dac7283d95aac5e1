import t from 'tap';
import { randomFrom } from '../../../src/measure/evaluate/statistics.js';
import {
  compileDictation,
  Dictation,
  type DictatedWord,
  type DictationGraph,
} from '../../../src/recognizer/dictation/index.js';
import { DictationSearch } from '../../../src/recognizer/dictation/dictation-search.js';
import { LookAhead } from '../../../src/recognizer/dictation/look-ahead.js';
import { alignSentence } from '../../../src/recognizer/search/align.js';
import { tinyLexicon, units } from '../../sim/tiny-checkpoint.js';
import { PlainLanguageModel, randomNgrams } from '../../sim/plain-language-model.js';

/** Beginnings of each other, the same sounds twice, sounds alike, one with two pronunciations. Of few phones, so that all meet. */
const sounds = new Map<string, number[][]>([
  ['a', [[1]]],
  ['ab', [[1, 2]]],
  ['abc', [[1, 2, 3]]],
  ['abb', [[1, 2, 2]]],
  ['aab', [[1, 2]]],
  ['ca', [[3, 1], [3]]],
  ['bb', [[2, 2]]],
]);
const phonesUsed = 4;
const lexicon = tinyLexicon().withUserWords(sounds);
const open = { beam: Infinity, tokensMax: 2000, latticeBeam: Infinity };
const count = units.length;

/** Rows that are sure of blank or of a phone now and then, as a network is; other phones than those of the words have nothing. */
function randomScores(random: () => number, frames: number): Float32Array {
  const scores = new Float32Array(frames * count).fill(-12);
  for (let f = 0; f < frames; f++) {
    for (let u = 0; u < phonesUsed; u++) scores[f * count + u] = Math.log(random() ** 3 + 1e-4);
    const r = random();
    if (r < 0.3) scores[f * count + (r < 0.2 ? 0 : Math.floor(random() * phonesUsed))] = 0.5;
  }
  return scores;
}

const least = (text: string) => Math.min(...(sounds.get(text) ?? []).map((p) => p.length));

/** Every sequence of words that has room in the frames. */
function* sentences(words: readonly string[], frames: number): Generator<string[]> {
  yield [];
  for (const word of words)
    if (least(word) <= frames)
      for (const rest of sentences(words, frames - least(word))) yield [word, ...rest];
}

/** What a sentence is worth: its best alignment, and what the language model and the weights say. The meaning of "best". */
function worth(graph: DictationGraph, words: readonly string[], scores: Float32Array): number {
  const { model, weights } = graph;
  let context = model.begin;
  let total = alignSentence(
    words.map((w) => sounds.get(w) ?? []),
    scores,
    count,
  ).score;
  for (const text of words) {
    const word = model.numberOf(text) ?? model.unknown;
    total += weights.language * model.lnProbability(context, word) + weights.word;
    context = model.advance(context, word);
  }
  return total + (model.end < 0 ? 0 : weights.language * model.lnProbability(context, model.end));
}

function randomGraph(random: () => number): { graph: DictationGraph; words: string[] } {
  const words = [...sounds.keys()].filter(() => random() < 0.6);
  if (words.length === 0) words.push('ab');
  const order = 1 + Math.floor(random() * 3);
  const model = new PlainLanguageModel(
    randomNgrams(random, words, { order, ends: random() < 0.8 }),
  );
  const weights = { language: 0.3 + random(), word: 2 * random() - 1 };
  const graph = compileDictation(model, lexicon, { weights });
  if (random() < 0.5) return { graph, words };
  // As in a large tree: look-ahead by rows at every node.
  const { modelWord, bonus, mostBonus } = graph;
  const worth = { model, weight: weights.language, modelWord, bonus, mostBonus };
  const lookAhead = new LookAhead(graph.tree, worth, { narrow: 1, rowsBytes: 0 });
  return { graph: { ...graph, lookAhead }, words };
}

void t.test('with the beam wide open it finds what trying every sentence finds', (t) => {
  const random = randomFrom(28);
  let wrong = 0;
  for (let i = 0; i < 2000; i++) {
    const { graph, words } = randomGraph(random);
    const frames = 1 + Math.floor(random() * 4);
    const scores = randomScores(random, frames);
    let [wanted, best] = [-Infinity, ''];
    for (const sentence of sentences(words, frames)) {
      const value = worth(graph, sentence, scores);
      if (value > wanted) [wanted, best] = [value, sentence.join(' ')];
    }
    const dictation = new Dictation(graph, open);
    dictation.feed(scores, count);
    const found = dictation.finish();
    const text = found.words.map((w) => w.text).join(' ');
    const own = worth(graph, text === '' ? [] : text.split(' '), scores);
    if (Math.abs(found.score - wanted) < 1e-6 && Math.abs(own - wanted) < 1e-6) continue;
    if (wrong++ < 3) t.fail(`case ${i}: "${text}" ${found.score}, wanted "${best}" ${wanted}`);
  }
  t.equal(wrong, 0);
  t.end();
});

void t.test(
  'runners-up are different, in order, and worth no more than their own best alignment',
  (t) => {
    const random = randomFrom(29);
    for (let i = 0; i < 200; i++) {
      const { graph } = randomGraph(random);
      const scores = randomScores(random, 6);
      const dictation = new Dictation(graph, open);
      dictation.feed(scores, count);
      const found = dictation.best(5);
      const first = found[0];
      if (first === undefined) throw new Error('nothing was found');
      const { words, score } = dictation.finish();
      const same = first.words.join(' ') === words.map((w) => w.text).join(' ');
      if (!same || Math.abs(first.score - score) > 1e-9)
        t.fail(`case ${i}: the first is not the best`);
      if (new Set(found.map((f) => f.words.join(' '))).size !== found.length)
        t.fail('the same twice');
      found.forEach((f, n) => {
        if (f.score > (found[n - 1]?.score ?? Infinity)) t.fail('not in order');
        if (f.score > worth(graph, f.words, scores) + 1e-6) t.fail(`case ${i}: worth too much`);
      });
    }
    t.end();
  },
);

void t.test('a lattice holds the best sentence, and its parts add up to the score', (t) => {
  const random = randomFrom(30);
  for (let i = 0; i < 200; i++) {
    const { graph } = randomGraph(random);
    const scores = randomScores(random, 6);
    const dictation = new Dictation(graph, open);
    dictation.feed(scores, count);
    const { arcs, ends, places } = dictation.lattice();
    const { language, word } = graph.weights;
    const best = new Float64Array(places).fill(-Infinity);
    best[0] = 0;
    for (const arc of arcs)
      best[arc.to] = Math.max(
        best[arc.to] ?? 0,
        (best[arc.from] ?? 0) + arc.sound + language * arc.language + word,
      );
    const most = Math.max(...ends.map((e) => (best[e.place] ?? 0) + e.score));
    const { score } = dictation.finish();
    if (Math.abs(most - score) > 1e-4) t.fail(`case ${i}: ${most}, wanted ${score}`);
    if (arcs.some((a) => a.posterior < 0 || a.posterior > 1 + 1e-9)) t.fail('no share');
  }
  t.end();
});

void t.test('words have times in order, within the audio, and a confidence', (t) => {
  const random = randomFrom(31);
  for (let i = 0; i < 200; i++) {
    const { graph } = randomGraph(random);
    const dictation = new Dictation(graph, open);
    dictation.feed(randomScores(random, 8), count);
    let last = -1;
    for (const { startFrame, endFrame, confidence } of dictation.finish().words) {
      if (startFrame <= last || endFrame < startFrame || endFrame > 7) t.fail('times');
      if (!(confidence > 0 && confidence <= 1)) t.fail(`confidence ${confidence}`);
      last = endFrame;
    }
  }
  t.end();
});

void t.test('what is committed never changes, and forgetting it changes nothing', (t) => {
  const random = randomFrom(32);
  const limits = { beam: 8, tokensMax: 300, latticeBeam: 6 };
  let committedAny = 0;
  for (let i = 0; i < 60; i++) {
    const { graph } = randomGraph(random);
    const frames = 120;
    const scores = randomScores(random, frames);
    const whole = new Dictation(graph, limits);
    whole.feed(scores, count);
    const wanted = whole.finish();
    const parts = new Dictation(graph, limits);
    const words: DictatedWord[] = [];
    for (let f = 0; f < frames;) {
      const n = 1 + Math.floor(random() * 15);
      parts.feed(scores.subarray(f * count, (f + n) * count), count);
      f += n;
      const { committed } = parts.partial();
      const now = parts.commit();
      if (now.map((w) => w.text).join() !== committed.join()) t.fail('told otherwise');
      words.push(...now);
    }
    committedAny += words.length;
    words.push(...parts.finish().words);
    const plain = (list: typeof words) => list.map((w) => [w.text, w.startFrame, w.endFrame]);
    if (JSON.stringify(plain(words)) !== JSON.stringify(plain([...wanted.words])))
      t.fail(`case ${i}: not the same words`);
  }
  t.ok(committedAny > 500, `${committedAny} words were committed`);
  t.end();
});

void t.test('chunks make no difference (law 2)', (t) => {
  const random = randomFrom(33);
  for (let i = 0; i < 50; i++) {
    const { graph } = randomGraph(random);
    const scores = randomScores(random, 40);
    const limits = { beam: 6, tokensMax: 40, latticeBeam: 4 };
    const [whole, parts] = [new Dictation(graph, limits), new Dictation(graph, limits)];
    whole.feed(scores, count);
    for (let at = 0; at < scores.length;) {
      const n = count * (1 + Math.floor(random() * 7));
      parts.feed(scores.subarray(at, at + n), count);
      parts.partial();
      at += n;
    }
    const told = (d: Dictation) => JSON.stringify([d.finish(), d.best(3)]);
    if (told(parts) !== told(whole)) t.fail(`case ${i}`);
  }
  t.end();
});

void t.test('ten minutes without a pause: what is remembered stays small', (t) => {
  const random = randomFrom(34);
  const { graph } = randomGraph(random);
  const search = new DictationSearch(graph, { beam: 8, tokensMax: 300, latticeBeam: 6 });
  let [nodes, others, words] = [0, 0, 0];
  for (let second = 0; second < 600; second++) {
    const scores = randomScores(random, 33);
    for (let at = 0; at < scores.length; at += count) search.feed(scores, at);
    nodes = Math.max(nodes, search.links.size);
    others = Math.max(others, search.links.others);
    if (second % 15 !== 14) continue;
    const shared = search.shared();
    words += search.links.path(shared).length;
    search.compact(shared);
  }
  t.ok(words > 1000, `${words} words`);
  t.ok(nodes <= 40_000, `${nodes} nodes at most`);
  t.ok(others <= 80_000, `${others} alternatives at most`);
  t.end();
});
