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
  /** Whether it means what was said: intent and every slot. */
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
 * Threshold: above everything that the site's noise was taken for; lowered from the model's own only as far
 * as the site's rightly heard commands need it, and never by much, since a few recordings say little about
 * what else may be said; raised above commands that were taken for others as far as that is worth what it refuses.
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

/** A pause counts where another clip has one at least so long beside it: a lone one is a word put in the wrong place. */
const companyShare = 0.5;

/** The longest pause that is not alone among the clips. */
function longestOf(pauses: readonly number[]): number {
  const sorted = [...pauses].sort((a, b) => b - a);
  return (
    sorted.find((pause, i) => sorted.length < 2 || (sorted[i + 1] ?? 0) >= companyShare * pause) ??
    0
  );
}

/** Times that the site's longest pause between two words of a sentence does not cut, never shorter than the model's. */
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
/** A few recordings say little about how differently a phrase may be said: never further from what was in use. */
const wakeUp = 0.5;
const wakeDown = 1.2;

/**
 * Threshold of the wake phrase, from its best score in each recording of it and from its scores in everything
 * else that was recorded: above these, and not above what nine in ten of the recordings reach.
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
