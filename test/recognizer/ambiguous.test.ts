import t from 'tap';
import { type Manifest } from '../../src/bundle/index.js';
import { acceptedAt } from '../../src/measure/evaluate/curve.js';
import { hearAgain } from '../../src/measure/evaluate/network.js';
import { rejectedPayload } from '../../src/publish/payloads.js';
import { certaintyOf } from '../../src/recognizer/index.js';
import { refusal } from '../../src/cli/transcribe.js';
import { fault } from '../sim/schemas.js';
import { clipOf, grammarOf, phonesOf, said, silence } from '../sim/said-clip.js';
import { listenerManifest } from '../sim/spoken-network.js';
import { shippedWith } from '../sim/shipped-manifest.js';

const rival = { bias: 0, weights: { margin: 1 } };

const manifest = (minCertainty?: number): Manifest => ({
  ...listenerManifest,
  decoding: { priorWeight: 0, logPrior: listenerManifest.decoding.logPrior, blankBias: 0 },
  confidence: {
    bias: 2,
    weights: { llrMean: 1 },
    rival,
    threshold: 0.2,
    ...(minCertainty === undefined ? {} : { minCertainty }),
  },
});

/** "stop" and "go left" at the same time, the first a little likelier. */
const between = (p: number, q: number) => {
  const [a, b] = [phonesOf('stop'), phonesOf('go left')];
  const rows = Array.from({ length: Math.max(a.length, b.length) }, (_, i) => ({
    [a[i] ?? 0]: p,
    [b[i] ?? 0]: q,
  }));
  return clipOf([...silence, ...rows.flatMap((r) => [r, { 0: 0.9 }]), ...silence]);
};

void t.test('what another command explains nearly as well is refused, with both', async (t) => {
  const grammar = grammarOf(['stop', 'go left']);
  const clear = await hearAgain(
    manifest(0.9),
    clipOf([...silence, ...said('stop', 0.6, 0.2)]),
    grammar,
  );
  t.match(clear, { accepted: true, text: 'stop' });
  t.notOk('ambiguous' in clear);
  const clip = between(0.4, 0.38);
  const heard = await hearAgain(manifest(0.9), clip, grammar, { minConfidence: 0 });
  t.match(heard, { accepted: false, reason: 'ambiguous', ambiguous: true });
  t.ok(heard.second !== undefined && heard.second.text !== heard.text);
  t.notOk(acceptedAt(heard, 0), 'the curve counts it as refused at any threshold');
  const times = {
    boot: 'b',
    seq: 1,
    startedAtMs: 0,
    endedAtMs: 1,
    latencyMs: 1,
    model: 'm@1',
    grammar: 'g',
  };
  t.equal(fault('rejected', rejectedPayload(heard, times)), '', 'as in docs/mqtt');
  t.match(refusal(heard), `ambiguous; or "${heard.second?.text ?? ''}"?`);
  t.match(rejectedPayload(heard, times), {
    reason: 'ambiguous',
    best: { text: heard.text },
    second: { text: heard.second?.text },
  });
  t.equal(
    (await hearAgain(manifest(), clip, grammar, { minConfidence: 0 })).accepted,
    true,
    'a bundle without it',
  );
  t.equal(
    (await hearAgain(manifest(0.9), clip, grammar, { minConfidence: 0, minCertainty: 0 })).accepted,
    true,
    'a configuration that wants none',
  );
  const own = grammarOf(['stop', 'go left'], { minConfidence: 0 });
  t.equal(
    (await hearAgain(manifest(0.9), clip, own)).accepted,
    true,
    'an intent with a threshold of its own',
  );
});

void t.test('too little confidence is said first, and a lone command has no rival', async (t) => {
  const clip = between(0.4, 0.38);
  const grammar = grammarOf(['stop', 'go left']);
  t.match(await hearAgain(manifest(0.9), clip, grammar, { minConfidence: 0.999 }), {
    reason: /low-confidence|not-a-command/,
    ambiguous: true,
  });
  t.match(await hearAgain(manifest(0.99), clip, grammarOf(['stop']), { minConfidence: 0 }), {
    accepted: true,
  });
});

void t.test('certainty is the logistic function of the rival evidence', async (t) => {
  t.equal(certaintyOf({ margin: 0 }, { rival }), 0.5);
  t.ok(Math.abs(certaintyOf({ margin: Math.log(3) }, { rival }) - 0.75) < 1e-12);
  t.equal(certaintyOf({ margin: 0 }, {}), 1);
});

void t.test('a least certainty that cannot be is refused', async (t) => {
  const parsed = (minCertainty: unknown) => shippedWith('confidence', { minCertainty });
  t.equal(parsed(0.7).confidence.minCertainty, 0.7);
  for (const bad of [1.5, -0.1, 'much'])
    t.throws(() => parsed(bad), { message: /confidence\.minCertainty/ });
});
