import type { Heard } from '../../records.js';
import { sameMeaning, type Outcome } from './score.js';

/** One threshold: what it refuses of what was meant, and lets through of what was not. */
export interface CurvePoint {
  readonly threshold: number;
  /** Share of the commands not executed. */
  readonly refused: number;
  /** Share of the commands for which something else was executed. */
  readonly wrong: number;
  readonly falseAccepts: number;
  readonly falseAcceptsPerHour: number;
}

export interface Curve {
  readonly hours: number;
  readonly overall: readonly CurvePoint[];
  readonly intents: Readonly<Record<string, readonly CurvePoint[]>>;
}

const thresholds = Array.from({ length: 101 }, (_, i) => i / 100);

/** Whether a threshold would accept it: what is ambiguous, no speech or too long is refused at any. */
export function acceptedAt(heard: Heard, threshold: number): boolean {
  if (
    heard.intent === null ||
    heard.reason === 'too-long' ||
    heard.reason === 'noise' ||
    heard.ambiguous === true
  )
    return false;
  return heard.confidence >= threshold;
}

/**
 * Every threshold at once, from answers that were computed once. An intent's own minConfidence is not
 * looked at: the curve is what one would choose it from.
 */
export function acceptanceCurve(
  commands: readonly Outcome[],
  others: readonly Heard[],
  hours: number,
): Curve {
  const meant = commands.filter((o) => o.wanted !== null && o.wanted !== undefined);
  const names = [...new Set(meant.map((o) => o.wanted?.intent ?? ''))].sort();
  return {
    hours,
    overall: sweep(meant, others, hours),
    intents: Object.fromEntries(
      names.map((name) => [
        name,
        sweep(
          meant.filter((o) => o.wanted?.intent === name),
          others.filter((h) => h.intent === name),
          hours,
        ),
      ]),
    ),
  };
}

function sweep(
  commands: readonly Outcome[],
  others: readonly Heard[],
  hours: number,
): CurvePoint[] {
  return thresholds.map((threshold) => {
    const executed = commands.filter((o) => acceptedAt(o.heard, threshold));
    const wrong = executed.filter((o) => o.wanted != null && !sameMeaning(o.heard, o.wanted));
    const falseAccepts = others.filter((h) => acceptedAt(h, threshold)).length;
    const share = (n: number) => (commands.length === 0 ? NaN : n / commands.length);
    return {
      threshold,
      refused: share(commands.length - executed.length),
      wrong: share(wrong.length),
      falseAccepts,
      falseAcceptsPerHour: hours > 0 ? falseAccepts / hours : NaN,
    };
  });
}

/** The lowest threshold with at most `perHour` false accepts an hour. */
export function pointFor(curve: readonly CurvePoint[], perHour: number): CurvePoint | undefined {
  return curve.find((p) => p.falseAcceptsPerHour <= perHour);
}
