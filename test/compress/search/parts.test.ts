import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { nextBudget, type Tried } from '../../../src/compress/search/bisect.js';
import { stages } from '../../../src/compress/search/candidate.js';
import { Journal } from '../../../src/compress/search/journal.js';
import { isWithin } from '../../../src/compress/search/search.js';
import { Remaining } from '../../../src/compress/search/remaining.js';

void t.test('budgets close in on the smallest that is within', async (t) => {
  for (let smallest = 1200; smallest < 100_000; smallest = Math.round(smallest * 1.3)) {
    const limits = { limit: 100_000, least: 1000, most: 12 };
    const tried: Tried[] = [];
    for (;;) {
      const budget = nextBudget(tried, limits);
      if (budget === undefined) break;
      t.notOk(
        tried.some((other) => other.budget === budget),
        'never the same twice',
      );
      tried.push({ budget, within: budget >= smallest });
    }
    const found = Math.min(...tried.filter((c) => c.within).map((c) => c.budget));
    t.ok(found >= smallest && found / smallest < 1.11, `${found} for ${smallest}`);
    t.ok(tried.length <= 8);
  }
});

void t.test('budgets: none within, few tries, nothing below', async (t) => {
  const limits = { limit: 5000, least: 1000, most: 3 };
  t.equal(nextBudget([{ budget: 5000, within: false }], limits), undefined);
  const tried = [5000, 2236, 1500].map((budget) => ({ budget, within: true }));
  t.equal(nextBudget(tried, limits), undefined);
  t.equal(nextBudget([{ budget: 5000, within: true }], { ...limits, least: 4900 }), undefined);
});

void t.test('a journal gives back what is finished, and only to the same search', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'kikitori-journal-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, 'journal.jsonl');
  let nowMs = 0;
  const open = (minutes: number) => Journal.open(path, { minutes, list: [1] }, () => nowMs);
  const first = await open(3);
  const make = async (value: number) => {
    nowMs += 1500;
    return { value };
  };
  t.same(await first.once('a', () => make(1)), { value: 1 });
  await t.rejects(
    first.once('b', () => Promise.reject(new Error('no'))),
    /no/,
  );
  const again = await open(3);
  t.same(await again.once('a', () => make(2)), { value: 1 });
  t.equal(again.secondsOf('a'), 1.5);
  t.notOk(again.has('b'));
  await t.rejects(open(4), /minutes was 3, is 4/);
});

void t.test('within: all prompts together count, where there are several sets', async (t) => {
  const upTo = (high: number) => ({ value: 0, low: -high, high });
  t.ok(isWithin({ a: upTo(0.02), b: upTo(0.005), all: upTo(0.009) }, 0.01));
  t.notOk(isWithin({ a: upTo(0.005), b: upTo(0.005), all: upTo(0.011) }, 0.01));
  t.notOk(isWithin({ a: upTo(0.011) }, 0.01));
});

void t.test('what is left is told by what the stages took', async (t) => {
  const took: Record<string, number> = Object.fromEntries(
    stages.map((stage) => [`b100/${stage}`, stage === 'fine-tune' ? 600 : 60]),
  );
  const lines: string[] = [];
  let nowMs = 0;
  const remaining = new Remaining(
    { secondsOf: (key) => took[key] },
    { minutes: 20, candidates: 3, progress: (line) => lines.push(line), nowMs: () => nowMs },
  );
  remaining.say('b100', 'after', 1);
  remaining.say('b70', 'fine-tune', 0.5, 1);
  nowMs += 5000;
  remaining.say('b70', 'fine-tune', 0.6, 1);
  t.equal(lines.length, 2, 'not more often than every ten seconds');
  // Half of 600 s and four stages of a minute; then one candidate of 16 minutes.
  t.match(
    lines[1],
    /^2 of at most 3, 70 bytes: fine-tune 50 %; 9 min left of this candidate, at most 25 min/,
  );
});
