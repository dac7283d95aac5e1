import t from 'tap';
import { type Manifest } from '../../src/bundle/index.js';
import { cut, hearAgain, joined, type NetworkClip } from '../../src/measure/evaluate/network.js';
import { Recognizer, type Look } from '../../src/recognizer/index.js';
import { decide, type Finding } from '../../src/recognizer/finding.js';
import { clipOf, grammarOf, phonesOf, said, silence, type Row } from '../sim/said-clip.js';
import { listenerManifest, spokenNetwork } from '../sim/spoken-network.js';
import { shippedWith } from '../sim/shipped-manifest.js';

/** The confidence is the ratio of the phones, and how many of the looks agree. */
const manifest = (threshold: number, warps?: readonly number[]): Manifest => ({
  ...listenerManifest,
  decoding: {
    priorWeight: 0,
    logPrior: listenerManifest.decoding.logPrior,
    blankBias: 0,
    ...(warps === undefined ? {} : { warps }),
  },
  confidence: { bias: 2, weights: { llrMean: 1 }, threshold },
});

const grammar = grammarOf(['conveyor two', 'conveyor', 'machine one', 'stop']);
/** Each phone less likely than another that the words do not have. */
const drowned = (own: number, other: number): readonly Row[] => [
  ...silence,
  ...phonesOf('machine one').flatMap((unit) => {
    const row = { [unit]: own, [1 + (unit % 5)]: other };
    return [row, row, { 0: 0.9 }];
  }),
  ...silence,
];
const mumbled = drowned(0.25, 0.5);
const hopeless = drowned(0.01, 0.9);
const clear: readonly Row[] = [...silence, ...said('machine one', 0.8, 0.1), ...silence];

const withLooks = (first: readonly Row[], ...others: (readonly Row[])[]): NetworkClip => ({
  ...clipOf(first),
  looks: others.map((rows) => clipOf(rows).logProbs),
});

void t.test('what would be refused is heard through another vocal tract', async (t) => {
  const clip = withLooks(mumbled, clear);
  const alone = await hearAgain(manifest(0.7), clip, grammar);
  const both = await hearAgain(manifest(0.7, [0.9]), clip, grammar);
  t.equal(alone.accepted, false);
  t.match(both, { accepted: true, text: 'machine one' });
  t.ok(both.confidence > alone.confidence);
});

void t.test('what is clear at first is not heard again, nor what is hopeless', async (t) => {
  const look: Look = () => Promise.reject(new Error('looked'));
  for (const rows of [clear, silence, hopeless])
    await t.resolves(hearAgain(manifest(0.7), clipOf(rows), grammar, { looks: [look] }));
  await t.rejects(
    hearAgain(manifest(0.7), clipOf(mumbled), grammar, { looks: [look] }),
    /looked/,
    'only what is not',
  );
});

void t.test("how sure an utterance is does not depend on a site's threshold", async (t) => {
  const clip = withLooks(mumbled, clear);
  for (const m of [manifest(0.7, [0.9]), manifest(0.01, [0.9])]) {
    const some = await Promise.all(
      [0, 0.3, 0.99].map((minConfidence) => hearAgain(m, clip, grammar, { minConfidence })),
    );
    t.equal(new Set(some.map((h) => h.confidence)).size, 1);
  }
});

void t.test('looks get the rows of all that was said and 240 ms more, in one piece', async (t) => {
  const { dim, units } = spokenNetwork;
  const steps = 120;
  const rows = Float32Array.from({ length: steps * dim }, (_, i) => Math.sin(i));
  let given = new Float32Array(0);
  const look: Look = (r) => {
    given = Float32Array.from(r);
    return Promise.resolve({
      data: new Float32Array((r.length / dim) * units).fill(-Math.log(units)),
      steps: r.length / dim,
    });
  };
  const recognizer = new Recognizer(
    manifest(0.99),
    { ...spokenNetwork, begin: () => mumbling(units, dim) },
    grammar,
    { looks: [look] },
  );
  const utterance = recognizer.beginUtterance(0);
  for (let at = 0; at < rows.length; at += 7 * dim)
    await utterance.feed(rows.slice(at, at + 7 * dim));
  await utterance.finish();
  // The last phone of what was mumbled, the step after it, and 240 ms.
  const said = mumbled.length - silence.length;
  t.same(given, rows.slice(0, (said - 1 + 8) * dim));
});

