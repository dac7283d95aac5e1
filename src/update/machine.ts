/**
 * The update stage as a pure function: (state, event) -> (state, actions). The driver (updater.ts)
 * writes the new state to disk first and performs the actions afterwards, in order; whatever a power
 * cut leaves undone, `start` finds from the state alone.
 */
import type { Offer } from './source.js';
import type { Place, SlotName } from './slots.js';
import type { Phase, Reason, UpdateState } from './state.js';
import { judge, nothingHeard, sum, type Statistics, type TrialRules } from './trial.js';

export interface Fault {
  readonly reason: Reason;
  readonly detail: string;
}

export type UpdateEvent =
  /** The process begins: after an orderly stop, a crash, or, with another boot, a loss of power. */
  | { readonly type: 'start'; readonly bootId: string }
  | { readonly type: 'stop' }
  /** An offer that policy.ts lets through. */
  | { readonly type: 'offered'; readonly offer: Offer; readonly explicit: boolean }
  | { readonly type: 'downloaded'; readonly deployment: string; readonly path: string }
  | { readonly type: 'stored'; readonly deployment: string }
  /** Download, store or something of this device's own failed; not the bundle's fault. */
  | { readonly type: 'failed'; readonly deployment: string; readonly fault: Fault }
  /** The bundle's own fault. */
  | { readonly type: 'unfit'; readonly deployment: string; readonly fault: Fault }
  /** It passed its self-test in a process of its own. */
  | { readonly type: 'probed'; readonly deployment: string; readonly mayChange: boolean }
  /** The maintenance window is open, and the bundle has passed its self-test. */
  | { readonly type: 'window-open' }
  /** It is open in this process, beside the one that hears. */
  | { readonly type: 'prepared'; readonly deployment: string; readonly before: Statistics }
  | { readonly type: 'observed'; readonly statistics: Statistics; readonly elapsedMs: number }
  /** The process has been running for so long since the last such event. */
  | { readonly type: 'lived'; readonly elapsedMs: number }
  | { readonly type: 'roll-back'; readonly reason: 'requested' | 'withdrawn' }
  | { readonly type: 'abort' }
  /** What should hear could not be opened; something else hears now. */
  | { readonly type: 'fell-back'; readonly place: Place; readonly detail: string };

export type Action =
  | { readonly type: 'download'; readonly offer: Offer }
  | { readonly type: 'cancel' }
  | {
      readonly type: 'store';
      readonly offer: Offer;
      readonly slot: SlotName;
      readonly path: string;
    }
  | { readonly type: 'probe'; readonly offer: Offer; readonly slot: SlotName }
  | { readonly type: 'prepare'; readonly offer: Offer; readonly slot: SlotName }
  /** The prepared one hears from the next utterance on. */
  | { readonly type: 'switch' }
  | { readonly type: 'discard' }
  /** The pointer follows `state.current`. */
  | { readonly type: 'point' }
  /** Opens `place` and lets it hear from the next utterance on. */
  | { readonly type: 'return'; readonly place: Place }
  | { readonly type: 'evidence'; readonly of: UpdateState }
  | { readonly type: 'announce'; readonly event: 'model-committed' | 'model-rolled-back' };

export interface Step {
  readonly state: UpdateState;
  readonly actions: readonly Action[];
}

export interface MachineContext {
  readonly nowMs: number;
  readonly rules: TrialRules;
}

/** The board may lose power this often during one trial or one opening before the bundle is blamed. */
const powerCutsMax = 3;
/** So many ends of the process within this running time after the commit, and the predecessor hears again, once. */
const crashesMax = 3;
const settlingMs = 24 * 3_600_000;
const refusedMax = 32;
const detailMax = 500;

