/** The machine alone: every state meets every event. */
import { readFile } from 'node:fs/promises';
import t from 'tap';
import { transition, type Action, type UpdateEvent } from '../../src/update/machine.js';
import {
  initialState,
  parseState,
  phases,
  reasons,
  type UpdateState,
} from '../../src/update/state.js';
import { nothingHeard, type Statistics } from '../../src/update/trial.js';
import { bundle, context } from '../sim/machine-setting.js';
import { offerOf } from '../sim/folder-source.js';

const offers = { old: offerOf(bundle('1.0.0')), fresh: offerOf(bundle('2.0.0')) };
const statistics = (change: Partial<Statistics>): Statistics => ({ ...nothingHeard, ...change });

/** One of each phase, reached as the daemon reaches it, over an installed bundle in slot A. */
const installed: UpdateState = {
  ...initialState,
  phase: 'committed',
  current: 'A',
  installed: offers.old,
  offer: offers.old,
  previous: 'factory',
  run: { bootId: 'boot-1', clean: false },
};
const deployment = offers.fresh.deployment;
const apply = (state: UpdateState, ...events: UpdateEvent[]) =>
  events.reduce((s, e) => transition(s, e, context).state, state);
const downloading = apply(installed, { type: 'offered', offer: offers.fresh, explicit: false });
const verified = apply(
  downloading,
  { type: 'downloaded', deployment, path: '/x' },
  { type: 'stored', deployment },
);
const trial = apply(
  verified,
  { type: 'probed', deployment, mayChange: true },
  { type: 'prepared', deployment, before: nothingHeard },
);
const states: Record<string, UpdateState> = {
  idle: initialState,
  downloading,
  verified,
  'verified, explicit': { ...verified, explicit: true },
  'verified, being opened': apply(verified, { type: 'window-open' }),
  trial,
  'trial after clean stop': apply(trial, { type: 'stop' }),
  committed: apply(trial, {
    type: 'observed',
    statistics: statistics({ utterances: 60, confidenceSum: 55, confidenceSquares: 51 }),
    elapsedMs: 1000,
  }),
  'rolled-back': apply(trial, { type: 'roll-back', reason: 'requested' }),
  rejected: apply(verified, {
    type: 'unfit',
    deployment,
    fault: { reason: 'selftest', detail: 'x' },
  }),
  failed: apply(downloading, {
    type: 'failed',
    deployment,
    fault: { reason: 'download-failed', detail: 'x' },
  }),
};
const events: UpdateEvent[] = [
  { type: 'start', bootId: 'boot-1' },
  { type: 'start', bootId: 'boot-2' },
  { type: 'stop' },
  { type: 'offered', offer: offers.fresh, explicit: false },
  { type: 'offered', offer: offers.old, explicit: true },
  { type: 'downloaded', deployment, path: '/x' },
  { type: 'downloaded', deployment: 'another', path: '/x' },
  { type: 'stored', deployment },
  { type: 'failed', deployment, fault: { reason: 'disk-full', detail: 'x' } },
  { type: 'unfit', deployment, fault: { reason: 'too-slow', detail: 'x' } },
  { type: 'probed', deployment, mayChange: true },
  { type: 'probed', deployment, mayChange: false },
  { type: 'window-open' },
  { type: 'prepared', deployment, before: nothingHeard },
  { type: 'observed', statistics: nothingHeard, elapsedMs: 10 },
  { type: 'observed', statistics: statistics({ audioMs: 1e5, computeMs: 9e4 }), elapsedMs: 10 },
  { type: 'observed', statistics: nothingHeard, elapsedMs: 1e9 },
  { type: 'observed', statistics: nothingHeard, elapsedMs: -1e9 },
  { type: 'lived', elapsedMs: 60_000 },
  { type: 'lived', elapsedMs: 1e9 },
  { type: 'roll-back', reason: 'requested' },
  { type: 'roll-back', reason: 'withdrawn' },
  { type: 'abort' },
  { type: 'fell-back', place: 'factory', detail: 'x' },
];

void t.test('the states are what their names say', async (t) => {
  for (const phase of phases) t.equal(states[phase]?.phase, phase);
  t.equal(states['verified, being opened']?.openings, 1);
});

