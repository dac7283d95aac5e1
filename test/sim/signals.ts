import { readFile } from 'node:fs/promises';
import { constants } from 'node:os';
import { sleep, systemClock } from '../../src/runtime/clock.js';

/** Until a process has a handler for a signal: before, the signal ends it. */
export async function catches(pid: number, signal: NodeJS.Signals): Promise<void> {
  const bit = 1n << BigInt(constants.signals[signal] - 1);
  for (;;) {
    const caught = /^SigCgt:\s*(\w+)/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1];
    if ((BigInt(`0x${caught ?? '0'}`) & bit) !== 0n) return;
    await sleep(systemClock, 20);
  }
}

/** The first process that another began. */
export async function childOf(pid: number): Promise<number> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return Number(children.trim().split(/\s+/)[0]);
}
