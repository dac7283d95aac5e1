import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Kernel ticks a second, of /proc/PID/stat. */
const ticksPerSecond = 100;

/** So many recordings of the demo, in their order and over again. */
export async function demoAudio(root: string, count: number): Promise<string[]> {
  const table = await readFile(join(root, 'demo/sentences.tsv'), 'utf8');
  const files = table
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => line.split('\t')[0] ?? '');
  return Array.from({ length: count }, (_, i) =>
    join(root, 'demo/audio', files[i % files.length] ?? ''),
  );
}

/** What a process has used of all processors. */
export async function cpuSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}
