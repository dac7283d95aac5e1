import type { Bin } from '../calibrate/reliability.js';
import { drawing, shareOf } from './drawing.js';

const blue = '#2a6fbb';
const red = '#c0392b';
export const colours = ['#222', blue, red, '#27865a', '#8e44ad', '#b9770e', '#117a8b', '#7f5539'];

/** Share right against confidence; a bubble's area is the share of the examples in its bin. */
export async function reliabilityDiagram(
  bins: readonly Bin[],
  title: string,
): Promise<string | undefined> {
  const used = bins.filter((b) => b.weight > 0);
  const at = { x: 'confidence', y: 'right' } as const;
  return drawing(title, (plot) => ({
    width: 520,
    height: 400,
    grid: true,
    x: { domain: [0, 1], label: 'confidence', tickFormat: shareOf },
    y: { domain: [0, 1], label: 'right', tickFormat: shareOf },
    r: { range: [0, 25] },
    marks: [
      plot.line(
        [
          [0, 0],
          [1, 1],
        ],
        { stroke: '#888', strokeDasharray: '4 4' },
      ),
      plot.line(used, { ...at, stroke: blue }),
      plot.dot(used, { ...at, r: 'weight', fill: blue, fillOpacity: 0.35, stroke: blue }),
    ],
  }));
}

export interface Line {
  readonly name: string;
  /** Refused share of commands, false accepts an hour. */
  readonly points: readonly Accepted[];
}

interface Accepted {
  readonly refused: number;
  readonly falseAcceptsPerHour: number;
}

/** False accepts an hour against refused commands, one line a condition or intent; the mark is the threshold in use. */
export async function acceptanceChart(
  lines: readonly Line[],
  mark: Accepted | undefined,
  title: string,
  /** Points beyond this are cut off. */
  perHourMax = Infinity,
): Promise<string | undefined> {
  const all = lines.flatMap((l) => l.points.map((p) => p.falseAcceptsPerHour));
  const yMax = Math.min(perHourMax, Math.max(1, ...all.filter(Number.isFinite)));
  const shown = lines.slice(0, colours.length);
  const at = { x: 'refused', y: 'falseAcceptsPerHour' } as const;
  const cut = (p: Accepted) => ({
    ...p,
    falseAcceptsPerHour: Math.min(p.falseAcceptsPerHour, yMax),
  });
  return drawing(title, (plot) => ({
    width: 520,
    height: 400,
    grid: true,
    x: { domain: [0, 1], label: 'commands refused or wrong', tickFormat: shareOf },
    y: { domain: [0, yMax], label: 'false accepts an hour' },
    marks: [
      ...shown.map(({ points }, i) =>
        plot.line(points.map(cut), { ...at, stroke: colours[i], strokeWidth: 1.5 }),
      ),
      ...shown.map(({ name }, i) =>
        plot.text([name], { frameAnchor: 'top-right', dy: 8 + 16 * i, fill: colours[i] }),
      ),
      ...(mark === undefined ? [] : [plot.dot([mark], { ...at, r: 5, fill: red })]),
    ],
  }));
}

/** Lines or points over a logarithmic x axis. */
export interface Series {
  readonly name: string;
  readonly points: readonly { readonly x: number; readonly y: number; readonly label?: string }[];
  /** Points only. */
  readonly scatter?: boolean;
}

export interface Curve {
  readonly title: string;
  readonly x: string;
  readonly y: string;
  readonly xTicks: readonly number[];
  readonly yMax: number;
  readonly series: readonly Series[];
  /** A horizontal line, such as the dense network's rate. */
  readonly level?: { readonly y: number; readonly name: string };
}

/** Shares against times fewer parameters, each series with its name beside it. */
export async function curveChart(curve: Curve): Promise<string | undefined> {
  const { title, x, y, xTicks, yMax, series, level } = curve;
  const reach = [...xTicks, ...series.flatMap((s) => s.points.map((p) => p.x))];
  return drawing(title, (plot) => ({
    width: 740,
    height: 440,
    marginRight: 200,
    x: {
      type: 'log',
      domain: [Math.min(...reach), Math.max(...reach)],
      label: x,
      ticks: [...xTicks],
      tickFormat: (v: number) => `${v}x`,
      grid: true,
    },
    y: { domain: [0, yMax], label: y, tickFormat: shareOf, grid: true, clamp: true },
    marks: [
      ...(level === undefined
        ? []
        : [
            plot.ruleY([level.y], { stroke: '#222', strokeDasharray: '5 4' }),
            plot.text([level], {
              ...{ y: 'y', text: 'name', frameAnchor: 'right', textAnchor: 'start', dx: 8 },
            }),
          ]),
      ...series.flatMap(({ points, scatter }, i) => {
        const fill = colours[1 + (i % (colours.length - 1))];
        const at = { x: 'x', y: 'y' } as const;
        return [
          ...(scatter === true ? [] : [plot.line(points, { ...at, stroke: fill, strokeWidth: 2 })]),
          plot.dot(points, { ...at, r: scatter === true ? 5 : 3, fill }),
          plot.text(
            points.filter((p) => p.label !== undefined),
            { ...at, text: 'label', textAnchor: 'start', dx: 8, dy: -6, fill },
          ),
        ];
      }),
      ...series.map(({ name }, i) =>
        plot.text([name], {
          ...{ frameAnchor: 'top-right', textAnchor: 'start', dx: 8, dy: 14 + 18 * i },
          fill: colours[1 + (i % (colours.length - 1))],
        }),
      ),
    ],
  }));
}

export interface SnrLine {
  readonly name: string;
  /** Shares right by rising level; `low`, `high`: an interval, drawn as a band. */
  readonly points: readonly {
    readonly snrDb: number;
    readonly right: number;
    readonly low?: number;
    readonly high?: number;
  }[];
}

/** Shares right against the level of the noise, each line with its name at its end; the first is drawn strongest. */
export async function snrChart(
  lines: readonly SnrLine[],
  title: string,
): Promise<string | undefined> {
  const at = { x: 'snrDb', y: 'right' } as const;
  const all = lines.flatMap((l) => l.points);
  const levels = all.map((p) => p.snrDb);
  const lowest = Math.min(...all.map((p) => p.low ?? p.right));
  const bottom = Math.floor(10 * lowest) / 10;
  // Names are moved down until none covers another.
  const names = lines
    .map(({ name, points }, line) => ({
      line,
      name,
      ...points.at(-1),
      y: points.at(-1)?.right ?? 0,
    }))
    .sort((a, b) => b.y - a.y);
  names.forEach((label, i) => {
    label.y = Math.min(label.y, (names[i - 1]?.y ?? 2) - 0.055 * (1 - bottom));
  });
  return drawing(title, (plot) => ({
    width: 740,
    height: 400,
    marginRight: 150,
    grid: true,
    x: { domain: [Math.min(...levels), Math.max(...levels)], label: 'signal to noise, dB' },
    y: { domain: [bottom, 1], label: 'right', tickFormat: shareOf },
    marks: lines.flatMap(({ points }, i) => {
      const stroke = i === 0 ? blue : (colours[2 + i] ?? '#888');
      return [
        plot.areaY(
          points.filter((p) => p.low !== undefined),
          { x: 'snrDb', y1: 'low', y2: 'high', fill: stroke, fillOpacity: 0.2 },
        ),
        plot.line(points, { ...at, stroke, strokeWidth: i === 0 ? 3 : 1.2 }),
        plot.text(
          names.filter(({ line }) => line === i),
          { x: 'snrDb', y: 'y', text: 'name', textAnchor: 'start', dx: 8, fill: stroke },
        ),
      ];
    }),
  }));
}
