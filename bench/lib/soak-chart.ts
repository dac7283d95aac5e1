/** Memory, descriptors, latency and real-time factor of a soak, one under the other. */
import { drawing } from '../../src/measure/chart/drawing.js';
import type { Sample, Window } from './soak-judge.js';

const blue = '#2a6fbb';
const [width, height] = [740, 200];
const hourMs = 3_600_000;
/** More dots than this only make the file large. */
const dotsMax = 300;

type Points = readonly { readonly hour: number; readonly y: number }[];

async function panel(
  title: string,
  /** Each sample, faint. */
  faint: Points,
  /** Each window. */
  strong: Points,
  zero: boolean,
  hours: number,
): Promise<string | undefined> {
  const at = { x: 'hour', y: 'y' } as const;
  const all = [...faint, ...strong].map(({ y }) => y);
  const [low, high] = [Math.min(...all), Math.max(...all)];
  return drawing(title, (plot) => ({
    ...{ width, height, grid: true },
    x: { domain: [0, hours], label: 'hours of audio' },
    y: {
      domain: [zero ? 0 : low - 0.1 * (high - low) - 1, high + 0.1 * (high - low)],
      label: null,
      ticks: 5,
    },
    marks: [
      plot.dot(faint, { ...at, r: 1, fill: blue, fillOpacity: 0.25 }),
      plot.line(strong, { ...at, stroke: blue, strokeWidth: 2 }),
      plot.dot(strong, { ...at, r: 2.5, fill: blue }),
    ],
  }));
}

/** Undefined where the packages that draw are not installed. */
export async function soakChart(
  samples: readonly Sample[],
  windows: readonly Window[],
): Promise<string | undefined> {
  const [first, second] = windows;
  const middle = ((second?.hour ?? 0) - (first?.hour ?? 0)) / 2;
  const each = (of: (s: Sample) => number): Points =>
    samples
      .filter((_, i) => i % Math.ceil(samples.length / dotsMax) === 0)
      .map((s) => ({ hour: s.audioMs / hourMs, y: of(s) }));
  const hours = windows.at(-1)?.hour ?? 0;
  const hourly = (of: (w: Window) => number): Points =>
    windows.map((w) => ({ hour: w.hour - middle, y: of(w) }));
  const panels = await Promise.all([
    panel(
      'resident memory, MB: every few minutes, median of each hour',
      each((s) => s.rssMb),
      hourly((w) => w.rssMb),
      false,
      hours,
    ),
    panel(
      'open descriptors: every few minutes, lower quartile of each hour',
      each((s) => s.descriptors),
      hourly((w) => w.descriptors),
      true,
      hours,
    ),
    panel(
      'end of speech to answer, ms: fastest of each intent, mean',
      [],
      hourly((w) => w.fastestMs),
      true,
      hours,
    ),
    panel(
      'processor time for a second of audio, s',
      [],
      hourly((w) => w.rtf),
      true,
      hours,
    ),
  ]);
  if (panels.includes(undefined)) return undefined;
  const placed = panels.map((svg, i) => svg?.replace('<svg', `<svg y="${i * height}"`));
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${panels.length * height}" viewBox="0 0 ${width} ${panels.length * height}">\n${placed.join('')}</svg>\n`;
}