export function transition(state: UpdateState, event: UpdateEvent, context: MachineContext): Step {
  const stays: Step = { state, actions: [] };
  switch (event.type) {
    case 'start':
      return started(state, event.bootId, context);
    case 'stop':
      return { state: { ...state, run: { ...state.run, clean: true } }, actions: [] };
    case 'offered':
      return isBusy(state.phase) ? stays : offered(state, event, context);
    case 'downloaded':
      return concerns(state, event, 'downloading') ? downloaded(state, event.path) : stays;
    case 'stored':
      return concerns(state, event, 'downloading') ? verified(state, context) : stays;
    case 'failed':
      return concerns(state, event, 'downloading', 'verified')
        ? end(state, 'failed', event.fault, context, [{ type: 'discard' }])
        : stays;
    case 'unfit':
      return concerns(state, event, 'downloading', 'verified')
        ? reject(state, event.fault, context)
        : stays;
    case 'probed':
      return concerns(state, event, 'verified') && (event.mayChange || state.explicit)
        ? opening(state)
        : stays;
    case 'window-open':
      return state.phase === 'verified' ? opening(state) : stays;
    case 'prepared':
      return concerns(state, event, 'verified') && state.openings > 0
        ? trialBegins(state, event.before, context)
        : stays;
    case 'observed':
      return observed(state, event, context);
    case 'lived':
      return lived(state, event.elapsedMs);
    case 'roll-back':
      return rollBackRequested(state, event.reason, context);
    case 'abort':
      return aborted(state, context);
    case 'fell-back':
      return fellBack(state, event, context);
  }
}

export const isBusy = (phase: Phase): boolean =>
  phase === 'downloading' || phase === 'verified' || phase === 'trial';

function concerns(state: UpdateState, { deployment }: { deployment: string }, ...in_: Phase[]) {
  return in_.includes(state.phase) && state.offer?.deployment === deployment;
}

const otherSlot = (place: Place): SlotName => (place === 'A' ? 'B' : 'A');

function started(before: UpdateState, bootId: string, context: MachineContext): Step {
  const cut = !before.run.clean;
  const crashed = cut && before.run.bootId === bootId;
  const state = { ...countCrash(before, crashed), run: { bootId, clean: false } };
  if ((state.settling?.crashes ?? 0) >= crashesMax) {
    const minutes = Math.ceil((state.settling?.aliveMs ?? 0) / 60_000);
    const detail = `the process died ${crashesMax} times, after ${minutes} minutes or more since it was committed`;
    return rollBack(state, { reason: 'crash-loop', detail }, context, false);
  }
  const follow: Action = { type: 'point' };
  const { offer, target } = state;
  if (state.phase === 'downloading' && offer !== null) {
    // What an operator asked for goes on; what the channel offers is asked for again.
    if (state.explicit) return { state, actions: [follow, { type: 'download', offer }] };
    const fault: Fault = { reason: 'interrupted', detail: 'the download was interrupted' };
    return end(state, 'failed', fault, context, [follow]);
  }
  if (state.phase === 'verified' && offer !== null && target !== null) {
    if (cut && state.openings > 0 && (crashed || state.openings > powerCutsMax)) {
      const detail = crashed ? 'the process died while it was opened' : 'the board lost power';
      const step = reject(state, { reason: 'crashed-loading', detail }, context);
      return { state: step.state, actions: [follow, ...step.actions] };
    }
    // An opening that an orderly stop cut short says nothing about the bundle.
    const openings = cut ? state.openings : Math.max(0, state.openings - 1);
    const again: UpdateState = { ...state, openings };
    return { state: again, actions: [follow, { type: 'probe', offer, slot: target }] };
  }
  if (state.phase === 'trial' && state.trial !== null && cut) {
    const powerCuts = state.trial.powerCuts + (crashed ? 0 : 1);
    const during = { ...state, trial: { ...state.trial, powerCuts } };
    if (crashed)
      return rollBack(
        during,
        { reason: 'crashed', detail: 'the process died during the trial' },
        context,
        false,
      );
    if (powerCuts > powerCutsMax)
      return rollBack(
        during,
        { reason: 'power-cuts', detail: `power was lost ${powerCuts} times during the trial` },
        context,
        false,
      );
    return { state: during, actions: [follow] };
  }
  return { state, actions: [follow] };
}

