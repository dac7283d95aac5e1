import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname, extname, isAbsolute, join, resolve } from 'node:path';
import convict from 'convict';
import JSON5 from 'json5';
import { LineCounter, parseDocument, isMap, isScalar } from 'yaml';
import { codeOf, KikitoriError, messageOf } from '../runtime/errors.js';
import { defaultGrammarPath, defaultModelPath } from '../runtime/paths.js';
import {
  environmentName,
  expectation,
  keysOf,
  schema,
  type Config,
  type Format,
  type Key,
  type Tree,
} from './schema.js';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Reads a configuration, or the defaults when no path is given. Throws one error that names every fault. */
export function loadConfig(path: string | undefined, env: Environment): Config {
  const faults: string[] = [];
  const source = path === undefined ? '' : readSource(path);
  const { value, placeOf } =
    path === undefined ? { value: {}, placeOf: () => '' } : parseSource(source, path);
  const known = new Map([...keysOf(schema)].map(({ path: p, key }) => [p, key]));
  const given = flatten(
    value,
    known,
    (at, what) => faults.push(`${placeOf(at)}${at}: ${what}`),
    known,
  );
  for (const [at, key] of known) {
    const name = environmentName(at);
    const fromEnvironment = env[name];
    if (fromEnvironment !== undefined) given.set(at, fromEnvironment);
    if (!given.has(at)) continue;
    const fault = check(key, given, at);
    if (fault === undefined) continue;
    const shown = key.sensitive === true ? '[hidden]' : JSON.stringify(given.get(at));
    faults.push(
      `${fromEnvironment === undefined ? placeOf(at) : `$${name}: `}${at}: got ${shown}, expected ${fault}`,
    );
    given.delete(at);
  }
  if (faults.length > 0) {
    const where = path ?? 'environment';
    throw new KikitoriError(
      `${faults.length} fault(s) in the configuration\n  ${faults.join('\n  ')}`,
      { kind: 'config', where },
    );
  }
  return finish(given, path, env);
}

function readSource(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new KikitoriError(
      codeOf(error) === 'ENOENT' ? 'there is no such file' : messageOf(error),
      {
        kind: 'config',
        where: path,
        hint: 'begin with a copy of config/default.yaml',
      },
    );
  }
}

function parseSource(
  source: string,
  path: string,
): { value: unknown; placeOf: (at: string) => string } {
  const kind = extname(path).toLowerCase();
  const bad = (what: string) => new KikitoriError(what, { kind: 'config', where: path });
  if (kind === '.json' || kind === '.json5') {
    try {
      return { value: JSON5.parse<unknown>(source), placeOf: () => '' };
    } catch (error) {
      throw bad(`not JSON5: ${messageOf(error)}`);
    }
  }
  if (kind !== '.yaml' && kind !== '.yml')
    throw bad('unknown kind of file; expected .yaml, .json5 or .json');
  const lines = new LineCounter();
  const document = parseDocument(source, { lineCounter: lines });
  if (document.errors.length > 0) throw bad(document.errors.map((e) => e.message).join('\n'));
  const placeOf = (at: string) => {
    let node: unknown = document.contents;
    let range: number | undefined;
    for (const name of at.split('.')) {
      const pair = isMap(node)
        ? node.items.find(({ key }) => isScalar(key) && key.value === name)
        : undefined;
      if (pair === undefined) break;
      range = isScalar(pair.key) ? pair.key.range?.[0] : range;
      node = pair.value;
    }
    if (range === undefined) return '';
    const { line, col } = lines.linePos(range);
    return `${line}:${col}: `;
  };
  return { value: document.toJS() as unknown, placeOf };
}

/** Nested objects -> dotted paths; unknown keys are reported with the nearest known one. */
function flatten(
  value: unknown,
  known: ReadonlyMap<string, Key>,
  report: (at: string, what: string) => void,
  all: ReadonlyMap<string, Key>,
  prefix = '',
  out = new Map<string, unknown>(),
): Map<string, unknown> {
  if (value === null || value === undefined) return out;
  if (typeof value !== 'object' || Array.isArray(value)) {
    report(prefix === '' ? '(file)' : prefix, `got ${JSON.stringify(value)}, expected an object`);
    return out;
  }
  for (const [name, inner] of Object.entries(value)) {
    const at = prefix === '' ? name : `${prefix}.${name}`;
    if (known.has(at)) out.set(at, inner);
    else if ([...known.keys()].some((k) => k.startsWith(`${at}.`)))
      flatten(inner, known, report, all, at, out);
    else {
      const near = nearest(at, [...all.keys()]);
      report(at, `unknown key${near === undefined ? '' : `, did you mean ${near}?`}`);
    }
  }
  return out;
}

