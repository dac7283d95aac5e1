import t from 'tap';
import { chooseThreshold, fitConfidence } from '../../src/measure/calibrate/calibrate.js';
import {
  makeExamples,
  makerOf,
  mixture,
  type JudgedExample,
  type Kind,
} from '../../src/measure/calibrate/examples.js';
import { commandSentence } from '../../src/measure/calibrate/commands.js';
import { plateauCentre } from '../../src/measure/calibrate/decoding.js';
import { chooseEndpoint, longestQuiet } from '../../src/measure/calibrate/pauses.js';
import { fitLogistic } from '../../src/measure/calibrate/logistic.js';
import { mutated, NearWords, soundDistance } from '../../src/measure/calibrate/near.js';
import {
  areaUnderCurve,
  bins,
  calibrationError,
  risingCurve,
} from '../../src/measure/calibrate/reliability.js';
import { randomFrom } from '../../src/measure/evaluate/statistics.js';
import { interpolated, scoreOf } from '../../src/recognizer/index.js';
import { enumerateSentences, type GrammarDetails } from '../../src/recognizer/grammar/index.js';
import { clipOf, said, silence } from '../sim/said-clip.js';
import { listenerManifest } from '../sim/spoken-network.js';
import { tinyLexicon, units } from '../sim/tiny-checkpoint.js';

void t.test('logistic regression finds the weights that made the data', async (t) => {
  const random = randomFrom(3);
  const truth = { bias: -1, weights: { a: 2, b: -0.5 } };
  const examples = Array.from({ length: 4000 }, () => {
    const evidence = { a: 3 * random() - 1, b: 10 * random() };
    const right = random() < 1 / (1 + Math.exp(-scoreOf(evidence, truth)));
    return { evidence, right, weight: 1 };
  });
  const { bias, weights } = fitLogistic(examples, { a: 1, b: 0 }, 1e-5);
  t.ok(Math.abs(bias + 1) < 0.25, `bias ${bias}`);
  t.ok(Math.abs((weights['a'] ?? 0) - 2) < 0.25);
  t.ok(Math.abs((weights['b'] ?? 0) + 0.5) < 0.08);
  t.equal(fitLogistic(examples, { a: 1, b: 1 }).weights['b'], 0, 'never against its sign');
});

void t.test('the curve rises, and makes probabilities of scores', async (t) => {
  const random = randomFrom(5);
  const of = (count: number) =>
    Array.from({ length: count }, () => {
      const score = 6 * random() - 3;
      return { score, right: random() < 1 / (1 + Math.exp(-2 * score)), weight: 1 };
    });
  const curve = risingCurve(of(4000));
  t.ok(
    curve.every(
      ([x, y], i) => i === 0 || (x > (curve[i - 1]?.[0] ?? x) && y >= (curve[i - 1]?.[1] ?? y)),
    ),
  );
  const judged = of(4000).map((s) => ({ ...s, probability: interpolated(curve, s.score) }));
  t.ok(calibrationError(judged) < 0.03, `error ${calibrationError(judged)}`);
  const sure = judged.map((j) => ({ ...j, probability: 1 }));
  t.ok(calibrationError(sure) > 0.4, 'claiming certainty is seen');
  t.equal(
    bins(judged).reduce((s, b) => s + b.weight, 0),
    4000,
  );
  t.same(risingCurve([{ score: 1, right: true, weight: 1 }]).length >= 2, true);
});

void t.test(
  'a grammar of words left out and words that come in: what was said is among it',
  async (t) => {
    const lexicon = tinyLexicon();
    const texts = ['stop the red light', 'go left', 'one two three', 'stop'];
    const clips = texts.map((text) => ({ text, clip: clipOf([]) }));
    const maker = makerOf(clips, lexicon, randomFrom(3));
    const sizes = new Set<number>();
    for (let n = 0; n < 40; n++)
      for (const text of texts) {
        const grammar = maker.optional(text);
        const all = [...enumerateSentences(grammar, 1000)].map((ids) =>
          ids.map((id) => grammar.graph.words[id]).join(' '),
        );
        t.ok(all.includes(text), text);
        const words = text.split(' ');
        const own = all.filter(
          (s) => s.startsWith(words[0] ?? '') || s.endsWith(words.at(-1) ?? ''),
        );
        for (const s of own) sizes.add(s.split(' ').length - words.length);
      }
    t.ok(sizes.has(-1) && sizes.has(0) && sizes.has(1), [...sizes].join());
  },
);

