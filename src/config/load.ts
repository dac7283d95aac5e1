import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname, extname, isAbsolute, join, resolve } from 'node:path';
import convict from 'convict';
import JSON5 from 'json5';
import { LineCounter, parseDocument, isMap, isScalar, type Document } from 'yaml';
import { codeOf, KikitoriError, messageOf } from '../runtime/errors.js';
import { defaultGrammarPath, defaultModelPath } from '../runtime/paths.js';
import { decodeText } from '../runtime/text-file.js';
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

/** No configuration is longer. */
const fileBytesMax = 1_000_000;

export type Environment = Readonly<Record<string, string | undefined>>;

/** One thing that is wrong, and where. */
export interface Fault {
  /** Dotted, like capture.gainDb. */
  readonly path: string;
  readonly line?: number;
  readonly column?: number;
  /** The variable that said so, when it was not the file. */
  readonly environment?: string;
  readonly what: string;
}

/** Throws one error that names every fault. */
export class ConfigError extends KikitoriError {
  constructor(
    readonly faults: readonly Fault[],
    where: string,
  ) {
    const lines = faults.map((f) => {
      const place = f.line === undefined ? '' : `${f.line}:${f.column ?? 1}: `;
      return `${f.environment === undefined ? place : `$${f.environment}: `}${f.path}: ${f.what}`;
    });
    const count = faults.length === 1 ? '1 fault' : `${faults.length} faults`;
    super(`${count} in the configuration\n  ${lines.join('\n  ')}`, { kind: 'config', where });
  }
}

type PlaceOf = (at: string) => { line?: number; column?: number };

/** Reads a configuration, or the defaults when no path is given. Throws a ConfigError that names every fault. */
export function loadConfig(path: string | undefined, env: Environment): Config {
  const faults: Fault[] = [];
  const { value, placeOf } =
    path === undefined ? { value: {}, placeOf: () => ({}) } : parseSource(readSource(path), path);
  const known = new Map([...keysOf(schema)].map(({ path: p, key }) => [p, key]));
  const report = (at: string, what: string) => faults.push({ path: at, ...placeOf(at), what });
  const given = flatten(value, known, report);
  for (const [at, key] of known) {
    const name = environmentName(at);
    const fromEnvironment = env[name];
    if (fromEnvironment !== undefined) given.set(at, fromEnvironment);
    if (!given.has(at)) continue;
    const expected = check(key, given, at);
    if (expected === undefined) continue;
    const what = `got ${shown(given.get(at))}, expected ${expected}`;
    if (fromEnvironment === undefined) report(at, what);
    else faults.push({ path: at, environment: name, what });
    given.delete(at);
  }
  for (const { at, what } of contradictions(given)) report(at, what);
  if (faults.length > 0) {
    const byPlace = (f: Fault) => f.line ?? Number.MAX_SAFE_INTEGER;
    throw new ConfigError(
      faults.sort((a, b) => byPlace(a) - byPlace(b)),
      path ?? 'environment',
    );
  }
  return finish(given, path, env);
}

/** Variables that look like ours and are none. */
export function unknownVariables(env: Environment): string[] {
  const known = new Set([...keysOf(schema)].map(({ path }) => environmentName(path)));
  return Object.keys(env)
    .filter((name) => /^KIKITORI_[A-Z]/.test(name) && !known.has(name))
    .filter((name) => !otherVariables.includes(name));
}

const otherVariables = ['KIKITORI_CONFIG', 'KIKITORI_DATA', 'KIKITORI_DEMO_PLAYLIST'];

