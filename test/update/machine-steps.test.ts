/** The machine, step by step: exactly which state and which actions, and where each limit lies. */
import t from 'tap';
import { canRollBack, isBusy, transition, type UpdateEvent } from '../../src/update/machine.js';
import { initialState, phases, type UpdateState } from '../../src/update/state.js';
import { nothingHeard, type Statistics } from '../../src/update/trial.js';
import { bundle, context } from '../sim/machine-setting.js';
import { offerOf } from '../sim/folder-source.js';

const old = offerOf(bundle('1.0.0'));
const fresh = offerOf(bundle('2.0.0'));
const deployment = fresh.deployment;
const step = (state: UpdateState, event: UpdateEvent) => transition(state, event, context);
const apply = (state: UpdateState, ...events: UpdateEvent[]) =>
  events.reduce((s, e) => step(s, e).state, state);
const heard = (change: Partial<Statistics>): Statistics => ({ ...nothingHeard, ...change });

/** The first bundle hears from slot A; the factory's was before it. */
const installed: UpdateState = {
  ...initialState,
  phase: 'committed',
  sinceMs: 5,
  current: 'A',
  installed: old,
  offer: old,
  previous: 'factory',
  run: { bootId: 'boot-1', clean: false },
};
const downloading = apply(installed, { type: 'offered', offer: fresh, explicit: false });
const verified = apply(
  downloading,
  { type: 'downloaded', deployment, path: '/x' },
  { type: 'stored', deployment },
);
const opened = apply(verified, { type: 'window-open' });
const before = heard({ utterances: 7 });
const trial = apply(opened, { type: 'prepared', deployment, before });
const none = { target: null, explicit: false, openings: 0, trial: null };

void t.test('offered: the other slot, and whatever was refused of it is forgotten', async (t) => {
  const refusal = (version: string) =>
    ({ sha256: bundle(version).sha256, version, reason: 'selftest', atMs: 1 }) as const;
  const refused = [refusal('2.0.0'), refusal('3.0.0')];
  const last = { reason: 'selftest', detail: 'x', openings: 2 } as const;
  const from: UpdateState = { ...installed, ...last, refused };
  t.same(step(from, { type: 'offered', offer: fresh, explicit: true }), {
    state: {
      ...installed,
      phase: 'downloading',
      sinceMs: context.nowMs,
      offer: fresh,
      explicit: true,
      target: 'B',
      openings: 0,
      trial: null,
      reason: null,
      detail: '',
      refused: [refusal('3.0.0')],
    },
    actions: [{ type: 'download', offer: fresh }],
  });
  const offered = (current: UpdateState['current']) =>
    apply({ ...installed, current }, { type: 'offered', offer: fresh, explicit: false }).target;
  t.equal(offered('B'), 'A');
  t.equal(offered('factory'), 'A');
  for (const state of [downloading, verified, trial])
    t.same(step(state, { type: 'offered', offer: old, explicit: true }), { state, actions: [] });
  t.same(
    phases.filter((phase) => isBusy(phase)),
    ['downloading', 'verified', 'trial'],
  );
});

void t.test(
  'downloaded, stored, opened: nothing is forgotten but what is overwritten',
  async (t) => {
    t.same(step(downloading, { type: 'downloaded', deployment, path: '/x' }), {
      state: downloading,
      actions: [{ type: 'point' }, { type: 'store', offer: fresh, slot: 'B', path: '/x' }],
    });
    const inB: UpdateState = { ...downloading, previous: 'B', previousInstalled: old };
    t.same(
      step(inB, { type: 'downloaded', deployment, path: '/x' }).state,
      { ...downloading, previous: null, previousInstalled: null },
      'the slot that is written is no longer one to go back to',
    );
    t.same(step(downloading, { type: 'stored', deployment }), {
      state: { ...downloading, phase: 'verified', sinceMs: context.nowMs },
      actions: [{ type: 'probe', offer: fresh, slot: 'B' }],
    });
    t.same(step(verified, { type: 'window-open' }), {
      state: { ...verified, openings: 1 },
      actions: [{ type: 'prepare', offer: fresh, slot: 'B' }],
    });
    t.same(step(downloading, { type: 'window-open' }), { state: downloading, actions: [] });
    const probed = (state: UpdateState, mayChange: boolean) =>
      step(state, { type: 'probed', deployment, mayChange }).actions.map((a) => a.type);
    t.same(probed(verified, false), [], 'waits for its window');
    t.same(probed(verified, true), ['prepare']);
    t.same(probed({ ...verified, explicit: true }, false), ['prepare'], 'asked for by a person');
    t.same(
      step(verified, { type: 'prepared', deployment, before }),
      { state: verified, actions: [] },
      'not counted as opened: not switched to',
    );
  },
);

