import { curveChart } from '../../measure/chart/charts.js';
import type { Interval } from '../../measure/evaluate/statistics.js';
import type { NetworkRow, NetworksReport } from './networks.js';

const share = (v: number) => `${(100 * v).toPrecision(3)} %`;
const points = (v: number) => `${v >= 0 ? '+' : ''}${(100 * v).toFixed(2)}`;
const less = (i: Interval | undefined) =>
  i === undefined ? '' : ` (${points(i.low)} to ${points(i.high)})`;

function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(header), line(header.map(() => '---')), ...rows.map(line)].join('\n');
}

export function networksMarkdown(report: NetworksReport, { picture = '' } = {}): string {
  const [original] = report.rows;
  const rows = report.rows.filter((r) => r.curve === undefined);
  const curve = report.rows.filter((r) => r.curve !== undefined);
  if (original === undefined) throw new Error('a report has its original');
  const outputs = Object.keys(report.rows.find((r) => r.error)?.error ?? {});
  const times = (before: number, own: number) =>
    before === own ? '' : ` (${(before / own).toFixed(2)}x)`;
  const figures = (r: NetworkRow) => [
    ...outputs.map((o) => {
      const error = r.error?.[o];
      return error === undefined
        ? ''
        : `${share(error.value)} (${share(error.low)} to ${share(error.high)})`;
    }),
    ...(original.detection === undefined
      ? []
      : [
          `${(100 * (r.detection?.area ?? NaN)).toFixed(2)}${less(r.detection?.areaLess)}`,
          `${(100 * (r.detection?.f1 ?? NaN)).toFixed(2)}${less(r.detection?.f1Less)}`,
        ]),
    ...(original.squaredError === undefined ? [] : [squares(r)]),
  ];
  const names = [
    ...outputs.map((o) => `error of ${o}`),
    ...(original.detection === undefined ? [] : ['AUC, %', 'F1, %']),
    ...(original.squaredError === undefined ? [] : ['mean squared error']),
  ];
  return [
    '# What the compression costs',
    `On ${report.runs} series of ${report.calls} calls, each network with its own state. The error is the squared difference from the original as a share of the output's variance. In brackets: a 95 % interval of a bootstrap over series; for AUC, F1 and squared error of the paired difference from the original, in points.${report.threshold === undefined ? '' : ` F1 is at a threshold of ${report.threshold}.`}`,
    table(
      ['network', 'file, bytes', 'weights', ...names, 'us a call'],
      rows.map((r) => [
        r.name,
        `${r.bytes.toLocaleString('en')}${times(original.bytes, r.bytes)}`,
        `${r.weights.toLocaleString('en')}${times(original.weights, r.weights)}`,
        ...figures(r),
        r.usEachCall.toFixed(0),
      ]),
    ),
    ...(curve.length === 0
      ? []
      : [
          '## Parameters against error',
          ...(picture === '' ? [] : [`![trade-off](${picture})`]),
          table(
            ['method', 'fewer recurrent parameters', 'file, bytes', ...names],
            curve.map((r) => [
              r.curve?.method ?? '',
              `${(r.curve?.ratio ?? NaN).toFixed(2)}x`,
              r.bytes.toLocaleString('en'),
              ...figures(r),
            ]),
          ),
        ]),
  ]
    .join('\n\n')
    .concat('\n');
}

function squares({ squaredError }: NetworkRow): string {
  if (squaredError === undefined) return '';
  const { value, less: interval } = squaredError;
  const signed = (v: number) => `${v >= 0 ? '+' : ''}${v.toPrecision(2)}`;
  return `${value.toPrecision(4)}${interval === undefined ? '' : ` (${signed(interval.low)} to ${signed(interval.high)})`}`;
}

const meanError = ({ error }: NetworkRow) => {
  const values = Object.values(error ?? {}).map((e) => e.value);
  return values.reduce((a, b) => a + b, 0) / Math.max(1, values.length);
};

/** Error against how many times fewer recurrent parameters, a line for each method. */
export async function networksCurve({ rows }: NetworksReport): Promise<string | undefined> {
  const points = rows.filter((r) => r.curve !== undefined);
  const methods = [...new Set(points.map((r) => r.curve?.method ?? ''))];
  const most = Math.max(...points.map(meanError));
  return curveChart({
    title: 'Error against the original',
    x: 'times fewer recurrent parameters',
    y: 'share of the variance',
    xTicks: [1, 2, 3, 5, 7, 10],
    yMax: Math.min(1, Math.ceil(20 * most * 1.05) / 20),
    series: methods.map((name) => ({
      name,
      points: points
        .filter((r) => r.curve?.method === name)
        .map((r) => ({ x: r.curve?.ratio ?? 1, y: meanError(r) }))
        .sort((a, b) => a.x - b.x),
    })),
  });
}
