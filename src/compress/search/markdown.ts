import type { CandidateResult } from './candidate.js';
import type { SearchResult } from './search.js';

const percent = (v: number) => (Number.isFinite(v) ? `${(100 * v).toFixed(1)} %` : '');
const points = (v: number) => `${v >= 0 ? '+' : ''}${(100 * v).toFixed(2)}`;
const count = (v: number) => v.toLocaleString('en');

/** Every candidate tried, in the order in which it was. */
export function searchMarkdown(result: SearchResult): string {
  const { dense, tried, smallest, clips } = result;
  const sets = Object.keys(dense.phoneError);
  // All of them together, or the only one.
  const last = sets.at(-1) ?? '';
  const header = [
    'budget, bytes',
    'network, bytes',
    'all files, bytes',
    'parameters',
    'ranks',
    'input',
    ...sets.flatMap((s) => [`${s}: before`, `${s}: after`, `${s}: less dense, points`]),
    'fine-tuned',
    'within',
    'minutes',
  ];
  const row = (c: SearchResult['tried'][number]) => [
    count(c.budget),
    `${count(c.networkBytes)} (${(dense.bytes / c.networkBytes).toFixed(1)}x)`,
    count(c.bytes),
    `${count(c.parameters)} (${(dense.parameters / c.parameters).toFixed(1)}x)`,
    c.ranks.join(' '),
    c.inputRank > 0 ? `${c.inputRank}` : '',
    ...sets.flatMap((s) => [
      percent(c.before[s] ?? NaN),
      percent(c.after[s] ?? NaN),
      interval(c, s),
    ]),
    c.fineTuned ? 'yes' : `no: ${percent(c.tuned[last] ?? NaN)}`,
    c.within ? 'yes' : 'no',
    (c.seconds / 60).toFixed(1),
  ];
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [
    '# The smallest network within the tolerance',
    verdict(result),
    `Phone error, measured with the device's own frontend and network on ${Object.entries(clips)
      .map(([name, n]) => `${n} clips of ${name}`)
      .join(
        ', ',
      )}; dense: ${count(dense.parameters)} parameters, ${count(dense.bytes)} bytes, ${sets.map((s) => `${s} ${percent(dense.phoneError[s] ?? NaN)}`).join(', ')}. "Before": factored, in 8 bits, before any fine-tuning. "After": as it would ship, fine-tuned where that paid; else its error on ${last} stands in the column "fine-tuned". The difference is a 95 % interval of a paired bootstrap over clips; a candidate is within the tolerance when the upper end is at most ${points(result.tolerance)} points on all prompts together.`,
    [line(header), line(header.map(() => '---')), ...tried.map((c) => line(row(c)))].join('\n'),
    ...(smallest === undefined
      ? []
      : [
          `Its thresholds and priors are those of the bundle that the search was given. Before it ships: \`kikitori model calibrate --model ${smallest.bundle} ... --write\`, then \`kikitori model report\`.`,
        ]),
    '## Settings',
    Object.entries(result.settings)
      .map(([name, value]) => `- ${name}: ${String(value)}`)
      .join('\n'),
  ]
    .join('\n\n')
    .concat('\n');
}

function verdict({ smallest, tried, tolerance }: SearchResult): string {
  if (smallest === undefined)
    return `**None of the ${tried.length} candidates loses at most ${points(tolerance)} points.** A larger --bytes, more --minutes or a larger --tolerance may find one.`;
  return `**${count(smallest.networkBytes)} bytes, ${count(smallest.parameters)} parameters**: \`${smallest.bundle}\`, of the checkpoint \`${smallest.checkpoint}\`.`;
}

function interval(c: CandidateResult, set: string): string {
  const d = c.difference[set];
  return d === undefined ? '' : `${points(d.value)} (${points(d.low)} to ${points(d.high)})`;
}