/** A crash while another bundle was being opened is that one's. */
function countCrash(state: UpdateState, crashed: boolean): UpdateState {
  const { settling, phase, openings } = state;
  if (!crashed || settling === null || (phase === 'verified' && openings > 0)) return state;
  return { ...state, settling: { ...settling, crashes: settling.crashes + 1 } };
}

function lived(state: UpdateState, elapsedMs: number): Step {
  if (state.settling === null) return { state, actions: [] };
  const aliveMs = state.settling.aliveMs + Math.max(0, elapsedMs);
  const settling = aliveMs >= settlingMs ? null : { ...state.settling, aliveMs };
  return { state: { ...state, settling }, actions: [] };
}

function offered(
  state: UpdateState,
  { offer, explicit }: { offer: Offer; explicit: boolean },
  { nowMs }: MachineContext,
): Step {
  const target = otherSlot(state.current);
  const refused = state.refused.filter((r) => r.sha256 !== offer.bundle.sha256);
  const next: UpdateState = {
    ...state,
    phase: 'downloading',
    sinceMs: nowMs,
    offer,
    explicit,
    target,
    openings: 0,
    trial: null,
    reason: null,
    detail: '',
    refused,
  };
  return { state: next, actions: [{ type: 'download', offer }] };
}

/** The slot that is about to be overwritten is no longer one to go back to. */
function downloaded(state: UpdateState, path: string): Step {
  const { offer, target: slot } = state;
  if (offer === null || slot === null) return { state, actions: [] };
  const next = state.previous === slot ? forgetPrevious(state) : state;
  return { state: next, actions: [{ type: 'point' }, { type: 'store', offer, slot, path }] };
}

function verified(state: UpdateState, { nowMs }: MachineContext): Step {
  const { offer, target: slot } = state;
  if (offer === null || slot === null) return { state, actions: [] };
  return {
    state: { ...state, phase: 'verified', sinceMs: nowMs },
    actions: [{ type: 'probe', offer, slot }],
  };
}

/** Counted on disk before it is opened: when that ends the process, the next start knows. */
function opening(state: UpdateState): Step {
  const { offer, target: slot } = state;
  if (offer === null || slot === null) return { state, actions: [] };
  return {
    state: { ...state, openings: state.openings + 1 },
    actions: [{ type: 'prepare', offer, slot }],
  };
}

function trialBegins(state: UpdateState, before: Statistics, { nowMs }: MachineContext): Step {
  const { target } = state;
  if (target === null) return { state, actions: [] };
  const next: UpdateState = {
    ...state,
    phase: 'trial',
    sinceMs: nowMs,
    current: target,
    installed: state.offer,
    previous: state.current,
    previousInstalled: state.installed,
    trial: { elapsedMs: 0, statistics: nothingHeard, before, powerCuts: 0 },
    settling: null,
  };
  return { state: next, actions: [{ type: 'point' }, { type: 'switch' }] };
}

function observed(
  state: UpdateState,
  event: { statistics: Statistics; elapsedMs: number },
  context: MachineContext,
): Step {
  if (state.phase !== 'trial' || state.trial === null) return { state, actions: [] };
  const trial = {
    ...state.trial,
    statistics: sum(state.trial.statistics, event.statistics),
    elapsedMs: state.trial.elapsedMs + Math.max(0, event.elapsedMs),
  };
  const verdict = judge(trial.statistics, trial.before, trial.elapsedMs, context.rules);
  const next = { ...state, trial };
  if (verdict.verdict === 'go-on') return { state: next, actions: [] };
  if (verdict.verdict === 'roll-back') return rollBack(next, verdict, context);
  return {
    state: {
      ...next,
      phase: 'committed',
      sinceMs: context.nowMs,
      reason: null,
      detail: verdict.detail,
      openings: 0,
      settling: { aliveMs: 0, crashes: 0 },
    },
    actions: [{ type: 'announce', event: 'model-committed' }],
  };
}

function rollBackRequested(
  state: UpdateState,
  reason: 'requested' | 'withdrawn',
  context: MachineContext,
): Step {
  if (state.phase === 'downloading' || state.phase === 'verified' || !canRollBack(state))
    return { state, actions: [] };
  if (reason === 'withdrawn' && state.phase !== 'trial') return { state, actions: [] };
  const detail = reason === 'requested' ? 'an operator asked for it' : 'the publisher withdrew it';
  return rollBack(state, { reason, detail }, context);
}