void t.test('the trial begins, goes on, and ends well', async (t) => {
  t.same(step(opened, { type: 'prepared', deployment, before }), {
    state: {
      ...opened,
      phase: 'trial',
      sinceMs: context.nowMs,
      current: 'B',
      installed: fresh,
      previous: 'A',
      previousInstalled: old,
      trial: { elapsedMs: 0, statistics: nothingHeard, before, powerCuts: 0 },
      settling: null,
    },
    actions: [{ type: 'point' }, { type: 'switch' }],
  });
  const some = heard({ utterances: 3, confidenceSum: 2 });
  const twice = apply(
    trial,
    { type: 'observed', statistics: some, elapsedMs: 10 },
    { type: 'observed', statistics: some, elapsedMs: 5 },
    { type: 'observed', statistics: nothingHeard, elapsedMs: -3 },
  );
  t.same(twice, {
    ...trial,
    trial: {
      elapsedMs: 15,
      statistics: heard({ utterances: 6, confidenceSum: 4 }),
      before,
      powerCuts: 0,
    },
  });
  const good = heard({ utterances: 60, confidenceSum: 55, confidenceSquares: 51 });
  const done = step(trial, { type: 'observed', statistics: good, elapsedMs: 1000 });
  t.same(done.actions, [{ type: 'announce', event: 'model-committed' }]);
  const { detail, ...rest } = done.state;
  t.match(detail, /60/, 'says on what it was judged');
  const { detail: _, ...ofTrial } = trial;
  t.same(rest, {
    ...ofTrial,
    phase: 'committed',
    sinceMs: context.nowMs,
    reason: null,
    openings: 0,
    trial: { elapsedMs: 1000, statistics: good, before, powerCuts: 0 },
    settling: { aliveMs: 0, crashes: 0 },
  });
  const late = { type: 'observed', statistics: good, elapsedMs: 1 } as const;
  t.equal(step(done.state, late).state, done.state, 'nothing is observed after the trial');
  t.same(step({ ...trial, trial: null }, late).actions, []);
});

const rolledBack = (of: UpdateState, reason: string, detail: string) => ({
  ...of,
  ...none,
  phase: 'rolled-back',
  sinceMs: context.nowMs,
  reason,
  detail,
  offer: fresh,
  current: 'A',
  installed: old,
  previous: null,
  previousInstalled: null,
  settling: null,
  refused: [{ sha256: fresh.bundle.sha256, version: '2.0.0', reason, atMs: context.nowMs }],
});

void t.test('a trial that ends badly: the predecessor hears, with evidence', async (t) => {
  const slow = heard({ audioMs: 1e5, computeMs: 9e4 });
  const { state, actions } = step(trial, { type: 'observed', statistics: slow, elapsedMs: 10 });
  t.same(state, rolledBack(trial, 'slow', state.detail));
  const numbers = { elapsedMs: 10, statistics: slow, before, powerCuts: 0 };
  t.same(actions, [
    { type: 'return', place: 'A' },
    { type: 'point' },
    { type: 'evidence', of: { ...state, trial: numbers } },
    { type: 'announce', event: 'model-rolled-back' },
  ]);
  t.same(
    step({ ...trial, previous: null }, { type: 'roll-back', reason: 'requested' }).state.current,
    'factory',
    'without a predecessor: what was delivered',
  );
});

void t.test('a roll-back that is asked for, or an abort', async (t) => {
  const asked = { type: 'roll-back', reason: 'requested' } as const;
  const withdrawn = { type: 'roll-back', reason: 'withdrawn' } as const;
  const detail = { asked: 'an operator asked for it', withdrawn: 'the publisher withdrew it' };
  t.same(step(trial, asked).state, rolledBack(trial, 'requested', detail.asked));
  t.same(step(trial, withdrawn).state, rolledBack(trial, 'withdrawn', detail.withdrawn));
  t.same(step(trial, { type: 'abort' }), step(trial, asked));
  t.equal(step(installed, asked).state.current, 'factory');
  t.same(step(installed, withdrawn), { state: installed, actions: [] }, 'only what is on trial');
  for (const state of [downloading, verified])
    t.same(step(state, asked), { state, actions: [] }, `not while ${state.phase}`);
  t.same(step(initialState, asked), { state: initialState, actions: [] });
  t.notOk(canRollBack(initialState), 'nothing is before the factory');
  t.ok(canRollBack(installed));
  for (const state of [downloading, verified])
    t.same(step(state, { type: 'abort' }), {
      state: {
        ...state,
        ...none,
        phase: 'idle',
        sinceMs: context.nowMs,
        reason: 'aborted',
        detail: 'an operator stopped it',
      },
      actions: [{ type: 'cancel' }, { type: 'discard' }],
    });
  t.same(step(installed, { type: 'abort' }), { state: installed, actions: [] });
});