void t.test('every event in every state keeps the laws', async (t) => {
  let combinations = 0;
  for (const [name, state] of Object.entries(states)) {
    for (const event of events) {
      const where = `${event.type} in ${name}`;
      const { state: next, actions } = transition(state, event, context);
      combinations++;
      const broken: string[] = [];
      const law = (good: boolean, text: string) => void (good || broken.push(text));
      const has = (type: Action['type']) => actions.some((a) => a.type === type);
      law(
        actions.every((a) => a.type !== 'store' || a.slot !== next.current),
        'writes the slot that hears',
      );
      law(!has('switch') || next.phase === 'trial', 'switches to what is not on trial');
      law(!has('switch') || state.openings > 0, 'switches to what was not counted as opened');
      law(!has('prepare') || next.openings === state.openings + 1, 'opens without counting');
      law(!has('prepare') || state.phase === 'verified', 'opens what is not verified');
      law(!has('store') || state.phase === 'downloading', 'stores what was not downloaded');
      law(next.current === state.current || has('point'), 'the pointer does not follow');
      law(
        (next.phase === 'trial') === (next.trial !== null) || next.phase === 'committed',
        'trial without numbers',
      );
      law(next.phase !== 'trial' || next.previous !== null, 'trial without a way back');
      law(next.refused.length <= 32, 'refuses without a limit');
      const about = next.phase === 'rolled-back' ? state.installed : state.offer;
      const digest = about?.bundle.sha256;
      law(
        !(next.phase === 'rejected' || next.phase === 'rolled-back') ||
          next.phase === state.phase ||
          next.refused.some((r) => r.sha256 === digest),
        'forgets what it refused',
      );
      law(
        state.phase === next.phase ||
          !['rejected', 'rolled-back'].includes(next.phase) ||
          has('evidence'),
        'no evidence',
      );
      const read = parseState(JSON.stringify(next));
      law(JSON.stringify(read) === JSON.stringify(next), 'the journal does not read it back');
      if (broken.length > 0) t.fail(`${where}: ${broken.join(', ')}`);
    }
  }
  t.equal(combinations, Object.keys(states).length * events.length);
  t.comment(`${combinations} combinations`);
});

void t.test('answers that come late or for another bundle change nothing', async (t) => {
  for (const state of [initialState, installed, trial]) {
    for (const event of events.filter((e) => 'deployment' in e)) {
      t.equal(transition(state, event, context).state, state, `${event.type} in ${state.phase}`);
    }
  }
  const other = { type: 'stored', deployment: 'another' } as const;
  t.equal(transition(downloading, other, context).state, downloading);
});

void t.test('starts: crash, loss of power, clean stop', async (t) => {
  const start = (state: UpdateState, bootId: string) =>
    transition(state, { type: 'start', bootId }, context);
  const crashed = start(trial, 'boot-1');
  t.match(crashed.state, { phase: 'rolled-back', reason: 'crashed', current: 'A', previous: null });
  t.notOk(
    crashed.actions.some((a) => a.type === 'return'),
    'nothing of it was opened yet',
  );
  t.match(start(apply(trial, { type: 'stop' }), 'boot-1').state, { phase: 'trial', current: 'B' });
  let state = trial;
  for (let i = 2; i < 5; i++) {
    state = start(state, `boot-${i}`).state;
    t.match(state, { phase: 'trial', current: 'B', trial: { powerCuts: i - 1 } });
  }
  t.match(start(state, 'boot-9').state, { phase: 'rolled-back', reason: 'power-cuts' });
  const opened = apply(verified, { type: 'window-open' });
  t.match(start(opened, 'boot-1').state, { phase: 'rejected', reason: 'crashed-loading' });
  t.match(start(opened, 'boot-2'), {
    state: { phase: 'verified' },
    actions: [{ type: 'point' }, { type: 'probe' }],
  });
  t.match(start(downloading, 'boot-1').state, { phase: 'failed', reason: 'interrupted' });
  t.match(start({ ...downloading, explicit: true }, 'boot-1').actions, [
    { type: 'point' },
    { type: 'download' },
  ]);
});

