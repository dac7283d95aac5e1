import t from 'tap';
import { ActivityCounter } from '../../src/update/activity.js';
import { judge, nothingHeard, wilsonLow, type Statistics } from '../../src/update/trial.js';
import { isOpen, parseWindow } from '../../src/update/window.js';
import { maintenanceWindow } from '../../src/config/formats.js';
import { randomFrom } from '../../src/measure/evaluate/statistics.js';

const rules = { utterances: 60, durationMs: 3_600_000, minSample: 20, realTimeFactor: 0.5 };
/** n utterances of which a share is refused, at one confidence, with a spread. */
const heard = (n: number, refused: number, confidence: number, more: Partial<Statistics> = {}) => ({
  ...nothingHeard,
  utterances: n,
  refused: Math.round(n * refused),
  confidenceSum: n * confidence,
  confidenceSquares: n * (confidence ** 2 + 0.04),
  audioMs: n * 10_000,
  computeMs: n * 300,
  ...more,
});

void t.test('as good as before is committed, at the end and not sooner', async (t) => {
  const before = heard(200, 0.2, 0.8);
  t.match(judge(heard(59, 0.2, 0.8), before, 1000, rules), { verdict: 'go-on' });
  t.match(judge(heard(60, 0.2, 0.8), before, 1000, rules), { verdict: 'commit' });
  t.match(judge(heard(3, 0, 0.8), before, 3_600_000, rules), {
    verdict: 'commit',
    detail: /only 3 utterances in 60 minutes/,
  });
});

void t.test('far worse is rolled back as soon as the sample allows', async (t) => {
  const before = heard(200, 0.2, 0.8);
  t.match(judge(heard(19, 1, 0.1), before, 1000, rules), { verdict: 'go-on' });
  t.match(judge(heard(20, 0.8, 0.8), before, 1000, rules), {
    verdict: 'roll-back',
    reason: 'refuses',
    detail: /80 % of 20.*20 % before/,
  });
  t.match(judge(heard(20, 0.2, 0.4), before, 1000, rules), {
    verdict: 'roll-back',
    reason: 'unsure',
  });
  t.match(judge(heard(20, 1, 0.1), nothingHeard, 1000, rules), {
    verdict: 'roll-back',
    reason: 'refuses',
  });
  t.match(
    judge(heard(20, 0.5, 0.5), nothingHeard, 1000, rules),
    { verdict: 'go-on' },
    'first bundle ever',
  );
});

void t.test('cost is judged on half a minute of audio', async (t) => {
  const before = heard(200, 0.2, 0.8);
  const slow = (audioMs: number, computeMs: number) =>
    judge({ ...nothingHeard, audioMs, computeMs }, before, 1000, rules);
  t.match(slow(29_000, 29_000), { verdict: 'go-on' });
  t.match(slow(30_000, 16_000), { verdict: 'roll-back', reason: 'slow' });
  t.match(
    slow(30_000, 3_500),
    { verdict: 'roll-back', reason: 'slow' },
    'three times the old cost',
  );
  t.match(slow(30_000, 2_500), { verdict: 'go-on' }, 'three times of next to nothing is fine');
});

void t.test('sounds without answers: it hears nothing; a silent night says nothing', async (t) => {
  const before = heard(100, 0.2, 0.8, { bursts: 200 });
  const deaf = (bursts: number, n: number) =>
    judge(heard(n, 0, 0.8, { bursts }), before, 1000, rules);
  t.match(deaf(100, 0), { verdict: 'roll-back', reason: 'hears-nothing' });
  t.match(deaf(100, 15), { verdict: 'go-on' });
  t.match(deaf(30, 0), { verdict: 'go-on' });
  t.match(judge(heard(0, 0, 0), before, 3_600_000, rules), { verdict: 'commit' });
});