/** A network that says what was mumbled, then silence, whatever it is fed. */
function mumbling(units: number, dim: number) {
  const { logProbs, steps } = clipOf(mumbled);
  const quiet = clipOf(silence).logProbs.subarray(0, units);
  let at = 0;
  return {
    feed: (rows: Float32Array) => {
      const count = rows.length / dim;
      const data = new Float32Array(count * units);
      for (let i = 0; i < count; i++, at++)
        data.set(at < steps ? logProbs.subarray(at * units, (at + 1) * units) : quiet, i * units);
      return Promise.resolve({ data, steps: count });
    },
    finish: () => Promise.resolve({ data: new Float32Array(0), steps: 0 }),
  };
}

void t.test('what is not plain is also judged begun later', async (t) => {
  const shifted = (clip: NetworkClip) =>
    hearAgain(
      { ...manifest(0.2), decoding: { ...manifest(0.2).decoding, shifts: [1, 2] } },
      clip,
      grammar,
    );
  const before = await hearAgain(manifest(0.2), withLooks(mumbled, clear, clear), grammar);
  const after = await shifted(withLooks(mumbled, clear, clear));
  t.equal(before.accepted, true, 'it would not be refused');
  t.ok(after.confidence > before.confidence, 'and is looked at all the same');
});

void t.test('what is plain at first is not judged begun later', async (t) => {
  const look: Look = () => Promise.reject(new Error('looked'));
  const rival = { bias: 8, weights: {} };
  const sure = (bias: number): Manifest => ({
    ...manifest(0.2),
    decoding: { ...manifest(0.2).decoding, shifts: [1] },
    confidence: { ...manifest(0.2).confidence, rival: { ...rival, bias } },
  });
  await t.resolves(hearAgain(sure(8), clipOf(clear), grammar, { looks: [look] }));
  await t.rejects(hearAgain(sure(2), clipOf(clear), grammar, { looks: [look] }), /looked/);
  await t.resolves(
    hearAgain(sure(2), clipOf(hopeless), grammar, { looks: [look] }),
    'nor is what is hopeless',
  );
});

void t.test('shifts that cannot be are refused', async (t) => {
  const parsed = (shifts: unknown) => shippedWith('decoding', { shifts });
  t.same(parsed([1, 2]).decoding.shifts, [1, 2]);
  for (const bad of ['1', [0], [3], [1.5], [null], [1, 1]])
    t.throws(() => parsed(bad), { message: /decoding\.shifts: expected different whole/ });
});

void t.test('parts of clips and several clips keep their looks', async (t) => {
  const clip = withLooks(clear, mumbled.slice(0, clear.length));
  const part = cut(clip, 3, 20);
  t.same(
    part.looks?.map((l) => l.length),
    [part.logProbs.length],
  );
  const two = joined(clip, clip);
  t.same(
    two.looks?.map((l) => l.length),
    [two.logProbs.length],
  );
  t.notOk('looks' in joined(clipOf(clear), clipOf(clear)));
});

void t.test('what more of the looks find is surer', async (t) => {
  const finding = (key: string, llrMean: number, margin = 1) =>
    ({
      meaning: { intent: key, slots: {}, said: {}, key },
      evidence: { llrMean, margin },
    }) as unknown as Finding;
  const confidence = {
    bias: 0,
    weights: { llrMean: 1 },
    rival: { bias: 0, weights: { agreement: 8 } },
    threshold: 0.5,
  };
  const most = decide([finding('a', 1), finding('b', 0.8), finding('b', 0.7)], { confidence });
  t.match(most, { meaning: { key: 'b' }, evidence: { llrMean: 0.8 } });
  t.equal(most?.evidence.agreement, 2 / 3);
  const { rival: _, ...without } = confidence;
  t.match(
    decide([finding('a', 1), finding('b', 0.8), finding('b', 0.7)], { confidence: without }),
    {
      meaning: { key: 'a' },
    },
  );
  t.equal(decide([], { confidence }), undefined);
  const far = [finding('a', 1, 2), finding('b', 0.8, 20), finding('b', 0.7, 1)];
  const byMargin = { ...confidence, rival: { bias: 0, weights: { marginMean: 2 } } };
  const ahead = decide(far, { confidence: byMargin });
  t.match(ahead, { meaning: { key: 'b' } });
  t.equal(
    ahead?.evidence.marginMean,
    (6 + 1 - 2) / 3,
    'how far ahead each look is, no look too far',
  );
});

void t.test('warps that cannot be are refused', async (t) => {
  const parsed = (warps: unknown) => shippedWith('decoding', { warps });
  t.same(parsed([0.9, 1.1]).decoding.warps, [0.9, 1.1]);
  for (const bad of ['0.9', [0.1], [2], [NaN], [null], [0.9, 0.91, 0.92, 0.93, 0.94]])
    t.throws(() => parsed(bad), { message: /decoding\.warps: expected at most 4 numbers/ });
});
