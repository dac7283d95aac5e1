import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Kernel ticks a second, of /proc/PID/stat. */
const ticksPerSecond = 100;

/** The recordings of the demo, in their order. */
export async function demoFiles(root: string): Promise<string[]> {
  const table = await readFile(join(root, 'demo/sentences.tsv'), 'utf8');
  const rows = table.trim().split('\n').slice(1);
  return rows.map((line) => join(root, 'demo/audio', line.split('\t')[0] ?? ''));
}

/** So many of them, over and over again. */
export async function demoAudio(root: string, count: number): Promise<string[]> {
  const files = await demoFiles(root);
  return Array.from({ length: count }, (_, i) => files[i % files.length] ?? '');
}

/** What a process has used of all processors. */
export async function cpuSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}
