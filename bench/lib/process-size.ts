/** What a process of this machine has and has used, by /proc. */
import { readdir, readFile } from 'node:fs/promises';

/** Kernel ticks a second, of /proc/PID/stat. */
const ticksPerSecond = 100;

/** What a process has used of all processors. */
export async function cpuSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

/** What a process has of memory now, and the most that it had at any moment. */
export async function memoryOf(pid: number): Promise<{ rssMb: number; peakMb: number }> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const mb = (key: string) =>
    (Number(new RegExp(`${key}:\\s+(\\d+)`).exec(status)?.[1]) * 1024) / 1e6;
  return { rssMb: mb('VmRSS'), peakMb: mb('VmHWM') };
}

/** Its memory, and how many files, sockets and pipes it has open. */
export async function sizeOf(
  pid: number,
): Promise<{ rssMb: number; peakMb: number; files: number }> {
  return { ...(await memoryOf(pid)), files: (await readdir(`/proc/${pid}/fd`)).length };
}