/** Whether there is anything to go back to. */
export const canRollBack = (state: UpdateState): boolean => state.current !== 'factory';

/** `hearing`: the bad one hears now and must be replaced; at a start it has not been opened yet. */
function rollBack(
  state: UpdateState,
  { reason, detail }: Fault,
  context: MachineContext,
  hearing = true,
): Step {
  const place = state.previous ?? 'factory';
  const { state: next } = end(state, 'rolled-back', { reason, detail }, context);
  const back: UpdateState = forgetPrevious({
    ...next,
    offer: state.installed,
    current: place,
    installed: state.previousInstalled,
    settling: null,
    refused: refuse(state, state.installed, reason, context),
  });
  return {
    state: back,
    actions: [
      ...(hearing ? [{ type: 'return', place } as const] : []),
      { type: 'point' },
      { type: 'evidence', of: { ...back, trial: state.trial } },
      { type: 'announce', event: 'model-rolled-back' },
    ],
  };
}

function reject(state: UpdateState, fault: Fault, context: MachineContext): Step {
  const { state: next } = end(state, 'rejected', fault, context);
  const rejected = { ...next, refused: refuse(state, state.offer, fault.reason, context) };
  return { state: rejected, actions: [{ type: 'discard' }, { type: 'evidence', of: rejected }] };
}

function refuse(
  state: UpdateState,
  offer: Offer | null,
  reason: Reason,
  { nowMs }: MachineContext,
) {
  if (offer === null) return state.refused;
  const { sha256, version } = offer.bundle;
  return [
    ...state.refused.filter((r) => r.sha256 !== sha256),
    { sha256, version, reason, atMs: nowMs },
  ].slice(-refusedMax);
}

function end(
  state: UpdateState,
  phase: 'idle' | 'failed' | 'rejected' | 'rolled-back',
  { reason, detail }: Fault,
  { nowMs }: MachineContext,
  actions: readonly Action[] = [],
): Step {
  const next: UpdateState = {
    ...state,
    phase,
    sinceMs: nowMs,
    reason,
    detail: detail.slice(0, detailMax),
    target: null,
    explicit: false,
    openings: 0,
    trial: null,
  };
  return { state: next, actions };
}

function aborted(state: UpdateState, context: MachineContext): Step {
  if (state.phase === 'trial') return rollBackRequested(state, 'requested', context);
  if (state.phase !== 'downloading' && state.phase !== 'verified') return { state, actions: [] };
  const fault: Fault = { reason: 'aborted', detail: 'an operator stopped it' };
  return end(state, 'idle', fault, context, [{ type: 'cancel' }, { type: 'discard' }]);
}

/** The device hears with something else than it should: that is what is current from now on. */
function fellBack(
  state: UpdateState,
  { place, detail }: { place: Place; detail: string },
  context: MachineContext,
): Step {
  const follow: Action = { type: 'point' };
  const installed = installedIn(state, place);
  if (state.phase === 'trial') {
    const back = rollBack(state, { reason: 'damaged', detail }, context, false);
    return {
      state: { ...back.state, current: place, installed },
      actions: [follow, ...back.actions.filter((a) => a.type !== 'point')],
    };
  }
  // A bundle under way may have been meant for the slot that hears now: it is fetched again.
  const { state: next } = end(state, 'failed', { reason: 'current-unreadable', detail }, context);
  return {
    state: forgetPrevious({ ...next, current: place, installed, settling: null }),
    actions: [...(isBusy(state.phase) ? [{ type: 'cancel' } as const] : []), follow],
  };
}

function installedIn(state: UpdateState, place: Place): Offer | null {
  if (place === state.current) return state.installed;
  return place === state.previous ? state.previousInstalled : null;
}

const forgetPrevious = (state: UpdateState): UpdateState => ({
  ...state,
  previous: null,
  previousInstalled: null,
});