void t.test('failed and unfit: only the unfit is refused from then on', async (t) => {
  const fault = { reason: 'disk-full', detail: 'y'.repeat(600) } as const;
  for (const state of [downloading, verified]) {
    t.same(step(state, { type: 'failed', deployment, fault }), {
      state: {
        ...state,
        ...none,
        phase: 'failed',
        sinceMs: context.nowMs,
        reason: 'disk-full',
        detail: 'y'.repeat(500),
      },
      actions: [{ type: 'discard' }],
    });
    const unfit = { reason: 'selftest', detail: 'x' } as const;
    const rejected = {
      ...state,
      ...none,
      phase: 'rejected',
      sinceMs: context.nowMs,
      ...unfit,
      refused: [
        {
          sha256: fresh.bundle.sha256,
          version: '2.0.0',
          reason: 'selftest',
          atMs: context.nowMs,
        },
      ],
    };
    t.same(step(state, { type: 'unfit', deployment, fault: unfit }), {
      state: rejected,
      actions: [{ type: 'discard' }, { type: 'evidence', of: rejected }],
    });
  }
});

void t.test('thirty-two refusals are kept, the newest, each bundle once', async (t) => {
  let state = installed;
  const versions = Array.from({ length: 40 }, (_, i) => `2.0.${10 + i}`);
  const refuse = (version: string) => {
    const offer = offerOf(bundle(version));
    // The same bundle may be offered again by a person, and be refused again.
    state = apply(
      { ...state, phase: 'downloading', offer, target: 'B' },
      {
        type: 'unfit',
        deployment: offer.deployment,
        fault: { reason: 'selftest', detail: '' },
      },
    );
  };
  versions.forEach(refuse);
  t.same(
    state.refused.map((r) => r.version),
    versions.slice(-32),
  );
  refuse('2.0.30');
  t.equal(state.refused.length, 32);
  t.equal(state.refused.at(-1)?.version, '2.0.30');
  t.equal(state.refused.filter((r) => r.version === '2.0.30').length, 1);
});

void t.test(
  'starts while it is opened: three losses of power are nothing, a crash is',
  async (t) => {
    const start = (state: UpdateState, bootId: string) => step(state, { type: 'start', bootId });
    let state = opened;
    for (let cuts = 1; cuts <= 3; cuts++) {
      const next = start(state, `boot-${cuts + 1}`);
      t.match(next.state, { phase: 'verified', openings: cuts }, `loss ${cuts}`);
      t.same(next.actions, [{ type: 'point' }, { type: 'probe', offer: fresh, slot: 'B' }]);
      state = apply(next.state, { type: 'window-open' });
    }
    const fourth = start(state, 'boot-9');
    t.match(fourth.state, {
      phase: 'rejected',
      reason: 'crashed-loading',
      detail: 'the board lost power',
      run: { bootId: 'boot-9', clean: false },
    });
    t.same(
      fourth.actions.map((a) => a.type),
      ['point', 'discard', 'evidence'],
    );
    t.match(start(opened, 'boot-1').state.detail, 'the process died while it was opened');
    t.match(start(verified, 'boot-1').state, { phase: 'verified', openings: 0 }, 'not yet opened');
    const stopped = (state: UpdateState) => start(apply(state, { type: 'stop' }), 'boot-1').state;
    t.equal(stopped(opened).openings, 0, 'an orderly stop takes the opening back');
    t.equal(stopped({ ...opened, openings: 2 }).openings, 1);
    t.equal(stopped(verified).openings, 0);
  },
);

