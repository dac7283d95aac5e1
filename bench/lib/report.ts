/** What every bench prints: a table for people, and with --json one object with machine, commit and spread. */
import { execFileSync } from 'node:child_process';
import { cpus, totalmem } from 'node:os';
import { loadavg } from 'node:os';

export interface Row {
  readonly name: string;
  readonly unit: string;
  /** One value a repetition; the median is the figure, the range its spread. */
  readonly values: readonly number[];
  /** What the project wants, for the reader. */
  readonly aim?: string;
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** Nearest-rank quantile. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(q * sorted.length) - 1))] ?? NaN;
}

export function commit(): string {
  try {
    const git = (...args: string[]) => execFileSync('git', args, { encoding: 'utf8' }).trim();
    const changed = git('status', '--porcelain', '--untracked-files=no') === '' ? '' : '+changes';
    return git('rev-parse', '--short', 'HEAD') + changed;
  } catch {
    return 'unknown';
  }
}

export function machine() {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryMb: Math.round(totalmem() / 1e6),
    node: process.version,
    platform: `${process.platform}/${process.arch}`,
    /** Other work beside the bench: above 0.5 a core, figures are too high. */
    loadBefore: Number((loadAtStart ?? 0).toFixed(2)),
  };
}

const loadAtStart = loadavg()[0];

const digits = (value: number) =>
  Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3).replace(/\.?0+$/, '');

export function report(bench: string, rows: readonly Row[], setting: object = {}): void {
  if (process.argv.includes('--json')) {
    const figures = rows.map(({ name, unit, values, aim }) => ({
      name,
      unit,
      median: median(values),
      min: Math.min(...values),
      max: Math.max(...values),
      repetitions: values.length,
      ...(aim === undefined ? {} : { aim }),
    }));
    process.stdout.write(
      `${JSON.stringify({ bench, commit: commit(), machine: machine(), setting, figures })}\n`,
    );
    return;
  }
  const m = machine();
  process.stdout.write(
    `${bench} at ${commit()}; ${m.cpu}, ${m.cores} cores, ${m.platform}, Node ${m.node}, load ${m.loadBefore} before\n`,
  );
  const width = Math.max(...rows.map((r) => r.name.length));
  for (const { name, unit, values, aim } of rows) {
    const range =
      values.length === 1
        ? ''
        : `(${digits(Math.min(...values))} to ${digits(Math.max(...values))}, ${values.length} times)`;
    process.stdout.write(
      `  ${name.padEnd(width)}  ${digits(median(values)).padStart(8)} ${unit.padEnd(12)} ${range}${aim === undefined ? '' : `  aim ${aim}`}\n`,
    );
  }
}

/** A whole number after --name. */
export function numberArgument(name: string, otherwise: number): number {
  const at = process.argv.indexOf(`--${name}`);
  const value = at < 0 ? otherwise : Number(process.argv[at + 1]);
  if (!Number.isInteger(value) || value < 0) throw new Error(`--${name}: expected a whole number`);
  return value;
}

/** CPU time of this process for `action`, ms: what counts on one core, whatever runs beside it. */
export async function cpuMsOf(action: () => Promise<void>): Promise<number> {
  const before = process.cpuUsage();
  await action();
  const used = process.cpuUsage(before);
  return (used.user + used.system) / 1000;
}
