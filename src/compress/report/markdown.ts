import type { Interval } from '../../measure/evaluate/statistics.js';
import { curveChart, type Series } from '../../measure/chart/charts.js';
import { peopleMin } from '../../measure/evaluate/word-errors.js';
import { withinAPoint, type DictatedRate } from './dictated.js';
import { everySet, type Rate, type Report, type Row } from './report.js';

const percent = (v: number) => (Number.isFinite(v) ? `${(100 * v).toFixed(1)} %` : '');
const label = (row: Row) =>
  row.of === undefined
    ? row.name
    : `${row.of.candidate}: ${row.of.as === 'before' ? 'before fine-tuning' : 'control of its size, from scratch'}`;
const points = (v: number) => `${v >= 0 ? '+' : ''}${(100 * v).toFixed(1)}`;

function cell(rate: Rate | undefined): string {
  if (rate === undefined) return '';
  const d = rate.difference;
  return d === undefined
    ? percent(rate.rate)
    : `${percent(rate.rate)} (${points(d.low)} to ${points(d.high)})`;
}

/**
 * "No loss": at most one point more of phone error at the upper end of the interval, orders right at most two fewer
 * in every condition. On all prompts together, and on each set by itself, where few clips make the interval wide.
 */
export function withoutLoss(
  row: Pick<Row, 'phoneError' | 'ordersRight'>,
): 'on every set' | 'on all together' | 'no' {
  const small = (rate: Rate | undefined) => (rate?.difference?.high ?? 0) <= 0.01;
  const orders = Object.values(row.ordersRight).every((r) => (r.difference?.value ?? 0) >= -0.02);
  if (!orders) return 'no';
  if (Object.values(row.phoneError).every(small)) return 'on every set';
  return everySet in row.phoneError && small(row.phoneError[everySet]) ? 'on all together' : 'no';
}

/** Word errors of dictation: each set's own interval, what was wrong, and the difference. */
function dictationTable(rows: readonly Row[]): string {
  const [first] = rows;
  const sets = Object.keys(first?.dictated ?? {});
  const line = (row: Row, set: string, r: DictatedRate) => [
    label(row),
    set,
    `${percent(r.rate.value)} (${(100 * r.rate.low).toFixed(1)} to ${(100 * r.rate.high).toFixed(1)})`,
    `${r.substituted}, ${r.left}, ${r.added}`,
    `${r.length}`,
    `${r.unknown}`,
    r.people === 0 ? '' : `${r.people}`,
    between(r.difference),
    withinAPoint(r),
  ];
  return table(
    [
      'network',
      'set',
      'word error',
      'wrong, left out, added',
      'words',
      'unknown',
      'people',
      'points',
      'at most a point more',
    ],
    rows.flatMap((row) =>
      sets.flatMap((set) => {
        const r = row.dictated[set];
        return r === undefined ? [] : [line(row, set, r)];
      }),
    ),
  );
}

const between = (d: Interval | undefined) =>
  d === undefined ? '' : `${points(d.value)} (${points(d.low)} to ${points(d.high)})`;

function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(header), line(header.map(() => '---')), ...rows.map(line)].join('\n');
}

