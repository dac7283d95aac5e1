import t from 'tap';
import { randomFrom } from '../../../src/measure/evaluate/statistics.js';
import type { Acoustic } from '../../../src/recognizer/acoustic.js';
import {
  compileDictation,
  Dictation,
  DictationStream,
  withWeights,
  type DictatedSegment,
} from '../../../src/recognizer/dictation/index.js';
import { waysToSay } from '../../../src/recognizer/dictation/dictation-graph.js';
import { alignSentence } from '../../../src/recognizer/search/align.js';
import { spokenBy } from '../../sim/spoken-scores.js';
import { fullLexicon, tinyLexicon, units } from '../../sim/tiny-checkpoint.js';
import { PlainLanguageModel, type PlainNgrams } from '../../sim/plain-language-model.js';

const count = units.length;
const lexicon = fullLexicon();

/** A model of a few n-grams; all other words follow each other with little. */
function modelOf(words: readonly string[], ngrams: Readonly<Record<string, number>>) {
  const all = ['<unk>', '<s>', '</s>', ...words];
  const ln = new Map(all.map((w): [string, number] => [w, -5]));
  const backOff = new Map<string, number>();
  for (const [text, value] of Object.entries(ngrams)) {
    ln.set(text, value);
    const before = text.split(' ').slice(0, -1).join(' ');
    if (before !== '') backOff.set(before, -1);
  }
  const given: PlainNgrams = { order: 3, words: all, ln, backOff };
  return new PlainLanguageModel(given);
}

const spoken = (...words: readonly string[]) => spokenBy(lexicon, words);

const textOf = (d: Dictation) =>
  d
    .finish()
    .words.map((w) => w.text)
    .join(' ');

function heard(model: PlainLanguageModel, scores: Float32Array, from = lexicon): string {
  const dictation = new Dictation(compileDictation(model, from));
  dictation.feed(scores, count);
  return textOf(dictation);
}

void t.test('words that sound alike are told apart by what they stand beside', (t) => {
  const words = ['two', 'to', 'too', 'lights', 'go', 'home', 'late'];
  const model = modelOf(words, {
    'two lights': -0.5,
    'go to': -0.5,
    'to home': -1,
    'too late': -0.3,
  });
  t.equal(heard(model, spoken('two', 'lights')), 'two lights');
  t.equal(heard(model, spoken('go', 'two', 'home')), 'go to home');
  t.equal(heard(model, spoken('two', 'late')), 'too late');
  t.end();
});

void t.test('weighed otherwise it is as if it had been compiled so', (t) => {
  const words = ['two', 'to', 'too', 'lights', 'go', 'home', 'late'];
  const model = modelOf(words, { 'two lights': -0.5, 'go to': -0.5, 'too late': -0.3 });
  const scores = spoken('go', 'two', 'home');
  const found = (graph: ReturnType<typeof compileDictation>) => {
    const dictation = new Dictation(graph);
    dictation.feed(scores, count);
    return dictation.finish();
  };
  const graph = compileDictation(model, lexicon);
  const before = found(graph);
  for (const weights of [
    { language: 0.3, word: 1 },
    { language: 2, word: -4 },
  ])
    t.same(
      found(withWeights(graph, weights)),
      found(compileDictation(model, lexicon, { weights })),
      JSON.stringify(weights),
    );
  t.same(found(graph), before, 'and the first is as it was');
  t.end();
});

void t.test('how words fit is their best alignment beside the best of each frame', (t) => {
  const words = ['two', 'lights', 'go', 'home', 'late'];
  const random = randomFrom(31);
  const graph = compileDictation(modelOf(words, {}), lexicon, {
    boosted: new Map([['late', 0.7]]),
  });
  for (let round = 0; round < 10; round++) {
    const pick = () => words[Math.floor(random() * words.length)] ?? '';
    const scores = spoken(pick(), pick(), pick()).map((s) => s - 3 * random());
    const dictation = new Dictation(graph, { beam: 200, tokensMax: 20_000, latticeBeam: 8 });
    dictation.feed(scores, count);
    const found = dictation.finish().words;
    const end = (found.at(-1)?.endFrame ?? -1) + 1;
    const said = found.map(({ text }) => waysToSay(text, lexicon));
    // The last phone is said in the last frame: no blank follows it.
    let best = 0;
    for (let at = 0; at < end * count; at += count)
      best += Math.max(...scores.subarray(at, at + count));
    const { score } = alignSentence(said, scores.subarray(0, end * count), count);
    const fit = found.reduce((sum, word) => sum + word.fit, 0);
    t.ok(Math.abs(fit - (score - best)) < 1e-3, `${fit.toFixed(3)}: ${(score - best).toFixed(3)}`);
    t.ok(found.every((word) => word.fit <= 0));
  }
  t.end();
});

