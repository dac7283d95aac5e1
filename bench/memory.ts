/**
 * What the daemon's memory is: peak, and what is resident after its last answer, split by what it belongs to.
 * usage: node dist/bench/memory.js [--utterances N] [--maps] [--json]
 */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { paced } from './lib/paced.js';
import { numberArgument, report, type Row } from './lib/report.js';
import { partOf, parts, readMappings } from './lib/smaps.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const utterances = numberArgument('utterances', 11);

const rows: Row[] = [];
async function look(pid: number): Promise<void> {
  const mappings = readMappings(await readFile(`/proc/${pid}/smaps`, 'utf8'));
  const mb = (of: typeof mappings, key: 'residentKb' | 'proportionalKb' | 'anonymousKb') =>
    of.reduce((sum, mapping) => sum + (mapping[key] * 1024) / 1e6, 0);
  rows.push({ name: 'resident', unit: 'MB', values: [mb(mappings, 'residentKb')] });
  rows.push({ name: 'written by itself', unit: 'MB', values: [mb(mappings, 'anonymousKb')] });
  for (const part of parts) {
    const of = mappings.filter((mapping) => partOf(mapping) === part);
    rows.push({ name: `  ${part}`, unit: 'MB', values: [mb(of, 'residentKb')] });
  }
  if (!process.argv.includes('--maps')) return;
  const largest = mappings.toSorted((a, b) => b.residentKb - a.residentKb).slice(0, 60);
  for (const { residentKb, anonymousKb, sizeKb, permissions, name, startsAt } of largest)
    process.stderr.write(
      `${residentKb} of ${sizeKb} kB, ${anonymousKb} its own  ${startsAt.toString(16)} ${permissions} ${name}\n`,
    );
}
const cost = await paced(root, utterances, {}, undefined, look);
report('memory', [...cost, ...rows], { utterances });
