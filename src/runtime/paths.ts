import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The package's own folder: where bin/, config/ and models/ are, from the sources and from the build. */
function packageRoot(): string {
  for (const up of ['../../', '../../../']) {
    const path = fileURLToPath(new URL(up, import.meta.url));
    if (existsSync(`${path}package.json`)) return path;
  }
  return process.cwd();
}

export const defaultModelPath = `${packageRoot()}models/kikitori-en`;
export const defaultGrammarPath = `${packageRoot()}config/sentences.yaml`;
/** The command itself, for work that wants a process of its own. */
export const commandPath = `${packageRoot()}bin/kikitori.js`;
/** Takes from a process what it does not need; see confine.ts. */
export const confinePath = `${packageRoot()}bin/confine.pl`;
/** The program's own files. */
export const programPath = packageRoot();
/** What the page of the device is made of; see src/neighbours/page. */
export const pagePath = `${packageRoot()}src/neighbours/page/static/`;
/** How node-record-lpcm16 starts arecord, rec and sox. */
export const recorderPath = `${packageRoot()}bin/recorder.cjs`;

/** `~/x` as a shell reads it. */
export function inHome(path: string, env: Readonly<Record<string, string | undefined>>): string {
  return path === '~' || path.startsWith('~/')
    ? join(env['HOME'] || homedir(), path.slice(1))
    : path;
}
