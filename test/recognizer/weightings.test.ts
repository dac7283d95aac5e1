import t from 'tap';
import { type Manifest, type Weighting } from '../../src/bundle/index.js';
import { hearAgain } from '../../src/measure/evaluate/network.js';
import { weightingsBeside } from '../../src/measure/calibrate/decoding.js';
import { weighted, scoresOf } from '../../src/recognizer/scores.js';
import { clipOf, grammarOf, said, silence } from '../sim/said-clip.js';
import { listenerManifest } from '../sim/spoken-network.js';
import { shippedWith } from '../sim/shipped-manifest.js';

const units = listenerManifest.units.length;

/** The confidence is the ratio of the phones alone, so that weightings differ by what they find. */
const manifest = (weightings?: readonly Weighting[], blankBias = 0): Manifest => ({
  ...listenerManifest,
  decoding: {
    priorWeight: 0,
    logPrior: listenerManifest.decoding.logPrior,
    blankBias,
    ...(weightings === undefined ? {} : { weightings }),
  },
  confidence: { bias: 2, weights: { llrMean: 1 }, threshold: 0.2 },
});

void t.test('a weighting without a prior of its own is the plain score', async (t) => {
  const { logProbs } = clipOf([...silence, ...said('go left', 0.6, 0.2)]);
  const { decoding } = manifest();
  const weighting = { priorWeight: 0.5, blankBias: 1 };
  t.same(weighted(logProbs, decoding, { ...weighting, ownShare: 0 }), {
    scores: scoresOf(logProbs, { ...decoding, ...weighting }),
    logProbs,
  });
});

void t.test("an utterance's own prior: the definition, row by row", async (t) => {
  const { logProbs, steps } = clipOf([...silence, ...said('stop', 0.6, 0.2)]);
  const { decoding } = manifest();
  const { logPrior } = decoding;
  for (const ownShare of [0.5, 1]) {
    const { scores: got } = weighted(logProbs, decoding, {
      priorWeight: 0.8,
      blankBias: 1,
      ownShare,
    });
    let worst = 0;
    const heard = (u: number) => {
      let sum = 60 * Math.exp(logPrior[u] ?? 0);
      for (let s = 0; s < steps; s++) sum += Math.exp(logProbs[s * units + u] ?? 0);
      return sum;
    };
    let [phonesHeard, phonesUsual] = [0, 0];
    for (let u = 1; u < units; u++) {
      phonesHeard += heard(u);
      phonesUsual += Math.exp(logPrior[u] ?? 0);
    }
    for (let u = 0; u < units; u++) {
      const given = logPrior[u] ?? 0;
      const own = u === 0 ? given : Math.log((heard(u) / phonesHeard) * phonesUsual);
      const prior = (1 - ownShare) * given + ownShare * own;
      for (let s = 0; s < steps; s++) {
        const want = (logProbs[s * units + u] ?? 0) - 0.8 * prior + (u === 0 ? 1 : 0);
        worst = Math.max(worst, Math.abs(want - (got[s * units + u] ?? 0)));
      }
    }
    t.ok(worst < 1e-5, `share ${ownShare}: ${worst}`);
  }
});

void t.test("how long it was silent does not change an utterance's own prior", async (t) => {
  const { decoding } = manifest();
  const words = clipOf(said('stop', 0.6, 0.2)).logProbs;
  const weighting = { priorWeight: 0.8, blankBias: 1, ownShare: 1 };
  const blank = Array.from({ length: units }, (_, u) => (u === 0 ? 0 : -100));
  const long = Float32Array.from([...words, ...Array.from({ length: 200 }, () => blank).flat()]);
  const { scores } = weighted(long, decoding, weighting);
  t.same(scores.slice(0, words.length), weighted(words, decoding, weighting).scores);
});

/** "machine one", its second word as sure as is said: the phones' probability and blank's beside them. */
const machineOne = (phone: number, blank: number) =>
  clipOf([...silence, ...said('machine', 0.6, 0.3), ...said('one', phone, blank), ...silence]);

void t.test('the weighting with most confidence counts, never one with less', async (t) => {
  const grammar = grammarOf(['conveyor two', 'conveyor', 'machine one']);
  // The second word's phones drown in blank, until a weighting takes something off it.
  const clip = machineOne(0.01, 0.97);
  const alone = await hearAgain(manifest(undefined, 0.5), clip, grammar);
  const both = await hearAgain(manifest([{ priorWeight: 0, blankBias: -4 }], 0.5), clip, grammar);
  t.equal(both.text, 'machine one');
  t.ok(both.confidence > alone.confidence, `${both.confidence} over ${alone.confidence}`);
  for (const blankBias of [-3, 0, 2, 5]) {
    const some = await hearAgain(manifest([{ priorWeight: 0, blankBias }]), clip, grammar);
    const first = await hearAgain(manifest(), clip, grammar);
    const second = await hearAgain(manifest(undefined, blankBias), clip, grammar);
    t.equal(some.confidence, Math.max(first.confidence, second.confidence), `blank ${blankBias}`);
  }
});

void t.test('other weightings never make speech of what the first calls none', async (t) => {
  const clip = clipOf([...silence, ...silence]);
  const heard = await hearAgain(
    manifest([{ priorWeight: 0, blankBias: -20 }]),
    clip,
    grammarOf(['stop', 'go left']),
  );
  t.match(heard, { accepted: false, reason: 'noise', intent: null });
});

void t.test('a weighting that votes counts for and against, and never decides', async (t) => {
  const grammar = grammarOf(['machine one', 'machine', 'stop']);
  const clip = machineOne(0.6, 0.3);
  // So much blank that it finds another sentence.
  const heavy = { priorWeight: 0, blankBias: 3 };
  const alone = await hearAgain(manifest(), clip, grammar);
  const votes = await hearAgain(manifest([{ ...heavy, votes: true }]), clip, grammar);
  t.equal(alone.text, 'machine one');
  t.equal(votes.text, 'machine one');
  t.equal(alone.evidence['agreement'], 1);
  t.equal(votes.evidence['agreement'], 0.5);
});

void t.test(
  'calibration puts a vote and a prior of its own beside the weighting it chose',
  async (t) => {
    const logPrior = [...listenerManifest.decoding.logPrior];
    t.same(weightingsBeside({ priorWeight: 0.6, logPrior, blankBias: 0 }), [
      { priorWeight: 0.6, blankBias: 1, votes: true },
      { priorWeight: 0.8, blankBias: 1, ownShare: 1 },
    ]);
  },
);

void t.test('weightings that cannot be are refused', async (t) => {
  const parsed = (weightings: unknown) => shippedWith('decoding', { weightings });
  const good = { priorWeight: 0.6, blankBias: 1, ownShare: 1 };
  t.same(parsed([good]).decoding.weightings, [good]);
  for (const bad of [
    good,
    [{ ...good, priorWeight: 3 }],
    [{ ...good, ownShare: 1.1 }],
    [{ priorWeight: 0.6 }],
    [{ ...good, votes: 1 }],
    Array.from({ length: 5 }, () => good),
  ])
    t.throws(() => parsed(bad), { message: /decoding\.weightings: expected at most 4/ });
});
