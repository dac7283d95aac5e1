/** A configuration file -> its values, and where each stands. */
import { readFileSync } from 'node:fs';
import { extname } from 'node:path';
import JSON5 from 'json5';
import { isAlias, isMap, isScalar, LineCounter, parseDocument, type Document } from 'yaml';
import { codeOf, fileFault, KikitoriError } from '../runtime/errors.js';
import { decodeText } from '../runtime/text-file.js';
import { yamlFaults, type SyntaxFault } from './yaml-faults.js';

/** No configuration is longer. */
const fileBytesMax = 1_000_000;

export interface Source {
  readonly value: unknown;
  /** Line and column of a key, or of the nearest one above it that the file has. */
  readonly placeOf: (path: readonly string[]) => { line?: number; column?: number };
  /** A value as it is written: 007 where the value is 7. undefined: not known. */
  readonly writtenAt: (path: readonly string[]) => string | undefined;
}

export const noSource: Source = {
  value: {},
  placeOf: () => ({}),
  writtenAt: () => undefined,
};

export function readSource(path: string): string {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw new KikitoriError(fileFault(error), {
      kind: 'config',
      where: path,
      ...(codeOf(error) === 'ENOENT' ? { hint: 'begin with a copy of config/default.yaml' } : {}),
    });
  }
  return decodeText(bytes, path, 'config');
}

/** `refuse` makes the error of faults of the text itself. */
export function parseSource(
  source: string,
  path: string,
  refuse: (faults: readonly SyntaxFault[]) => Error,
): Source {
  const kind = extname(path).toLowerCase();
  const bad = (what: string) => new KikitoriError(what, { kind: 'config', where: path });
  if (source.length > fileBytesMax)
    throw bad(`${source.length} characters, expected at most ${fileBytesMax}`);
  const lines = new LineCounter();
  if (kind === '.json' || kind === '.json5') {
    const value = readJson(source, kind, refuse);
    // Most of JSON5 is YAML too, and YAML's reader knows places.
    const document = parseDocument(source, { lineCounter: lines, logLevel: 'silent' });
    if (document.errors.length > 0) return { ...noSource, value };
    return { ...noSource, value, placeOf: (at) => placeIn(document, lines, at) };
  }
  if (kind !== '.yaml' && kind !== '.yml')
    throw bad('unknown kind of file; expected .yaml, .json5 or .json');
  const document = parseDocument(source, {
    lineCounter: lines,
    prettyErrors: false,
    logLevel: 'silent',
    merge: true,
  });
  const faults = yamlFaults(document, lines);
  if (faults.length > 0) throw refuse(faults);
  let value: unknown;
  try {
    value = document.toJS();
  } catch {
    throw bad('its aliases (*name) have no end');
  }
  return {
    value,
    placeOf: (at) => placeIn(document, lines, at),
    writtenAt: (at) => {
      const node = nodesTo(document, at).at(-1);
      return node?.depth === at.length && isScalar(node.value) ? node.value.source : undefined;
    },
  };
}

function readJson(
  source: string,
  kind: string,
  refuse: (faults: readonly SyntaxFault[]) => Error,
): unknown {
  try {
    return JSON5.parse<unknown>(source);
  } catch (error) {
    // The library's words quote the text.
    const { lineNumber = 1, columnNumber = 1 } = error as {
      lineNumber?: number;
      columnNumber?: number;
    };
    const what = `not ${kind === '.json' ? 'JSON' : 'JSON5'}: it cannot go on like this`;
    throw refuse([{ line: lineNumber, column: columnNumber, what }]);
  }
}

/** The keys on the way to a path, as far as the file has them, each with what it holds. */
function nodesTo(
  document: Document.Parsed,
  at: readonly string[],
): { depth: number; offset: number | undefined; value: unknown }[] {
  const found: { depth: number; offset: number | undefined; value: unknown }[] = [];
  let node: unknown = document.contents;
  for (const name of at) {
    if (isAlias(node)) node = node.resolve(document);
    const pair = isMap(node)
      ? node.items.find(({ key }) => isScalar(key) && String(key.value) === name)
      : undefined;
    if (pair === undefined) break;
    node = isAlias(pair.value) ? pair.value.resolve(document) : pair.value;
    const offset = isScalar(pair.key) ? pair.key.range?.[0] : undefined;
    found.push({ depth: found.length + 1, offset, value: node });
  }
  return found;
}

function placeIn(document: Document.Parsed, lines: LineCounter, at: readonly string[]) {
  const offset = nodesTo(document, at).findLast((n) => n.offset !== undefined)?.offset;
  if (offset === undefined) return {};
  const { line, col } = lines.linePos(offset);
  return { line, column: col };
}
