/**
 * Instructions a second of audio on ARM, counted under qemu (scripts/arm-test cost), beside those that bench/arm.json keeps,
 * and what they may mean on a board: an estimate, for nothing here was run on one.
 *   arm.js NODE_ON [--keep] PROCESSOR...
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { commit } from './lib/report.js';
import { boards, compared, costOf, type Cost, type Part } from './lib/arm-cost.js';

interface Kept {
  /** A part that has more or fewer instructions by more than this share is spoken of, and more is a failure. */
  readonly toleranceShare: number;
  readonly commit: string;
  readonly processors: Readonly<Record<string, Cost>>;
}

const root = fileURLToPath(new URL('../../', import.meta.url));
const keptPath = join(root, 'bench/arm.json');
const kept = JSON.parse(readFileSync(keptPath, 'utf8')) as Kept;
const print = (text: string) => process.stdout.write(`${text}\n`);
const [nodeOn = '', ...rest] = process.argv.slice(2);
const keep = rest.includes('--keep');
const processors = rest.filter((word) => !word.startsWith('--'));

function count(processor: string): Cost {
  const folder = mkdtempSync(join(tmpdir(), 'kikitori-count-'));
  try {
    const counts = join(folder, 'counts');
    // On one thread and with fixed seeds, so that the same code has the same count.
    const said = execFileSync(
      nodeOn,
      [processor, '--predictable', join(root, 'dist/bench/instructions.js')],
      { env: { ...process.env, KIKITORI_COUNT: counts }, stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const { parts } = JSON.parse(said.toString()) as { parts: Part[] };
    return costOf(parts, readFileSync(counts, 'utf8'));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const found: Record<string, Cost> = {};
let dearer = false;
for (const processor of processors) {
  const cost = count(processor);
  found[processor] = cost;
  print(`${processor}, million instructions (kept at ${kept.commit})`);
  for (const row of compared(cost, kept.processors[processor], kept.toleranceShare)) {
    print(`  ${row.text}`);
    dearer ||= row.dearer;
  }
}
print(
  '\nAn estimate: no board was measured. Share of real time of one core, while half of the time',
);
print('somebody speaks, at the assumed instructions a cycle (from the highest to the lowest).');
for (const board of boards(found)) print(`  ${board}`);

if (keep) {
  const all = { ...kept.processors, ...found };
  const now: Kept = { toleranceShare: kept.toleranceShare, commit: commit(), processors: all };
  writeFileSync(keptPath, `${JSON.stringify(now, null, 2)}\n`);
  print(`kept in ${keptPath}`);
} else if (dearer) {
  print(
    'Dearer than what is kept. If it is worth that: scripts/arm-test cost --keep, and say why.',
  );
  process.exitCode = 1;
}
