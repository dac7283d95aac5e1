/** Programs and sound cards of this machine. */
import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import type { Io } from '../shared/command.js';

const listMs = 5000;

const run = promisify(execFile);

export async function isProgram(name: string, env: Io['env']): Promise<boolean> {
  for (const folder of (env['PATH'] ?? '').split(delimiter)) {
    try {
      await access(join(folder, name), constants.X_OK);
      return true;
    } catch {
      // The next folder.
    }
  }
  return false;
}

/** Names of sound devices, as `arecord -L` or `aplay -L` lists them. */
export async function soundDevices(program: 'arecord' | 'aplay'): Promise<string[]> {
  const { stdout } = await run(program, ['-L'], { timeout: listMs });
  return stdout.split('\n').filter((line) => line !== '' && !/^\s/.test(line));
}

/** Whether `device` is one of them, by whatever plugin it is named. */
export function isListed(device: string, names: readonly string[]): boolean {
  const [named = device] = device.split(',');
  const wanted = named.replace(/^plughw:/, 'hw:');
  return names.some((name) => name.startsWith(wanted) || name.startsWith(named));
}

/** Those of a card, to choose from. */
export const cardsAmong = (names: readonly string[]) =>
  names.filter((name) => /CARD=/.test(name) && name.startsWith('plughw'));