void t.test('words that other words begin with', (t) => {
  const model = modelOf(['light', 'lights', 'lighthouse', 'house', 'keeper'], {});
  t.equal(heard(model, spoken('lights', 'light')), 'lights light');
  t.equal(heard(model, spoken('lighthouse')), 'lighthouse');
  t.end();
});

void t.test('nothing is said: no words, and whole', (t) => {
  const graph = compileDictation(modelOf(['light'], {}), lexicon);
  const empty = new Dictation(graph);
  t.match(empty.finish(), { words: [], complete: true });
  t.strictSame(empty.partial(), { committed: [], open: [] });
  t.strictSame(empty.commit(), []);
  const silent = new Dictation(graph);
  silent.feed(spoken('', '', ''), count);
  t.match(silent.finish(), { words: [], complete: true });
  t.end();
});

void t.test('audio that ends in a word gives the words before it', (t) => {
  const dictation = new Dictation(compileDictation(modelOf(['light', 'keeper'], {}), lexicon), {
    beam: 10,
    tokensMax: 100,
    latticeBeam: 4,
  });
  const scores = spoken('light', 'keeper');
  dictation.feed(scores.subarray(0, scores.length - 4 * count), count);
  const { words, complete } = dictation.finish();
  t.strictSame(
    words.map((w) => w.text),
    ['light'],
  );
  t.equal(complete, false);
  t.end();
});

void t.test('a word that nothing says the sound of is counted, not listened for', (t) => {
  const graph = compileDictation(modelOf(['light', 'ж', '1990s', '&'], {}), lexicon);
  t.equal(graph.words, 1);
  t.equal(graph.unpronounced, 3);
  t.throws(() => compileDictation(modelOf(['ж'], {}), lexicon), {
    message: /no word of the language model has a pronunciation/,
  });
  t.end();
});

void t.test("a word in no dictionary is said by rules; a site's own as the site says", (t) => {
  const [tiny, both] = [tinyLexicon(), ['blorfing', 'light']];
  t.equal(heard(modelOf(both, {}), spokenBy(tiny, both), tiny), 'blorfing light');
  const phones = lexicon.lookup('light').map((p) => [...p.phones]);
  const own = lexicon.withUserWords(new Map([['ж', phones]]));
  const dictation = new Dictation(compileDictation(modelOf(['ж'], {}), own));
  dictation.feed(spoken('light'), count);
  t.equal(textOf(dictation), 'ж');
  t.end();
});

void t.test('a boosted term wins against one that sounds alike, known to the model or not', (t) => {
  const model = modelOf(['flour', 'light'], {});
  const graph = (boost: number) =>
    compileDictation(model, lexicon, { boosted: new Map([['flower', boost]]) });
  const said = (boost: number) => {
    const dictation = new Dictation(graph(boost));
    dictation.feed(spoken('flour'), count);
    return textOf(dictation);
  };
  t.equal(said(2), 'flower');
  t.equal(said(-2), 'flour');
  t.end();
});

void t.test('confidence: sure of the plain, in doubt between equals', (t) => {
  const graph = compileDictation(modelOf(['light', 'flour', 'flower'], {}), lexicon);
  const of = (word: string) => {
    const dictation = new Dictation(graph);
    dictation.feed(spoken(word), count);
    return dictation.finish().words[0]?.confidence ?? NaN;
  };
  t.ok(of('light') > 0.8, `${of('light')}`);
  t.ok(Math.abs(of('flour') - 0.5) < 0.1, `${of('flour')}`);
  t.end();
});

void t.test(
  'at the limit of tokens the best go on: plain speech is still heard, memory stays',
  (t) => {
    const words = [
      ...'light lights keeper house home late go two flour never table cable'.split(' '),
    ];
    const graph = compileDictation(modelOf(words, {}), lexicon);
    const dictation = new Dictation(graph, { beam: 200, tokensMax: 8, latticeBeam: 8 });
    dictation.feed(spoken('never', 'go', 'home', 'late'), count);
    t.equal(textOf(dictation), 'never go home late');
    const { framesAtLimit, frames } = dictation.figures;
    t.ok(framesAtLimit > 0 && framesAtLimit <= frames, `${framesAtLimit} of ${frames}`);
    t.end();
  },
);

