/** Everything that reads bytes or text from outside. */
import { readdirSync } from 'node:fs';
import type { Target } from './engine/target.js';

export const targetNames: readonly string[] = readdirSync(new URL('./targets/', import.meta.url))
  .filter((file) => file.endsWith('.ts'))
  .map((file) => file.replace('.ts', ''))
  .sort();

export async function loadTarget(name: string): Promise<Target> {
  const { target } = (await import(`./targets/${name}.ts`)) as { target: Omit<Target, 'name'> };
  return { ...target, name };
}
