import t from 'tap';
import {
  firstStage,
  nextStep,
  parseStages,
  type AutoState,
  type Stage,
} from '../../src/fleet/index.js';

const stage = (percent: number, more: Partial<Stage> = {}): Stage => ({
  percent,
  minSample: 10,
  success: 95,
  pauseAbove: 10,
  holdMs: 0,
  ...more,
});
const begin: AutoState = { deployment: 'd', stage: 0, enteredAtMs: 0, status: 'running' };
const stages = [stage(5), stage(25, { holdMs: 60_000 }), stage(100)];

void t.test('every row of the table', async (t) => {
  const rows: [string, Partial<AutoState>, [number, number, number], number, string][] = [
    ['too few have finished', {}, [20, 9, 0], 0, 'wait'],
    ['enough, all well', {}, [20, 10, 0], 0, 'widen'],
    [
      'one of ten failed: 10 % is not above 10 %, but 90 % is no success',
      {},
      [20, 9, 1],
      0,
      'wait',
    ],
    ['two of ten failed', {}, [20, 8, 2], 0, 'pause'],
    ['two failed before the sample is there', {}, [20, 0, 2], 0, 'pause'],
    ['one failed before the sample is there', {}, [20, 0, 1], 0, 'wait'],
    ['one failed of many', {}, [20, 39, 1], 0, 'widen'],
    ['the step holds fewer than the sample', {}, [3, 3, 0], 0, 'widen'],
    ['nobody of those seen so far is in this step', {}, [0, 0, 0], 9_999, 'wait'],
    ['nobody is in this step', {}, [0, 0, 0], 10_000, 'widen'],
    ['the hold is not over', { stage: 1 }, [50, 50, 0], 59_999, 'wait'],
    ['the hold is over', { stage: 1 }, [50, 50, 0], 60_000, 'widen'],
    ['failures count during the hold', { stage: 1 }, [50, 30, 20], 5, 'pause'],
    ['the last step', { stage: 2 }, [100, 100, 0], 0, 'finish'],
    ['paused stays paused', { status: 'paused' }, [20, 20, 0], 0, 'wait'],
    ['done stays done', { status: 'done', stage: 2 }, [20, 0, 20], 0, 'wait'],
  ];
  for (const [why, change, [taking, committed, failed], nowMs, wanted] of rows) {
    const state = { ...begin, ...change };
    const reports = { known: 30, offline: 0, taking, committed, failed };
    const { action, state: after } = nextStep(stages, state, reports, nowMs);
    t.equal(action.do, wanted, `${why}: ${action.why}`);
    if (action.do === 'wait') t.equal(after, state);
    if (action.do === 'widen')
      t.same(
        [action.percent, after.stage, after.enteredAtMs],
        [stages[state.stage + 1]?.percent, state.stage + 1, nowMs],
      );
    if (action.do === 'pause') t.equal(after.status, 'paused');
  }
});

void t.test('laws, over every small report', async (t) => {
  let looked = 0;
  for (let at = 0; at < stages.length; at++)
    for (let committed = 0; committed <= 24; committed++)
      for (let failed = 0; failed <= 24; failed++) {
        const reports = { known: 30, offline: 0, taking: 30, committed, failed };
        const { action, state } = nextStep(stages, { ...begin, stage: at }, reports, 1e9);
        looked++;
        if (state.stage < at || state.stage > at + 1) t.fail('a step is skipped or taken back');
        const more = nextStep(
          stages,
          { ...begin, stage: at },
          { ...reports, failed: failed + 1 },
          1e9,
        );
        if (action.do === 'pause' && more.action.do === 'widen') t.fail('a further failure helps');
        if (action.do === 'widen' && 100 * committed < 95 * (committed + failed))
          t.fail('widened below the threshold');
      }
  t.pass(`${looked} reports`);
});

void t.test('silence is no success', async (t) => {
  const nobody = { known: 0, offline: 0, taking: 0, committed: 0, failed: 0 };
  t.match(nextStep(stages, begin, nobody, 1e9).action, { do: 'wait', why: /no board/ });
  const away = { ...nobody, known: 20, offline: 3 };
  t.match(nextStep(stages, begin, away, 1e9).action, { do: 'wait', why: /3 boards .* offline/ });
  t.equal(nextStep(stages, begin, { ...nobody, known: 20 }, 1e9).action.do, 'widen');
});

void t.test('where a plan begins', async (t) => {
  t.same(
    [0, 5, 6, 25, 80, 100].map((p) => firstStage(stages, p)),
    [0, 0, 1, 1, 2, 2],
  );
});

void t.test('a plan in YAML', async (t) => {
  const plan = parseStages(
    'stages:\n  - percent: 1\n  - {percent: 50, minSample: 20, success: 99, pauseAbove: 1, holdMinutes: 30}\n',
    'plan.yaml',
  );
  t.same(plan[0], { percent: 1, minSample: 10, success: 95, pauseAbove: 5, holdMs: 0 });
  t.same(plan[1], { percent: 50, minSample: 20, success: 99, pauseAbove: 1, holdMs: 1_800_000 });
  t.throws(
    () =>
      parseStages(
        'stages:\n  - {percent: 101, hold: 3}\n  - {percent: 5, success: "all"}\n',
        'plan.yaml',
      ),
    {
      message:
        /plan\.yaml: 3 fault.*line 2.*unknown key hold.*percent is 101.*line 3.*success is "all"/,
      exitStatus: 2,
    },
  );
  t.throws(
    () => parseStages('stages:\n  - percent: 50\n  - percent: 50\n', 'x'),
    /not more than the step before/,
  );
  for (const bad of ['', 'stages: []', 'stages: 5', 'a: [', 'stages:\n  - 5\n'])
    t.throws(() => parseStages(bad, 'x'), /fault/, JSON.stringify(bad));
});