/** A value in an error, never with a name and password in it. */
function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  const short = text.length > 120 ? `${text.slice(0, 120)}...` : text;
  return short.replace(/\/\/[^/\s"]*@/g, '//[hidden]@');
}

/** Keys that are good alone and not together. */
function* contradictions(given: ReadonlyMap<string, unknown>) {
  const of = (at: string): unknown => {
    const [first = '', ...rest] = at.split('.');
    let node: unknown = (schema as Tree)[first];
    for (const name of rest) node = (node as Tree)[name];
    return given.has(at) ? given.get(at) : (node as Key).default;
  };
  const number = (at: string) => Number(of(at));
  if (number('capture.channel') >= number('capture.channels'))
    yield {
      at: 'capture.channel',
      what: `got ${number('capture.channel')}, expected less than capture.channels (${number('capture.channels')}): they are counted from 0`,
    };
  if (number('capture.backoffMinMs') > number('capture.backoffMaxMs'))
    yield { at: 'capture.backoffMinMs', what: 'expected at most capture.backoffMaxMs' };
  if (of('capture.source') === 'file' && of('capture.path') === '')
    yield { at: 'capture.source', what: 'got "file", expected capture.path with it' };
  for (const [one, other] of [
    ['certFile', 'keyFile'],
    ['keyFile', 'certFile'],
  ])
    if (of(`publish.mqtt.${one}`) !== '' && of(`publish.mqtt.${other}`) === '')
      yield {
        at: `publish.mqtt.${one}`,
        what: `expected publish.mqtt.${other} with it: a certificate and its key`,
      };
  if (of('publish.mqtt.passwordFile') !== '' && of('publish.mqtt.username') === '')
    yield {
      at: 'publish.mqtt.passwordFile',
      what: 'expected publish.mqtt.username with it: MQTT 3.1.1 allows no password without a name',
    };
}

function readSource(path: string): string {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
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
  return decodeText(bytes, path, 'config');
}

function parseSource(source: string, path: string): { value: unknown; placeOf: PlaceOf } {
  const kind = extname(path).toLowerCase();
  const bad = (what: string) => new KikitoriError(what, { kind: 'config', where: path });
  if (source.length > fileBytesMax)
    throw bad(`${source.length} characters, expected at most ${fileBytesMax}`);
  const lines = new LineCounter();
  if (kind === '.json' || kind === '.json5') {
    let value: unknown;
    try {
      value = JSON5.parse<unknown>(source);
    } catch (error) {
      throw bad(`not ${kind === '.json' ? 'JSON' : 'JSON5'}: ${messageOf(error)}`);
    }
    // Most of JSON5 is YAML too, and YAML's reader knows places.
    const document = parseDocument(source, { lineCounter: lines, logLevel: 'silent' });
    return { value, placeOf: document.errors.length > 0 ? () => ({}) : placesIn(document, lines) };
  }
  if (kind !== '.yaml' && kind !== '.yml')
    throw bad('unknown kind of file; expected .yaml, .json5 or .json');
  const document = parseDocument(source, { lineCounter: lines });
  if (document.errors.length > 0) throw bad(document.errors.map((e) => e.message).join('\n'));
  try {
    return { value: document.toJS() as unknown, placeOf: placesIn(document, lines) };
  } catch (error) {
    throw bad(messageOf(error)); // aliases without end
  }
}

/** Line and column of a key, or of the nearest one above it that the file has. */
function placesIn(document: Document.Parsed, lines: LineCounter): PlaceOf {
  return (at) => {
    let node: unknown = document.contents;
    let offset: number | undefined;
    for (const name of at.split('.')) {
      const pair = isMap(node)
        ? node.items.find(({ key }) => isScalar(key) && key.value === name)
        : undefined;
      if (pair === undefined) break;
      offset = isScalar(pair.key) ? pair.key.range?.[0] : offset;
      node = pair.value;
    }
    if (offset === undefined) return {};
    const { line, col } = lines.linePos(offset);
    return { line, column: col };
  };
}

/** Nested objects -> dotted paths; unknown keys are reported with the nearest known one. */
function flatten(
  value: unknown,
  known: ReadonlyMap<string, Key>,
  report: (at: string, what: string) => void,
  prefix = '',
  out = new Map<string, unknown>(),
): Map<string, unknown> {
  if (value === null || value === undefined) return out;
  if (typeof value !== 'object' || Array.isArray(value)) {
    report(prefix === '' ? '(file)' : prefix, `got ${shown(value)}, expected keys below it`);
    return out;
  }
  for (const [name, inner] of Object.entries(value)) {
    const at = prefix === '' ? name : `${prefix}.${name}`;
    if (known.has(at)) out.set(at, inner);
    else if ([...known.keys()].some((k) => k.startsWith(`${at}.`)))
      flatten(inner, known, report, at, out);
    else {
      const near = nearest(at, [...known.keys()]);
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
    if (key.path === undefined || typeof value !== 'string' || value === '' || isAbsolute(value))
      continue;
    holder.set(at, key.path === 'secret' ? secretPath(value, folder, env) : join(folder, value));
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

/**
 * Where a secret lies: a systemd credential of that name, a file of that name, or, for somebody who runs
 * kikitori by hand beside the service, the file that systemd would make `mqtt_NAME` of.
 */
function secretPath(name: string, folder: string, env: Environment): string {
  const credentials = env['CREDENTIALS_DIRECTORY'];
  const candidates = [
    ...(credentials === undefined ? [] : [join(credentials, name)]),
    join(folder, name),
    join(folder, 'secrets', name.replace(/^mqtt_/, '')),
  ];
  return candidates.find((path) => existsSync(path)) ?? join(folder, name);
}

/** A secret, read when it is used. Never kept, never printed. */
export function readSecret(path: string): string {
  try {
    return readFileSync(path, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    if (codeOf(error) !== 'ENOENT')
      throw new KikitoriError(messageOf(error), { kind: 'config', where: path });
    throw new KikitoriError('there is no such secret', {
      kind: 'config',
      where: path,
      expected: 'a file, or the name of a systemd credential',
    });
  }
}