/** A network that says what its rows say, in the groups in which it is asked. */
function echo(): Acoustic {
  return {
    units: count,
    dim: count,
    begin: () => ({
      feed: async (rows) => ({ data: rows.slice(), steps: rows.length / count }),
      finish: async () => ({ data: new Float32Array(0), steps: 0 }),
    }),
  };
}

const plain = { priorWeight: 0, logPrior: Array.from({ length: count }, () => 0), blankBias: 0 };

async function streamed(scores: Float32Array, cut: () => number, options = {}) {
  const words = ['light', 'keeper', 'never', 'go', 'home', 'late'];
  const graph = compileDictation(modelOf(words, { 'go home': -0.5 }), lexicon);
  const stream = new DictationStream(echo(), graph, plain, {
    stepMs: 30,
    chunkSteps: 4,
    pauseMs: 300,
    ...options,
  });
  const segments: DictatedSegment[] = [];
  for (let at = 0; at < scores.length;) {
    const to = at + count * cut();
    segments.push(...(await stream.feed(scores.subarray(at, to))));
    at = to;
  }
  segments.push(...(await stream.finish()));
  return segments;
}

const speech = spoken('never', 'go', 'home', '', '', 'light', 'keeper', '', '', '', 'late');

void t.test(
  'a stream is cut at pauses, with times; chunks make no difference (law 2)',
  async (t) => {
    const random = randomFrom(5);
    const wanted = await streamed(speech, () => 1000);
    t.strictSame(
      wanted.map((s) => s.words.map((w) => w.word).join(' ')),
      ['never go home', 'light keeper', 'late'],
    );
    let last = 0;
    for (const { startMs, endMs, words } of wanted) {
      t.ok(startMs >= last && endMs > startMs);
      t.equal(words[0]?.startMs, startMs);
      last = endMs;
    }
    t.ok(last <= (speech.length / count) * 30);
    for (let i = 0; i < 5; i++)
      t.strictSame(await streamed(speech, () => 1 + Math.floor(random() * 9)), wanted);
  },
);

void t.test('the network hears on over pauses, and starts afresh at one a minute', async (t) => {
  let begun = 0;
  const network = echo();
  const counted: Acoustic = {
    ...network,
    begin: () => {
      begun++;
      return network.begin();
    },
  };
  const graph = compileDictation(modelOf(['light', 'keeper'], {}), lexicon);
  const stream = new DictationStream(counted, graph, plain, {
    ...{ stepMs: 30, chunkSteps: 4, pauseMs: 300 },
  });
  const said = spoken('light', 'keeper', '', '');
  const stepsSaid = said.length / count;
  let segments = 0;
  for (let steps = 0; steps < 4 * 2000 - stepsSaid; steps += stepsSaid)
    segments += (await stream.feed(said)).length;
  t.ok(segments > 100, `${segments} segments`);
  t.equal(begun, 4, 'at the beginning, and after each of the first three minutes');
});

void t.test('while nobody speaks the network starts afresh four times a minute', async (t) => {
  let begun = 0;
  const network = echo();
  const counted: Acoustic = { ...network, begin: () => (begun++, network.begin()) };
  const graph = compileDictation(modelOf(['light'], {}), lexicon);
  const stream = new DictationStream(counted, graph, plain, { stepMs: 30, chunkSteps: 4 });
  for (let s = 0; s < 61; s++) t.same(await stream.feed(spoken('', '', '', '')), []);
  t.equal(begun, 1 + Math.floor((61 * 40) / 500));
});

void t.test(
  'speech without pauses is handed out as it is certain, in bounded memory',
  async (t) => {
    const words = Array.from(
      { length: 400 },
      (_, i) => ['never', 'go', 'home', 'late'][i % 4] ?? '',
    );
    const segments = await streamed(spoken(...words), () => 50, { commitMs: 3000 });
    t.ok(segments.length > 10, `${segments.length} segments`);
    t.strictSame(
      segments.flatMap((s) => s.words.map((w) => w.word)),
      words,
    );
  },
);