function nearest(wanted: string, names: readonly string[]): string | undefined {
  const distance = (a: string, b: string) => {
    let row = Array.from({ length: b.length + 1 }, (_, j) => j);
    for (let i = 1; i <= a.length; i++) {
      const next = [i];
      for (let j = 1; j <= b.length; j++) {
        next.push(
          Math.min(
            (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1),
            (row[j] ?? 0) + 1,
            (next[j - 1] ?? 0) + 1,
          ),
        );
      }
      row = next;
    }
    return row[b.length] ?? 0;
  };
  const [best] = names
    .map((name) => ({ name, far: distance(wanted.toLowerCase(), name.toLowerCase()) }))
    .sort((a, b) => a.far - b.far);
  return best !== undefined && best.far <= Math.max(3, wanted.length / 3) ? best.name : undefined;
}

/** Turns the value into its type in place; says what was expected when it does not fit. */
function check(key: Key, given: Map<string, unknown>, at: string): string | undefined {
  const { format } = key;
  if (Array.isArray(format)) return format.includes(given.get(at)) ? undefined : expectation(key);
  const { coerce, validate } = format as Format;
  const value = coerce === undefined ? given.get(at) : coerce(given.get(at));
  try {
    validate(value);
    given.set(at, value);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

/** What is used of convict; its own types cannot follow a schema made at run time. */
interface Holder {
  get(path: string): unknown;
  set(path: string, value: unknown): void;
  getProperties(): unknown;
}

/** convict fills the defaults and holds the whole; what leaves here is a plain frozen object. */
function finish(
  given: ReadonlyMap<string, unknown>,
  path: string | undefined,
  env: Environment,
): Config {
  const holder = convict(
    convictSchema(schema) as unknown as convict.Schema<object>,
  ) as unknown as Holder;
  for (const [at, value] of given) holder.set(at, value);
  const folder = path === undefined ? process.cwd() : dirname(resolve(path));
  for (const { path: at, key } of keysOf(schema)) {
    const value: unknown = holder.get(at);
    if (key.path !== true || typeof value !== 'string' || value === '' || isAbsolute(value))
      continue;
    holder.set(at, isCredential(value, env) ? value : join(folder, value));
  }
  if (holder.get('model.path') === '') holder.set('model.path', defaultModelPath);
  if (holder.get('grammar.path') === '') holder.set('grammar.path', defaultGrammarPath);
  if (holder.get('device.id') === '') holder.set('device.id', deviceId());
  if (holder.get('state.dir') === '')
    holder.set('state.dir', env['STATE_DIRECTORY'] ?? join(folder, 'state'));
  return deepFreeze<unknown>(holder.getProperties()) as Config;
}

function convictSchema(tree: Tree): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(tree).map(([name, node]) => [
      name,
      typeof node.doc === 'string'
        ? { doc: node.doc, default: node.default, format: '*', nullable: true }
        : convictSchema(node as Tree),
    ]),
  );
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const inner of Object.values(value)) deepFreeze(inner);
    Object.freeze(value);
  }
  return value;
}

/** The same on every start of a board, different between boards, and not the machine id itself. */
function deviceId(): string {
  try {
    const machineId = readFileSync('/etc/machine-id', 'utf8').trim();
    return `board-${createHash('sha256').update(`kikitori:${machineId}`).digest('hex').slice(0, 12)}`;
  } catch {
    return hostname()
      .replace(/[^\w.-]/g, '-')
      .slice(0, 64);
  }
}

function isCredential(name: string, env: Environment): boolean {
  return env['CREDENTIALS_DIRECTORY'] !== undefined && /^[\w.-]+$/.test(name);
}

/** A secret, read when it is used: a systemd credential of that name, else a file. Never kept, never printed. */
export function readSecret(nameOrPath: string, env: Environment): string {
  const folder = env['CREDENTIALS_DIRECTORY'];
  const candidates = [
    ...(folder !== undefined && !isAbsolute(nameOrPath) ? [join(folder, nameOrPath)] : []),
    nameOrPath,
  ];
  for (const path of candidates) {
    try {
      return readFileSync(path, 'utf8').replace(/\r?\n$/, '');
    } catch (error) {
      if (codeOf(error) !== 'ENOENT')
        throw new KikitoriError(messageOf(error), { kind: 'config', where: path });
    }
  }
  throw new KikitoriError('there is no such secret', {
    kind: 'config',
    where: nameOrPath,
    expected: 'a file, or a systemd credential of this name',
  });
}