/** `pictures`: PNG files lie beside the SVG ones. */
export function reportMarkdown(
  report: Report,
  { pictures = false, reliability = false } = {},
): string {
  const { dense, candidates, clips, noises } = report;
  const rows = [dense, ...candidates.filter((c) => c.curve === undefined)];
  const sets = Object.keys(dense.phoneError);
  const conditions = Object.keys(dense.ordersRight);
  const size = table(
    [
      'network',
      'layers',
      'ranks',
      'input',
      'weights',
      'parameters',
      'network, bytes',
      'stored (bits a parameter)',
      'all files, bytes',
    ],
    rows.map((r) => [
      label(r),
      r.layers.join(' '),
      r.ranks.join(' '),
      r.inputRank > 0 ? `${r.inputRank}` : '',
      r.weights,
      `${r.parameters.toLocaleString('en')}${factor(dense.parameters, r.parameters)}`,
      `${r.networkBytes.toLocaleString('en')}${factor(dense.networkBytes, r.networkBytes)}`,
      `${r.networkStoredBytes.toLocaleString('en')} (${((8 * r.networkStoredBytes) / r.parameters).toFixed(2)})`,
      `${r.bytes.toLocaleString('en')}${factor(dense.bytes, r.bytes)}`,
    ]),
  );
  const errors = table(
    [
      'network',
      ...sets.flatMap((s) => [`${s}: phone error`, `${s}: words with an error`]),
      'without loss',
    ],
    rows.map((r) => [
      label(r),
      ...sets.flatMap((s) => [cell(r.phoneError[s]), cell(r.wordError[s])]),
      r === dense || r.of !== undefined ? '' : withoutLoss(r),
    ]),
  );
  const orders = table(
    ['network', ...conditions.flatMap((c) => [`${c}: right`, `${c}: right and accepted`])],
    rows.map((r) => [
      label(r),
      ...conditions.flatMap((c) => [cell(r.ordersRight[c]), cell(r.ordersAccepted[c])]),
    ]),
  );
  const cost = table(
    ['network', 'of real time', 'peak memory of the process, MB'],
    rows.map((r) => [
      label(r),
      r.realTimeFactor?.toFixed(4) ?? '',
      r.peakMemoryMb?.toFixed(0) ?? '',
    ]),
  );
  const controlled = candidates.filter((c) => c.lessControl !== undefined);
  const control = table(
    [
      'network',
      ...sets.map((s) => `${s}: phone error, points`),
      ...conditions.map((c) => `${c}: orders right, points`),
    ],
    controlled.map((r) => [
      r.name,
      ...sets.map((s) => between(r.lessControl?.phoneError[s])),
      ...conditions.map((c) => between(r.lessControl?.ordersRight[c])),
    ]),
  );
  const curve = candidates.filter((c) => c.curve !== undefined);
  const curveRows = curve.map((r) => [
    r.curve?.tuned === true ? `${r.curve.method}, fine-tuned` : r.name,
    `${(dense.parameters / r.parameters).toFixed(2)}x`,
    r.parameters.toLocaleString('en'),
    r.ranks.join(' '),
    r.inputRank > 0 ? `${r.inputRank}` : '',
    ...sets.map((s) => cell(r.phoneError[s])),
  ]);
  return [
    '# What the compression costs',
    `Measured with the device's own frontend, network, grammar and search on ${Object.entries(clips)
      .map(([name, n]) => `${n} clips of ${name}`)
      .join(
        ', ',
      )}. In brackets: the difference from the dense network, in points, as a 95 % interval of a paired bootstrap over clips. "Without loss": the upper end is at most one point of phone error, on every set or on the clips of all sets together, and orders right are at most two points fewer in every condition.`,
    '## Size',
    size,
    ...(sets.length === 0
      ? []
      : [
          '## Errors on read prompts',
          'Phones that the network hears by itself, without grammar or word list, against the nearest pronunciation of the text. A word has an error when a phone of it is wrong, missing or too many.',
          errors,
        ]),
    ...(report.languageModel === undefined
      ? []
      : [
          '## Word errors of dictation',
          `The same prompts as dictation by the language model ${report.languageModel.name} (sha256 ${report.languageModel.sha256.slice(0, 12)}), each as one sentence. "Unknown" words are not in it: each is at least one error. Intervals (95 %) are of a bootstrap over people, paired for the difference from the dense network in points; over clips where fewer than ${peopleMin} people are named. "At most a point more": yes or no where the interval says so, else undecided.`,
          dictationTable(rows),
        ]),
    ...(conditions.length === 0
      ? []
      : [
          '## Orders',
          `Intent and every slot right; and not refused by the confidence.${noises.length === 0 ? '' : ` At each level every order is heard in ${noises.length === 1 ? 'one noise' : `each of ${noises.length} noises`}: ${noises.join(', ')}.`}`,
          orders,
        ]),
    ...(controlled.length === 0
      ? []
      : [
          '## Against a network of the same size, trained from scratch',
          'The compressed network less its control, with the paired 95 % interval: below 0 for errors and above 0 for orders, compressing is better than training small.',
          control,
        ]),
    '## Cost',
    'Median of the real-time factor and peak resident memory of a process that hears some of the orders with this bundle alone.',
    cost,
    ...(curve.length === 0
      ? []
      : [
          '## Parameters against errors',
          `![trade-off](${pictures ? 'curve.png' : 'curve.svg'})`,
          table(
            [
              'method',
              'fewer',
              'parameters',
              'ranks',
              'input',
              ...sets.map((s) => `${s}: phone error`),
            ],
            curveRows,
          ),
        ]),
    ...(reliability
      ? [
          '## Confidence',
          'Share right against the confidence that was said, on the clips held out when it was calibrated.',
          `![reliability](${pictures ? 'reliability.png' : 'reliability.svg'})`,
        ]
      : []),
  ]
    .join('\n\n')
    .concat('\n');
}

const factor = (dense: number, own: number) =>
  own === dense ? '' : ` (${(dense / own).toFixed(1)}x)`;

/** Phone error of all sets together against how many times fewer parameters. */
export async function curveSvg(report: Report): Promise<string | undefined> {
  const { dense, candidates } = report;
  const [first = ''] = Object.keys(dense.phoneError);
  const set = everySet in dense.phoneError ? everySet : first;
  const point = (r: Row, label?: string) => ({
    x: dense.parameters / r.parameters,
    y: r.phoneError[set]?.rate ?? 0,
    ...(label === undefined ? {} : { label }),
  });
  const kindOf = ({ method, tuned, tau }: NonNullable<Row['curve']>) =>
    `${method}, ${tuned === true ? 'fine-tuned' : tau === undefined ? 'before' : `ranks of tau ${tau}`}`;
  const kinds = new Map(
    candidates.flatMap((c) => (c.curve === undefined ? [] : [[kindOf(c.curve), c.curve]])),
  );
  const series: Series[] = [...kinds].map(([name, { tuned, tau }]) => ({
    name,
    scatter: tuned === true || tau !== undefined,
    points: candidates
      .filter((c) => c.curve !== undefined && kindOf(c.curve) === name)
      .map((c) => point(c))
      .sort((a, b) => a.x - b.x),
  }));
  const given = candidates.filter((c) => c.curve === undefined && c.of === undefined);
  if (given.length > 0)
    series.push({ name: 'candidates', scatter: true, points: given.map((c) => point(c, c.name)) });
  const level = dense.phoneError[set]?.rate ?? 0;
  const most = Math.max(level, ...series.flatMap((s) => s.points.map((p) => p.y)));
  return curveChart({
    title: `Phone error on ${set === everySet ? 'all prompts' : set}`,
    x: 'times fewer parameters',
    y: 'phone error',
    xTicks: [1, 2, 3, 5, 7, 10, 15, 20],
    yMax: Math.min(1, Math.ceil(10 * most * 1.05) / 10),
    series,
    level: { y: level, name: 'dense' },
  });
}
