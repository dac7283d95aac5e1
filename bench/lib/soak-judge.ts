/** What a soak has found: samples of each minute of audio into windows, and windows into verdicts. Pure. */
import { median, quantile } from './report.js';
import type { Size } from './soak-board.js';
import { theilSen, type Trend } from './trend.js';

export interface Sample extends Size {
  /** Audio that was played until then. */
  readonly audioMs: number;
  /** Transcripts that were accepted until then. */
  readonly accepted: number;
  readonly orders: number;
}

export interface Answer {
  readonly intent: string;
  readonly latencyMs: number;
}

/** An hour of audio, or a twelfth of a shorter run. */
export interface Window {
  readonly hour: number;
  readonly rssMb: number;
  /** The lower quartile: connections that come and go add some, a broker that restarts takes some away. */
  readonly descriptors: number;
  readonly children: number;
  /** Processor time for each second of audio. */
  readonly rtf: number;
  /** Of each intent the fastest answer, the mean over intents: what a busy machine hardly moves. */
  readonly fastestMs: number;
  readonly medianMs: number;
  readonly p95Ms: number;
  /** Accepted of the orders that were said. */
  readonly acceptedShare: number;
}

const hourMs = 3_600_000;

export function windowsOf(
  samples: readonly Sample[],
  answers: readonly Answer[],
  windowMs: number,
): Window[] {
  const windows: Window[] = [];
  const [zero] = samples;
  if (zero === undefined) return [];
  const endMs = samples.at(-1)?.audioMs ?? 0;
  let before = zero;
  for (let end = windowMs; ; end += windowMs) {
    const within = samples.filter(({ audioMs }) => audioMs > end - windowMs && audioMs <= end);
    const last = within.at(-1);
    // An hour that was broken off lacks some of its deeds.
    if (last === undefined || endMs < end - windowMs / 10) return windows;
    const heard = answers.slice(before.accepted, last.accepted);
    const latencies = heard.map(({ latencyMs }) => latencyMs);
    windows.push({
      hour: end / hourMs,
      rssMb: median(within.map(({ rssMb }) => rssMb)),
      descriptors: quantile(
        within.map(({ descriptors }) => descriptors),
        0.25,
      ),
      children: Math.min(...within.map(({ children }) => children)),
      rtf: (1000 * (last.cpuSeconds - before.cpuSeconds)) / (last.audioMs - before.audioMs),
      fastestMs: fastest(heard),
      medianMs: median(latencies),
      p95Ms: quantile(latencies, 0.95),
      acceptedShare: heard.length / (last.orders - before.orders),
    });
    before = last;
  }
}

function fastest(answers: readonly Answer[]): number {
  const best = new Map<string, number>();
  for (const { intent, latencyMs } of answers)
    best.set(intent, Math.min(latencyMs, best.get(intent) ?? Infinity));
  return [...best.values()].reduce((a, b) => a + b, 0) / best.size;
}

/** The change over the windows that count, with its interval. */
export function growth(windows: readonly Window[], of: (window: Window) => number): Trend {
  const [first] = windows;
  const last = windows.at(-1);
  const hours = (last?.hour ?? 0) - (first?.hour ?? 0);
  const { slope, low, high } = theilSen(windows.map((w) => ({ x: w.hour, y: of(w) })));
  return { slope: slope * hours, low: low * hours, high: high * hours };
}

/** The first sixth is a beginning: what is loaded once is loaded by then. */
export const settled = (windows: readonly Window[]) => windows.slice(Math.ceil(windows.length / 6));

/** The fewest of the later half beside what is usual in the earlier one: what is never closed stays in every window. */
export function descriptorsMore(windows: readonly Window[]): number {
  const all = windows.map(({ descriptors }) => descriptors);
  const half = Math.ceil(all.length / 2);
  return Math.min(...all.slice(half)) - median(all.slice(0, half));
}

export interface Verdict {
  readonly name: string;
  readonly found: string;
  readonly wanted: string;
  readonly holds: boolean;
}

/** Shorter runs say less: memory is still settling, and an hour's deeds are not in every window. */
export const longHours = 6;
const grownMbMax = 1;
const grownMbMaxOfShort = 10;
const grownShareMax = 0.1;

export function judge(
  windows: readonly Window[],
  counts: {
    readonly hours: number;
    readonly accepted: number;
    readonly missing: number;
    readonly duplicates: number;
    readonly childrenAtEnd: number;
    readonly left: number;
    readonly status: number | null;
    readonly errors: number;
  },
): Verdict[] {
  const counted = settled(windows);
  const long = counts.hours >= longHours;
  const memory = growth(counted, (w) => w.rssMb);
  const mbMax = long ? grownMbMax : grownMbMaxOfShort;
  const more = descriptorsMore(counted);
  const flat = (name: string, of: (w: Window) => number): Verdict => {
    const level = median(counted.map(of));
    const { slope, low, high } = growth(counted, of);
    const percent = (v: number) => `${(100 * (v / level)).toFixed(1)} %`;
    return {
      name,
      found: `${percent(slope)} (${percent(low)} to ${percent(high)})`,
      wanted: `at most ${percent(grownShareMax * level)} more`,
      holds: slope / level <= grownShareMax,
    };
  };
  return [
    {
      name: 'resident memory, growth',
      found: `${memory.slope.toFixed(2)} MB (${memory.low.toFixed(2)} to ${memory.high.toFixed(2)})`,
      wanted: `at most ${mbMax} MB`,
      holds: memory.slope <= mbMax,
    },
    {
      name: 'descriptors, growth',
      found: more.toFixed(1),
      wanted: 'none',
      holds: more <= 0,
    },
    ...(long
      ? [
          flat('processor time of a second of audio, growth', (w) => w.rtf),
          flat('fastest answers, growth', (w) => w.fastestMs),
        ]
      : []),
    {
      name: 'transcripts lost, of those accepted',
      found: `${counts.missing} of ${counts.accepted}`,
      wanted: 'none',
      holds: counts.missing === 0 && counts.accepted > 0,
    },
    {
      name: 'messages that came twice',
      found: String(counts.duplicates),
      wanted: 'some, by broken lines',
      holds: true,
    },
    {
      name: 'children before the stop, processes after it',
      found: `${counts.childrenAtEnd}, ${counts.left}`,
      wanted: 'none',
      holds: counts.childrenAtEnd === 0 && counts.left === 0,
    },
    {
      name: 'status of its end',
      found: String(counts.status),
      wanted: '0',
      holds: counts.status === 0,
    },
    {
      name: 'errors in the log that were not provoked',
      found: String(counts.errors),
      wanted: 'none',
      holds: counts.errors === 0,
    },
  ];
}
