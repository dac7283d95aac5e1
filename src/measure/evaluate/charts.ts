/** Small charts as SVG text: no fonts, no scripts, readable in a browser and in Markdown. */
import type { Bin } from '../calibrate/reliability.js';

const [width, height, margin] = [520, 400, 52];

interface Axis {
  readonly label: string;
  readonly max: number;
  readonly ticks: readonly number[];
  readonly show: (v: number) => string;
}

const escape = (text: string) =>
  text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');

function frame(title: string, x: Axis, y: Axis, inner: string): string {
  const px = (v: number) => margin + ((width - 2 * margin) * v) / x.max;
  const py = (v: number) => height - margin - ((height - 2 * margin) * v) / y.max;
  const text = (tx: number, ty: number, anchor: string, content: string, more = '') =>
    `<text x="${tx.toFixed(1)}" y="${ty.toFixed(1)}" text-anchor="${anchor}"${more}>${escape(content)}</text>`;
  const grid = [
    ...x.ticks.map(
      (v) =>
        `<path d="M${px(v).toFixed(1)} ${margin}V${height - margin}" stroke="#ddd"/>${text(px(v), height - margin + 16, 'middle', x.show(v))}`,
    ),
    ...y.ticks.map(
      (v) =>
        `<path d="M${margin} ${py(v).toFixed(1)}H${width - margin}" stroke="#ddd"/>${text(margin - 6, py(v) + 4, 'end', y.show(v))}`,
    ),
  ];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="sans-serif" font-size="12" fill="#222">
<rect width="${width}" height="${height}" fill="#fff"/>
${grid.join('\n')}
${text(width / 2, 24, 'middle', title, ' font-size="14"')}
${text(width / 2, height - 12, 'middle', x.label)}
${text(14, height / 2, 'middle', y.label, ` transform="rotate(-90 14 ${height / 2})"`)}
${inner}
</svg>
`;
}

const at = (x: number, y: number, xMax: number, yMax: number) =>
  `${(margin + ((width - 2 * margin) * x) / xMax).toFixed(1)} ${(height - margin - ((height - 2 * margin) * y) / yMax).toFixed(1)}`;

const shares = [0, 0.2, 0.4, 0.6, 0.8, 1];
const share = (v: number) => `${Math.round(100 * v)} %`;

/** Share right against confidence; a bubble's area is the share of the examples in its bin. */
export function reliabilityDiagram(bins: readonly Bin[], title: string): string {
  const total = bins.reduce((s, b) => s + b.weight, 0);
  const used = bins.filter((b) => b.weight > 0);
  const bubbles = used.map((b) => {
    const [x, y] = at(b.confidence, b.right, 1, 1).split(' ');
    const radius = 3 + 22 * Math.sqrt(b.weight / total);
    return `<circle cx="${x}" cy="${y}" r="${radius.toFixed(1)}" fill="#2a6fbb" fill-opacity="0.35" stroke="#2a6fbb"/>`;
  });
  const line = used.map((b) => at(b.confidence, b.right, 1, 1)).join(' L');
  return frame(
    title,
    { label: 'confidence', max: 1, ticks: shares, show: share },
    { label: 'right', max: 1, ticks: shares, show: share },
    `<path d="M${at(0, 0, 1, 1)} L${at(1, 1, 1, 1)}" stroke="#888" stroke-dasharray="4 4"/>
<path d="M${line}" fill="none" stroke="#2a6fbb"/>
${bubbles.join('\n')}`,
  );
}

export interface Line {
  readonly name: string;
  /** Refused share of commands, false accepts an hour. */
  readonly points: readonly { readonly refused: number; readonly falseAcceptsPerHour: number }[];
}

const colours = [
  '#222',
  '#2a6fbb',
  '#c0392b',
  '#27865a',
  '#8e44ad',
  '#b9770e',
  '#117a8b',
  '#7f5539',
];

/** False accepts an hour against refused commands, one line a condition or intent; the mark is the threshold in use. */
export function acceptanceChart(
  lines: readonly Line[],
  mark: { refused: number; falseAcceptsPerHour: number } | undefined,
  title: string,
  /** Points beyond this are cut off. */
  perHourMax = Infinity,
): string {
  const all = lines.flatMap((l) => l.points.map((p) => p.falseAcceptsPerHour));
  const yMax = Math.min(perHourMax, Math.max(1, ...all.filter(Number.isFinite)));
  const shown = lines.slice(0, colours.length);
  const paths = shown.map((line, i) => {
    const points = line.points
      .map((p) => at(p.refused, Math.min(p.falseAcceptsPerHour, yMax), 1, yMax))
      .join(' L');
    const key = `<text x="${width - margin - 6}" y="${margin + 16 + 16 * i}" text-anchor="end" fill="${colours[i] ?? '#222'}">${escape(line.name)}</text>`;
    return `<path d="M${points}" fill="none" stroke="${colours[i] ?? '#222'}" stroke-width="1.5"/>${key}`;
  });
  const [x, y] =
    mark === undefined ? [] : at(mark.refused, mark.falseAcceptsPerHour, 1, yMax).split(' ');
  const dot = x === undefined ? '' : `<circle cx="${x}" cy="${y ?? '0'}" r="5" fill="#c0392b"/>`;
  return frame(
    title,
    { label: 'commands refused or wrong', max: 1, ticks: shares, show: share },
    {
      label: 'false accepts an hour',
      max: yMax,
      ticks: shares.map((s) => s * yMax),
      show: (v) => v.toPrecision(2),
    },
    `${paths.join('\n')}\n${dot}`,
  );
}
