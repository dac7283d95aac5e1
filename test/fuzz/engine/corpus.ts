/**
 * The inputs that are kept: a file of lines a target, each a text, or bytes as {base64}. What once went wrong says so
 * ("found") and stays whatever it covers.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Target } from './target.js';

export interface Kept {
  readonly input: Buffer;
  /** What went wrong with it, before it was mended. */
  readonly found?: string;
}

type Line = string | { readonly base64?: string; readonly text?: string; readonly found?: string };

export const corpusPath = ({ name }: Target): string =>
  fileURLToPath(new URL(`../corpus/${name}.jsonl`, import.meta.url));

export function readCorpus(target: Target): Kept[] {
  const path = corpusPath(target);
  if (!existsSync(path)) return [];
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const value = JSON.parse(line) as Line;
      if (typeof value === 'string') return { input: Buffer.from(value) };
      const input =
        value.text === undefined
          ? Buffer.from(value.base64 ?? '', 'base64')
          : Buffer.from(value.text);
      return value.found === undefined ? { input } : { input, found: value.found };
    });
}

export function writeCorpus(target: Target, kept: readonly Kept[]): void {
  const lines = kept.map(({ input, found }) => {
    const text = input.toString();
    const isText = Buffer.from(text).equals(input) && !/[\0-\x08\x0e-\x1f]/.test(text);
    if (isText && found === undefined) return JSON.stringify(text);
    const said = found === undefined ? {} : { found };
    return JSON.stringify({
      ...said,
      ...(isText ? { text } : { base64: input.toString('base64') }),
    });
  });
  writeFileSync(corpusPath(target), lines.map((line) => `${line}\n`).join(''));
}

export async function seedsOf(target: Target): Promise<Buffer[]> {
  return [...(await target.seeds())].map((seed) => Buffer.from(seed as string));
}
