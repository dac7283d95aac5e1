/** Everything that reads bytes or text from outside: a file of targets/ each. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Target } from './engine/target.js';

export const namesIn = (folder: string): string[] =>
  readdirSync(folder)
    .filter((file) => file.endsWith('.ts'))
    .map((file) => file.replace('.ts', ''))
    .sort();

export async function targetIn(folder: string, name: string): Promise<Target> {
  const url = pathToFileURL(join(folder, `${name}.ts`)).href;
  const { target } = (await import(url)) as { target: Omit<Target, 'name'> };
  return { ...target, name };
}

const folder = fileURLToPath(new URL('./targets/', import.meta.url));
export const targetNames: readonly string[] = namesIn(folder);
export const loadTarget = (name: string): Promise<Target> => targetIn(folder, name);