void t.test('starts during the trial and the download', async (t) => {
  const start = (state: UpdateState, bootId: string) => step(state, { type: 'start', bootId });
  const crashed = start(trial, 'boot-1');
  t.match(crashed.state.detail, 'the process died during the trial');
  t.same(
    crashed.actions.map((a) => a.type),
    ['point', 'evidence', 'announce'],
  );
  let state = trial;
  for (let cuts = 1; cuts <= 3; cuts++) {
    const next = start(state, `boot-${cuts + 1}`);
    t.same(next.actions, [{ type: 'point' }]);
    t.equal(next.state.trial?.powerCuts, cuts);
    state = next.state;
  }
  const fourth = start(state, 'boot-9');
  t.match(fourth.state, {
    phase: 'rolled-back',
    reason: 'power-cuts',
    detail: 'power was lost 4 times during the trial',
  });
  t.notOk(fourth.actions.some((a) => a.type === 'return'));
  t.same(start(apply(trial, { type: 'stop' }), 'boot-1'), {
    state: { ...trial, run: { bootId: 'boot-1', clean: false } },
    actions: [{ type: 'point' }],
  });
  t.same(start(downloading, 'boot-2'), {
    state: {
      ...downloading,
      ...none,
      run: { bootId: 'boot-2', clean: false },
      phase: 'failed',
      sinceMs: context.nowMs,
      reason: 'interrupted',
      detail: 'the download was interrupted',
    },
    actions: [{ type: 'point' }],
  });
});

void t.test('the first day after the commit', async (t) => {
  const committed = apply(trial, {
    type: 'observed',
    statistics: heard({ utterances: 60, confidenceSum: 55, confidenceSquares: 51 }),
    elapsedMs: 1000,
  });
  const lived = (state: UpdateState, ...ms: number[]) =>
    apply(state, ...ms.map((elapsedMs) => ({ type: 'lived', elapsedMs }) as const)).settling;
  t.same(lived(committed, 60_000, 30_000), { aliveMs: 90_000, crashes: 0 });
  t.same(lived(committed, 60_000, -30_000), { aliveMs: 60_000, crashes: 0 });
  t.same(lived(committed, 86_399_999), { aliveMs: 86_399_999, crashes: 0 });
  t.equal(lived(committed, 86_399_999, 1), null);
  t.same(step(installed, { type: 'lived', elapsedMs: 1 }), { state: installed, actions: [] });
  const start = (state: UpdateState) => step(state, { type: 'start', bootId: 'boot-1' });
  let state = apply(committed, { type: 'lived', elapsedMs: 61_000 });
  for (let i = 0; i < 3; i++) state = start(state).state;
  t.equal(state.detail, 'the process died 3 times, after 2 minutes or more since it was committed');
  // A crash while the next bundle is opened is the next one's; before that it is this one's.
  const next = { ...committed, phase: 'verified', offer: fresh, target: 'A' } as const;
  t.equal(start({ ...next, openings: 1 }).state.settling?.crashes, 0);
  t.equal(start({ ...next, openings: 0 }).state.settling?.crashes, 1);
  t.equal(start({ ...committed, openings: 1 }).state.settling?.crashes, 1);
});

void t.test('what is only noted asks for nothing', async (t) => {
  const events: UpdateEvent[] = [
    { type: 'stop' },
    { type: 'lived', elapsedMs: 5 },
    { type: 'observed', statistics: heard({ utterances: 1 }), elapsedMs: 5 },
  ];
  const settling = { aliveMs: 0, crashes: 0 };
  for (const event of events) t.same(step({ ...trial, settling }, event).actions, [], event.type);
});

void t.test('going back from what nobody knows refuses nothing', async (t) => {
  const unknown: UpdateState = { ...installed, installed: null };
  t.match(step(unknown, { type: 'roll-back', reason: 'requested' }).state, {
    phase: 'rolled-back',
    current: 'factory',
    refused: [],
  });
});

void t.test('something else hears than should', async (t) => {
  const fall = (state: UpdateState, place: 'A' | 'B' | 'factory') =>
    step(state, { type: 'fell-back', place, detail: 'unreadable' });
  const idle = fall(installed, 'factory');
  t.same(idle, {
    state: {
      ...installed,
      ...none,
      phase: 'failed',
      sinceMs: context.nowMs,
      reason: 'current-unreadable',
      detail: 'unreadable',
      current: 'factory',
      installed: null,
      previous: null,
      previousInstalled: null,
      settling: null,
    },
    actions: [{ type: 'point' }],
  });
  for (const state of [downloading, verified])
    t.same(fall(state, 'factory').actions, [{ type: 'cancel' }, { type: 'point' }]);
  const during = fall(trial, 'factory');
  t.same(during.state, {
    ...rolledBack(trial, 'damaged', 'unreadable'),
    current: 'factory',
    installed: null,
  });
  t.same(
    during.actions.map((a) => a.type),
    ['point', 'evidence', 'announce'],
  );
  // What is known to be in the place that hears.
  t.equal(fall(trial, 'A').state.installed, old, 'the predecessor');
  t.equal(fall(trial, 'B').state.installed, fresh, 'itself');
  t.equal(fall(installed, 'A').state.installed, old);
  t.equal(fall(installed, 'B').state.installed, null);
});
