import { readFile, rm } from 'node:fs/promises';
import { extname } from 'node:path';
import { isScalar, LineCounter, parseDocument, YAMLMap, type Document } from 'yaml';
import { atomicWrite } from '../runtime/atomic-write.js';
import { codeOf, KikitoriError, messageOf } from '../runtime/errors.js';
import { decodeText } from '../runtime/text-file.js';
import { loadConfig, type Environment } from './load.js';
import { yamlFaults } from './yaml-faults.js';

/** Dotted path -> value. */
export type Changes = Readonly<Record<string, string | number | boolean | null>>;

/**
 * A YAML configuration with some values changed; comments and order stay. A file that is not there
 * yet begins empty.
 */
export function changed(source: string, changes: Changes, where: string): string {
  const lines = new LineCounter();
  const document = parseDocument(source, { lineCounter: lines, logLevel: 'silent' });
  const faults = yamlFaults(document, lines);
  if (faults.length > 0)
    throw new KikitoriError(faults.map((f) => `${f.line}:${f.column}: ${f.what}`).join('\n'), {
      kind: 'config',
      where,
    });
  for (const [path, value] of Object.entries(changes)) {
    const keys = path.split('.');
    for (let depth = 0; depth < keys.length; depth++) fillEmpty(document, keys.slice(0, depth));
    document.setIn(keys, value);
  }
  return document.toString({ lineWidth: 0 });
}

/** A section that is only a name ("recognizer:"), or a file that is only "null", becomes one that values can be put into; its comment stays. */
function fillEmpty(document: Document, section: readonly string[]): void {
  const node = document.getIn(section, true);
  if (!isScalar(node) || node.value !== null) return;
  const map = new YAMLMap(document.schema);
  map.commentBefore = [node.commentBefore, node.comment].filter(Boolean).join('\n') || null;
  document.setIn(section, map);
}

/** Changes a configuration file atomically. The result is checked before it takes the file's place. */
export async function editConfig(path: string, changes: Changes, env: Environment): Promise<void> {
  if (!['.yaml', '.yml'].includes(extname(path).toLowerCase()))
    throw new KikitoriError('only a YAML configuration can be changed with its comments kept', {
      kind: 'config',
      where: path,
      expected: 'a .yaml file',
    });
  let before = '';
  try {
    before = decodeText(await readFile(path), path, 'config');
  } catch (error) {
    if (error instanceof KikitoriError) throw error;
    if (codeOf(error) !== 'ENOENT')
      throw new KikitoriError(messageOf(error), { kind: 'config', where: path });
  }
  const text = changed(before, changes, path);
  const trial = path.replace(/\.ya?ml$/i, `.trial-${process.pid}.yaml`);
  try {
    await atomicWrite(trial, text, 0o600);
    loadConfig(trial, env);
  } finally {
    await rm(trial, { force: true });
  }
  await atomicWrite(path, text, 0o644);
}