void t.test(
  'words offered in place of one mean something else; words left out do not',
  async (t) => {
    const lexicon = tinyLexicon();
    const texts = ['stop the red light', 'go left', 'one two three', 'stop'];
    const maker = makerOf(
      texts.map((text) => ({ text, clip: clipOf([]) })),
      lexicon,
      randomFrom(3),
    );
    const meanings = (grammar: GrammarDetails, like: (words: number) => boolean) =>
      [...enumerateSentences(grammar, 500)]
        .filter((ids) => like(ids.length) && grammar.graph.words[ids[0] ?? 0] !== 'go')
        .map((ids) => ({
          text: ids.map((id) => grammar.graph.words[id]).join(' '),
          key: grammar.interpret(ids).key,
        }));
    const others = meanings(maker.many('one two three'), (words) => words === 3);
    t.ok(others.length > 5);
    t.equal(new Set(others.map((m) => m.key)).size, new Set(others.map((m) => m.text)).size);
    const short = meanings(maker.optional('stop the red light'), (words) => words > 1);
    t.ok(new Set(short.map((m) => m.text)).size > new Set(short.map((m) => m.key)).size);
  },
);

void t.test('what is right is judged by meaning', async (t) => {
  const clips = ['stop the red light', 'go left', 'one two three'].map((text) => ({
    text,
    clip: clipOf([...silence, ...said(text, 0.8, 0.1), ...silence]),
  }));
  const maker = makerOf(clips, tinyLexicon(), randomFrom(3));
  const examples = await makeExamples(listenerManifest, clips, maker, randomFrom(4), () => {});
  const kinds = (right: boolean) =>
    new Set(examples.filter((e) => e.right === right).map((e) => e.kind));
  t.ok(
    ['few', 'many', 'optional'].every((kind) => kinds(true).has(kind as Kind)),
    [...kinds(true)].join(),
  );
  t.notOk(
    kinds(true).has('otherSpeech') || kinds(true).has('nearMiss') || kinds(true).has('fragment'),
  );
});

void t.test('area under the curve: ties count half', async (t) => {
  const s = (score: number, right: boolean) => ({ score, right });
  t.equal(areaUnderCurve([s(1, true), s(0, false)]), 1);
  t.equal(areaUnderCurve([s(0, true), s(1, false)]), 0);
  t.equal(areaUnderCurve([s(1, true), s(1, false)]), 0.5);
});

void t.test('confidence: rounded weights, a threshold at the stated point', async (t) => {
  const random = randomFrom(8);
  const example = (kind: Kind, group: number, right: boolean): JudgedExample => ({
    kind,
    group,
    right,
    weight: mixture[kind],
    evidence: {
      lead: (right ? 10 : -10) + random(),
      clarity: (kind === 'noise' ? -4 : -1) + random(),
      margin: right ? 5 + random() : random(),
    },
  });
  const examples = Array.from({ length: 300 }, (_, g) => [
    example('few', g, true),
    example('otherSpeech', g, false),
    example('noise', g, false),
  ]).flat();
  const { confidence, heldOut, threshold } = fitConfidence(examples);
  t.equal(confidence.version, 3);
  const both = { bias: 2, weights: {}, rival: { bias: 1, weights: {} } };
  const sigmoid = (v: number) => 1 / (1 + Math.exp(-v));
  t.ok(Math.abs(sigmoid(scoreOf({}, both)) - sigmoid(2) * sigmoid(1)) < 1e-12, 'both must hold');
  const all = { ...both, speech: { bias: -3, weights: {} } };
  const three = sigmoid(2) * sigmoid(1) * sigmoid(-3);
  t.ok(Math.abs(sigmoid(scoreOf({}, all)) - three) < 1e-12, 'all three must hold');
  t.ok(heldOut.areaUnderCurve > 0.99);
  t.ok(heldOut.calibrationError < 0.05);
  t.ok((threshold.acceptedOf['otherSpeech'] ?? 1) <= 0.01);
  t.equal(threshold.acceptedOf['noise'], 0);
  t.ok(threshold.rightAccepted > 0.95);
});

void t.test('prior and blank: the middle of the plateau, not a peak of chance', async (t) => {
  const of = (right: (prior: number, blank: number) => number) =>
    [0, 0.2, 0.4, 0.6, 0.8].flatMap((priorWeight) =>
      [-2, -1, 0, 1, 2].map((blankBias) => ({
        priorWeight,
        blankBias,
        right: right(priorWeight, blankBias),
      })),
    );
  const ridge = (prior: number, blank: number) =>
    Math.abs(prior - 0.4 - 0.2 * blank) < 0.01 ? 0.85 : 0.7;
  const { priorWeight, blankBias } = plateauCentre(of(ridge), 400);
  t.same({ priorWeight, blankBias }, { priorWeight: 0.4, blankBias: 0 });
  const lucky = plateauCentre(
    of((p, b) => (p === 0 && b === -2 ? 0.855 : ridge(p, b))),
    400,
  );
  t.equal(lucky.blankBias, 0, 'a point that is higher by less than chance moves nothing');
  const clear = plateauCentre(
    of((p, b) => (p === 0 && b === 2 ? 0.99 : 0.7)),
    400,
  );
  t.same([clear.priorWeight, clear.blankBias], [0, 2], 'a clear winner wins');
  t.equal(plateauCentre([], 0).priorWeight, 0);
});

