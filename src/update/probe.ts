import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { Clock } from '../runtime/clock.js';
import { withoutOwn } from '../runtime/confine.js';
import type { Reason } from './state.js';

export interface ProbeLimits {
  /** Of processor time: a busy board takes longer for the same work. By the clock ten times as much. */
  readonly timeoutMs: number;
  /** Resident memory of the whole process. */
  readonly memoryMb: number;
}

/** How a program that was watched ended. */
export type ProbeEnd =
  | { readonly ended: 'said'; readonly said: Readonly<Record<string, unknown>> }
  | {
      readonly ended: 'killed';
      readonly reason: Reason;
      readonly detail: string;
      /** It came to no end though it has not computed for long: it hangs, or the board is too busy. */
      readonly late?: true;
    };

/** By the clock a program may take this many times its processor time. */
const clockTimes = 10;
/** Sent by whoever stops the daemon and all that belongs to it, or by a person at the terminal. */
const stopSignals: readonly string[] = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT'];
/** Of the kernel's counters of processor time in /proc, on every architecture. */
const ticksPerSecond = 100;
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
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: withoutOwn(process.env),
  });
  const killed: { end?: ProbeEnd } = {};
  const kill = (reason: Reason, detail: string, late = false) => {
    killed.end ??= { ended: 'killed', reason, detail, ...(late ? { late } : {}) };
    child.kill('SIGKILL');
  };
  let out = '';
  let err = '';
  child.stdout.on('data', (part: Buffer) => (out = (out + part.toString()).slice(-outputMax)));
  child.stderr.on('data', (part: Buffer) => (err = (err + part.toString()).slice(-2000)));
  const notOver = (ms: number, of: string) =>
    `the self-test was not over after ${ms / 1000} s${of}`;
  const lateMs = clockTimes * limits.timeoutMs;
  const cancelTimer = clock.after(lateMs, () => kill('too-slow', notOver(lateMs, ''), true));
  const cancelWatch = watch(child.pid, clock, ({ mb, processorMs }) => {
    if (mb > limits.memoryMb)
      kill('too-large', `it took ${Math.round(mb)} MB, at most ${limits.memoryMb} are allowed`);
    else if (processorMs > limits.timeoutMs)
      kill('too-slow', notOver(limits.timeoutMs, ' of processor time'));
  });
  const onAbort = () => kill('aborted', 'the self-test was stopped');
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    let by: NodeJS.Signals | null = null;
    const how = await new Promise<string>((resolve) => {
      child.once('error', (error) => resolve(error.message));
      child.once('close', (status, signalled) => {
        by = signalled;
        resolve(by === null ? `status ${status}` : `signal ${by}`);
      });
    });
    if (killed.end !== undefined) return killed.end;
    if (by !== null && stopSignals.includes(by))
      return {
        ended: 'killed',
        reason: 'interrupted',
        detail: `the self-test was ended by ${how}`,
      };
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

interface Used {
  readonly mb: number;
  readonly processorMs: number;
}

function watch(pid: number | undefined, clock: Clock, onLook: (used: Used) => void): () => void {
  let cancel = () => undefined as void;
  const look = () => {
    if (pid !== undefined) onLook({ mb: residentMb(pid), processorMs: processorMsOf(pid) });
    cancel = clock.after(watchMs, look);
  };
  cancel = clock.after(watchMs, look);
  return () => cancel();
}

function residentMb(pid: number): number {
  const found = /VmRSS:\s+(\d+) kB/.exec(processFile(pid, 'status'))?.[1];
  return (Number(found ?? 0) * 1024) / 1e6;
}

/** User and system time of all its threads. */
function processorMsOf(pid: number): number {
  const fields = processFile(pid, 'stat').split(') ').at(-1)?.split(' ') ?? [];
  return (1000 * (Number(fields[11] ?? 0) + Number(fields[12] ?? 0))) / ticksPerSecond;
}

/** '' when it has ended, and where there is no such file system. */
function processFile(pid: number, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8');
  } catch {
    return '';
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