void t.test('an equally good bundle is hardly ever rolled back, a broken one always', async (t) => {
  const random = randomFrom(7);
  const run = (refusal: number, mean: number) => {
    let s: Statistics = nothingHeard;
    const before = heard(200, 0.2, 0.8);
    for (let i = 0; i < 60; i++) {
      const confidence = Math.min(1, Math.max(0, mean + 0.4 * (random() - 0.5)));
      s = {
        ...s,
        utterances: s.utterances + 1,
        refused: s.refused + (random() < refusal ? 1 : 0),
        confidenceSum: s.confidenceSum + confidence,
        confidenceSquares: s.confidenceSquares + confidence ** 2,
      };
      const { verdict } = judge(s, before, 1000, rules);
      if (verdict !== 'go-on') return verdict;
    }
    return 'go-on';
  };
  const share = (refusal: number, mean: number) =>
    Array.from({ length: 2000 }, () => run(refusal, mean)).filter((v) => v === 'roll-back').length /
    2000;
  t.ok(share(0.2, 0.8) < 0.01, 'the same');
  t.ok(share(0.25, 0.75) < 0.05, 'a little worse is borne');
  t.ok(share(0.8, 0.8) > 0.99, 'refuses most');
  t.ok(share(0.2, 0.4) > 0.99, 'is unsure of all');
  t.comment(
    `same ${share(0.2, 0.8)}, a little worse ${share(0.25, 0.75)}, 50 % refused ${share(0.5, 0.8)}`,
  );
});

void t.test('Wilson bound against a sum of the tail', async (t) => {
  // The bound p0 is where k or more hits of n have about 1 % probability.
  const tail = (n: number, k: number, p: number) => {
    let term = (1 - p) ** n;
    let below = 0;
    for (let i = 0; i < k; i++) {
      below += term;
      term *= ((n - i) / (i + 1)) * (p / (1 - p));
    }
    return 1 - below;
  };
  for (const [k, n] of [
    [10, 20],
    [18, 20],
    [30, 60],
  ] as const) {
    const probability = tail(n, k, wilsonLow(k, n));
    t.ok(probability > 0.001 && probability < 0.03, `${k} of ${n}: ${probability}`);
  }
  t.equal(wilsonLow(0, 0), 0);
});

void t.test('bursts: words are counted, steady noise and clicks are not', async (t) => {
  const random = randomFrom(3);
  const noise = (ms: number, amplitude: number) =>
    Float32Array.from({ length: 16 * ms }, () => amplitude * (random() - 0.5));
  const count = (...parts: Float32Array[]) => {
    const counter = new ActivityCounter(16_000);
    for (const part of parts)
      for (let at = 0; at < part.length; at += 700) counter.feed(part.subarray(at, at + 700));
    return counter.bursts;
  };
  const word = () => [noise(1000, 0.01), noise(500, 0.3), noise(1000, 0.01)];
  t.equal(count(...word(), ...word(), ...word()), 3);
  t.equal(count(noise(60_000, 0.2)), 0, 'a machine that runs');
  t.equal(count(noise(1000, 0.01), noise(60, 0.9), noise(2000, 0.01)), 0, 'a click');
  t.equal(count(new Float32Array(160_000)), 0);
});

void t.test('maintenance windows', async (t) => {
  // 2026-11-23 is a Monday.
  const at = (day: number, hour: number, minute = 0) => new Date(2026, 10, 23 + day, hour, minute);
  const open = (text: string, when: Date) => isOpen(parseWindow(text), when);
  t.ok(open('', at(0, 12)));
  t.ok(open('02:00-04:00', at(0, 2)));
  t.notOk(open('02:00-04:00', at(0, 4)));
  t.ok(open('22:00-02:00', at(3, 1, 59)));
  t.ok(open('Mon-Fri 22:00-02:00', at(0, 23)));
  t.ok(open('Mon-Fri 22:00-02:00', at(5, 1)), 'the window of Friday passes midnight');
  t.notOk(open('Mon-Fri 22:00-02:00', at(0, 1)), 'Monday at one belongs to Sunday');
  t.ok(open('Sat,Sun 00:00-24:00', at(6, 23, 59)));
  t.notOk(open('sat,sun 00:00-24:00', at(4, 12)));
  t.ok(open('fri-mon 01:00-03:00', at(6, 2)), 'over the end of the week');
  for (const bad of ['2:00-4:00', '02:00', 'Mo 02:00-04:00', '25:00-26:00', '02:00-24:30', 'x']) {
    t.throws(() => parseWindow(bad), { message: /expected a time like/ }, bad);
    t.throws(() => maintenanceWindow.validate(bad), `${bad} in the configuration`);
  }
  for (const good of ['', '02:00-04:00', 'Mon-Fri 22:00-02:00', 'Sat,Sun 00:00-24:00'])
    maintenanceWindow.validate(good);
});