void t.test('near words sound alike and are other words', async (t) => {
  const lexicon = tinyLexicon();
  const phones = (word: string) => lexicon.lookup(word)[0]?.phones ?? [];
  const far = (a: string, b: string) => soundDistance(phones(a), phones(b), units);
  t.ok(far('on', 'off') < far('on', 'machine'));
  t.equal(far('two', 'to') < 1, true);
  const near = new NearWords(['forty', 'forty', 'four', 'fourteen', 'machine', 'lights'], lexicon);
  t.notOk(near.of('four').includes('four'));
  t.ok(near.of('light').includes('lights'));
  const random = randomFrom(1);
  for (let i = 0; i < 50; i++) {
    const other = mutated(phones('machine'), units, random);
    t.ok(other.length === phones('machine').length);
    t.ok(soundDistance(other, phones('machine'), units) > 0);
    t.ok(!other.includes(0));
  }
  t.match(commandSentence(random), /^[a-z ]+$/);
});

void t.test('endpoint times outlast the quiet inside sentences', async (t) => {
  const lexicon = tinyLexicon();
  const clipOf = (pause: number) => {
    const said = ['go', 'left'].map((w) =>
      (lexicon.lookup(w)[0]?.phones ?? []).flatMap((p) => [p, 0]),
    );
    const path = [
      0,
      0,
      ...(said[0] ?? []),
      ...Array<number>(pause).fill(0),
      ...(said[1] ?? []),
      0,
      0,
      0,
    ];
    const logProbs = Float32Array.from(
      path.flatMap((u) => units.map((_, k) => Math.log(k === u ? 0.9 : 0.1 / 39))),
    );
    return { logProbs, steps: path.length, levels: new Float32Array(path.length) };
  };
  const words = ['go', 'left'].map((w) => lexicon.lookup(w).map((p) => p.phones));
  t.equal(longestQuiet(clipOf(9), words), 10);
  const from = {
    finalMs: 330,
    prefixMs: 810,
    nothingMs: 1500,
    maxUtteranceMs: 9000,
    preRollMs: 600,
  };
  const clips = Array.from({ length: 100 }, (_, i) => ({ text: 'go left', clip: clipOf(i % 10) }));
  const times = chooseEndpoint(clips, lexicon, 30, from);
  t.ok(times.finalMs >= 210 && times.finalMs <= 330, `${times.finalMs}`);
  t.ok((times.openMs ?? 0) >= times.finalMs && times.prefixMs >= (times.openMs ?? 0));
  t.equal(times.preRollMs, 600);
  t.same(chooseEndpoint([], lexicon, 30, from), from);
});

void t.test(
  'threshold: refusing a right command is cheap beside carrying out what is none',
  (t) => {
    const many = (count: number, kind: 'few' | 'otherSpeech' | 'noise', probability: number) =>
      Array.from({ length: count }, () => ({ kind, right: kind === 'few', probability }));
    const nothing = [...many(96, 'otherSpeech', 0.05), ...many(100, 'noise', 0)];
    const some = many(4, 'otherSpeech', 0.6);
    const of = (examples: ReturnType<typeof many>) =>
      chooseThreshold(examples, (e) => e.probability);
    t.equal(of([...many(100, 'few', 0.9), ...nothing]), 0.3, 'no lower than that');
    t.equal(of([...many(100, 'few', 0.9), ...nothing, ...some]), 0.61, 'above what costs more');
    t.equal(of([...many(85, 'few', 0.9), ...many(15, 'few', 0.5), ...nothing, ...some]), 0.61);
    t.equal(of([...many(80, 'few', 0.9), ...many(20, 'few', 0.5), ...nothing, ...some]), 0.3);
    const misheard = (count: number) =>
      many(count, 'few', 0.6).map((e) => ({ ...e, right: false }));
    const heard = [...many(80, 'few', 0.9), ...many(10, 'few', 0.5), ...nothing];
    t.equal(of([...heard, ...misheard(2)]), 0.3, 'ten right ones are worth two wrong ones');
    t.equal(of([...heard, ...misheard(3)]), 0.61, 'but not three');
    t.end();
  },
);