void t.test('a loop of crashes after the commit goes back, once', async (t) => {
  const { committed = initialState } = states;
  const start = (state: UpdateState, bootId = 'boot-1') =>
    transition(state, { type: 'start', bootId }, context);
  const dies = (state: UpdateState, times: number) =>
    Array.from({ length: times }).reduce<UpdateState>((s) => start(s).state, state);
  t.match(dies(committed, 2), { phase: 'committed', current: 'B', settling: { crashes: 2 } });
  const third = start(dies(committed, 2));
  t.match(third.state, {
    phase: 'rolled-back',
    reason: 'crash-loop',
    current: 'A',
    installed: offers.old,
    settling: null,
  });
  t.same(
    third.actions.map((a) => a.type),
    ['point', 'evidence', 'announce'],
  );
  t.ok(third.state.refused.some((r) => r.sha256 === offers.fresh.bundle.sha256));
  t.match(dies(third.state, 9), { phase: 'rolled-back', current: 'A' }, 'the predecessor stays');
  // What is no crash, and crashes of others, do not count.
  let state = committed;
  for (let i = 0; i < 9; i++) state = start(state, `boot-${i + 2}`).state;
  t.match(state, { phase: 'committed', settling: { crashes: 0 } }, 'losses of power');
  state = committed;
  for (let i = 0; i < 9; i++) state = start(apply(state, { type: 'stop' })).state;
  t.match(state, { phase: 'committed', settling: { crashes: 0 } }, 'clean ends');
  const next = offerOf(bundle('3.0.0'));
  const opens = { ...dies(committed, 2), phase: 'verified', offer: next, target: 'A' } as const;
  t.match(start({ ...opens, openings: 1 }).state, { phase: 'rejected', current: 'B' });
  t.match(
    start({ ...opens, openings: 0 }).state,
    { phase: 'rolled-back', reason: 'crash-loop', offer: offers.fresh },
    'also while another one is on its way',
  );
  // After a day of running it is trusted.
  const day = apply(dies(committed, 2), { type: 'lived', elapsedMs: 24 * 3_600_000 });
  t.equal(day.settling, null);
  t.match(dies(day, 9), { phase: 'committed', current: 'B' });
  const failed = apply(
    dies(committed, 2),
    { type: 'offered', offer: next, explicit: false },
    {
      type: 'failed',
      deployment: next.deployment,
      fault: { reason: 'download-failed', detail: '' },
    },
  );
  t.match(
    failed,
    { phase: 'failed', settling: { crashes: 2 } },
    'a failed download forgets nothing',
  );
  const old = JSON.stringify({ ...installed, settling: undefined });
  t.same(parseState(old), installed, 'a journal from before this rule is read');
});

void t.test('a rollback on request refuses what hears, not what failed last', async (t) => {
  const state = apply(
    installed,
    { type: 'offered', offer: offers.fresh, explicit: false },
    { type: 'failed', deployment, fault: { reason: 'download-failed', detail: '' } },
    { type: 'roll-back', reason: 'requested' },
  );
  t.match(state, { phase: 'rolled-back', current: 'factory', reason: 'requested' });
  t.same(
    state.refused.map((r) => r.version),
    ['1.0.0'],
  );
  t.equal(apply(state, { type: 'roll-back', reason: 'requested' }), state, 'nothing is left');
});

void t.test('docs/updates.md has a row for every reason, and no other', async (t) => {
  const text = await readFile(new URL('../../docs/updates.md', import.meta.url), 'utf8');
  const [, table = ''] = text.split('| reason | state | means |');
  const rows = table.split('\n\n')[0]?.split('\n').slice(2) ?? [];
  const named = rows.flatMap((row) =>
    [...(row.split('|')[1] ?? '').matchAll(/`([\w-]+)`/g)].map((m) => m[1]),
  );
  t.same(named.sort(), [...reasons].sort());
});

void t.test('a damaged journal is no state', async (t) => {
  const good = JSON.stringify(trial);
  t.same(parseState(good), trial);
  for (let cut = 0; cut < good.length; cut += 37) t.equal(parseState(good.slice(0, cut)), null);
  const change = (c: object) => parseState(JSON.stringify({ ...trial, ...c }));
  for (const bad of [
    { phase: 'happy' },
    { current: '../A' },
    { refused: {} },
    { settling: { aliveMs: -1, crashes: 0 } },
    { run: null },
    { trial: { elapsedMs: 'x' } },
    { offer: { ...offers.fresh, deployment: '../../x' } },
    { format: 2 },
  ])
    t.equal(change(bad), null, JSON.stringify(bad).slice(0, 60));
});
