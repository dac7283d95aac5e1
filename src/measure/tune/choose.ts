import type { Manifest } from '../../bundle/index.js';
import type { Heard } from '../../records.js';
import { quantile } from '../evaluate/statistics.js';

/** How well a setting serves a site's own recordings. */
export interface Score {
  readonly clips: number;
  readonly right: number;
  readonly accepted: number;
  readonly meanConfidence: number;
  /** Utterances that noise alone made. */
  readonly falseAccepts: number;
}

export interface HeardClip {
  /** Intent and every slot are as said. */
  readonly right: boolean;
  readonly heard: Heard;
}

export function scoreClips(clips: readonly HeardClip[], noise: readonly Heard[]): Score {
  const right = clips.filter((c) => c.right);
  return {
    clips: clips.length,
    right: right.length,
    accepted: right.filter((c) => c.heard.accepted).length,
    meanConfidence: right.reduce((s, c) => s + c.heard.confidence, 0) / Math.max(clips.length, 1),
    falseAccepts: noise.filter((h) => h.accepted).length,
  };
}

/** More right ones first; between equals, more confidence. A change must earn more than it could by chance. */
export const changeWorth = 0.03;
export function better(a: Score, b: Score): boolean {
  return a.right !== b.right
    ? a.right > b.right
    : a.meanConfidence > b.meanConfidence + changeWorth;
}

const thresholdDown = 0.15;
const overNoise = 0.05;
const thresholdMax = 0.97;
/** So many commands may be refused for one wrong one that is not carried out. */
const wrongCost = 2;

/**
 * The threshold of confidence.
 * - Never below anything that the site's noise was taken for.
 * - Lowered only as far as nine in ten rightly heard commands need, and by thresholdDown at most: a few recordings
 *   say little about what else may be said.
 * - Raised above commands taken for others while each wrong one costs at most wrongCost right ones.
 */
export function chooseThreshold(
  clips: readonly HeardClip[],
  noise: readonly Heard[],
  modelThreshold: number,
): number {
  const confidences = (right: boolean) =>
    clips.filter((c) => c.right === right).map((c) => c.heard.confidence);
  const [rights, wrongs] = [confidences(true), confidences(false)];
  const needed = rights.length === 0 ? modelThreshold : quantile(rights, 0.1) - 0.02;
  const lowered = Math.max(modelThreshold - thresholdDown, Math.min(modelThreshold, needed));
  const overAll = noise.filter((h) => h.intent !== null).map((h) => h.confidence + overNoise);
  const least = Math.max(lowered, ...overAll);
  const worth = (threshold: number) =>
    rights.filter((c) => c >= threshold).length -
    wrongCost * wrongs.filter((c) => c >= threshold).length;
  const best = wrongs
    .map((c) => c + overNoise)
    .filter((c) => c > least)
    .sort((x, y) => x - y)
    .reduce((chosen, c) => (worth(c) > worth(chosen) ? c : chosen), least);
  return Number(Math.min(thresholdMax, best).toFixed(2));
}

const pauseReserveMs = 150;
const openMaxMs = 900;
const prefixMaxMs = 1500;

/** A pause counts when another clip has one of this share of its length. A lone one is an alignment error. */
const companyShare = 0.5;

/** The longest pause that is not alone among the clips. */
function longestOf(pauses: readonly number[]): number {
  const sorted = [...pauses].sort((a, b) => b - a);
  return (
    sorted.find((pause, i) => sorted.length < 2 || (sorted[i + 1] ?? 0) >= companyShare * pause) ??
    0
  );
}

/** End-pointing times that outlast the site's longest pause inside a sentence. Never shorter than the model's. */
export function chooseTimes(
  clips: readonly HeardClip[],
  times: Manifest['endpoint'],
): { openMs: number; prefixMs: number; longestPauseMs: number } {
  const pauses = clips
    .filter((c) => c.right)
    .map(({ heard: { words } }) =>
      Math.max(0, ...words.slice(1).map((w, i) => w.startMs - (words[i]?.endMs ?? w.startMs))),
    );
  const longestPauseMs = longestOf(pauses);
  const open = times.openMs ?? (times.finalMs + times.prefixMs) / 2;
  const needed = longestPauseMs + pauseReserveMs;
  return {
    longestPauseMs,
    openMs: Math.round(Math.min(openMaxMs, Math.max(open, needed))),
    prefixMs: Math.round(Math.min(prefixMaxMs, Math.max(times.prefixMs, needed))),
  };
}

const wakeReserve = 0.1;
/** Furthest from the threshold in use: a few recordings say little about how differently a phrase may be said. */
const wakeUp = 0.5;
const wakeDown = 1.2;

/**
 * The threshold of the wake phrase. `hits`: its best score in each recording of it. `others`: its scores in
 * everything else. Above the others, but where both cannot be, nine in ten of the hits pass.
 */
export function chooseWakeThreshold(
  hits: readonly number[],
  others: readonly number[],
  usual: number,
): number {
  const needed = quantile(hits, 0.1) - wakeReserve;
  const quiet = Math.max(-Infinity, ...others) + wakeReserve;
  const chosen = Math.min(needed, Math.max(usual, quiet));
  return Number(Math.min(usual + wakeUp, Math.max(usual - wakeDown, chosen)).toFixed(2));
}
