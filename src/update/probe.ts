import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { Clock } from '../runtime/clock.js';
import type { Reason } from './state.js';

export interface ProbeLimits {
  readonly timeoutMs: number;
  /** Resident memory of the whole process. */
  readonly memoryMb: number;
}

/** How a program that was watched ended. */
export type ProbeEnd =
  | { readonly ended: 'said'; readonly said: Readonly<Record<string, unknown>> }
  | { readonly ended: 'killed'; readonly reason: Reason; readonly detail: string };

const outputMax = 64 * 1024;
const watchMs = 50;

/**
 * Runs a program that prints one JSON object, within limits of time and memory. Whatever a bundle does
 * to it, loops for ever, takes all memory, crashes in native code, the daemon goes on hearing.
 */
export async function runProbe(
  command: readonly string[],
  limits: ProbeLimits,
  clock: Clock,
  signal: AbortSignal,
): Promise<ProbeEnd> {
  const [program = '', ...args] = command;
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const killed: { end?: ProbeEnd } = {};
  const kill = (reason: Reason, detail: string) => {
    killed.end ??= { ended: 'killed', reason, detail };
    child.kill('SIGKILL');
  };
  let out = '';
  let err = '';
  child.stdout.on('data', (part: Buffer) => (out = (out + part.toString()).slice(-outputMax)));
  child.stderr.on('data', (part: Buffer) => (err = (err + part.toString()).slice(-2000)));
  const cancelTimer = clock.after(limits.timeoutMs, () =>
    kill('too-slow', `the self-test was not over after ${limits.timeoutMs / 1000} s`),
  );
  const cancelWatch = watchMemory(child.pid, limits.memoryMb, clock, (mb) =>
    kill('too-large', `it took ${Math.round(mb)} MB, at most ${limits.memoryMb} are allowed`),
  );
  const onAbort = () => kill('aborted', 'the self-test was stopped');
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    const how = await new Promise<string>((resolve) => {
      child.once('error', (error) => resolve(error.message));
      child.once('close', (status, by) =>
        resolve(by === null ? `status ${status}` : `signal ${by}`),
      );
    });
    if (killed.end !== undefined) return killed.end;
    const said = lastObject(out);
    if (said !== null) return { ended: 'said', said };
    const last = err.trim().split('\n').at(-1) ?? '';
    const detail = `the self-test ended with ${how}${last === '' ? '' : `: ${last}`}`;
    return { ended: 'killed', reason: 'does-not-load', detail };
  } finally {
    cancelTimer();
    cancelWatch();
    signal.removeEventListener('abort', onAbort);
  }
}

function watchMemory(
  pid: number | undefined,
  memoryMb: number,
  clock: Clock,
  onTooMuch: (mb: number) => void,
): () => void {
  let cancel = () => undefined as void;
  const look = () => {
    const mb = pid === undefined ? 0 : residentMb(pid);
    if (mb > memoryMb) onTooMuch(mb);
    else cancel = clock.after(watchMs, look);
  };
  cancel = clock.after(watchMs, look);
  return () => cancel();
}

function residentMb(pid: number): number {
  try {
    const found = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return (Number(found ?? 0) * 1024) / 1e6;
  } catch {
    return 0;
  }
}

function lastObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text.trim().split('\n').at(-1) ?? '');
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
