/**
 * What the daemon's memory is: peak, and what is resident after its last answer, split by what it belongs to.
 * Touched: what of it was read or written after the start and the first sentence. The kernel may take the rest back, and
 * nothing is slower.
 * usage: node dist/bench/memory.js [--utterances N] [--maps] [--json]
 */
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { paced } from './lib/paced.js';
import { numberArgument, report, type Row } from './lib/report.js';
import { partOf, parts, readMappings } from './lib/smaps.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const utterances = numberArgument('utterances', 11);

const rows: Row[] = [];
async function look(pid: number): Promise<void> {
  const mappings = readMappings(await readFile(`/proc/${pid}/smaps`, 'utf8'));
  const mb = (of: typeof mappings, key: 'residentKb' | 'touchedKb' | 'anonymousKb') =>
    of.reduce((sum, mapping) => sum + (mapping[key] * 1024) / 1e6, 0);
  rows.push({ name: 'resident', unit: 'MB', values: [mb(mappings, 'residentKb')] });
  rows.push({ name: 'written by itself', unit: 'MB', values: [mb(mappings, 'anonymousKb')] });
  rows.push({ name: 'touched after the start', unit: 'MB', values: [mb(mappings, 'touchedKb')] });
  for (const part of parts) {
    const of = mappings.filter((mapping) => partOf(mapping) === part);
    rows.push({ name: `  ${part}`, unit: 'MB', values: [mb(of, 'residentKb')] });
    rows.push({ name: '    of it touched', unit: 'MB', values: [mb(of, 'touchedKb')] });
  }
  if (!process.argv.includes('--maps')) return;
  const largest = mappings.toSorted((a, b) => b.residentKb - a.residentKb).slice(0, 60);
  for (const { residentKb, anonymousKb, sizeKb, permissions, name, startsAt } of largest)
    process.stderr.write(
      `${residentKb} of ${sizeKb} kB, ${anonymousKb} its own  ${startsAt.toString(16)} ${permissions} ${name}\n`,
    );
}
/** The start is over, and one sentence has been heard. */
const forgetAfterMs = 12_000;
let forgotten = false;
function forget(line: Readonly<Record<string, unknown>>, pid: number): void {
  if (forgotten || line['event'] !== 'mic.up') return;
  forgotten = true;
  setTimeout(() => void writeFile(`/proc/${pid}/clear_refs`, '1'), forgetAfterMs);
}
const cost = await paced(root, utterances, {}, forget, look);
report('memory', [...cost, ...rows], { utterances });
