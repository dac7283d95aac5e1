import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import convict from 'convict';
import { KikitoriError, messageOf } from '../runtime/errors.js';
import { isLoopback, parseListen } from '../runtime/listen-address.js';
import { nearest } from '../runtime/nearest.js';
import { defaultGrammarPath, defaultModelPath, inHome } from '../runtime/paths.js';
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
import { shownValue } from './shown.js';
import { noSource, parseSource, readSource, type Source } from './source.js';

export type Environment = Readonly<Record<string, string | undefined>>;

/** One thing that is wrong, and where. */
export interface Fault {
  /** Dotted, like capture.gainDb; empty for the file as such. */
  readonly path: string;
  readonly line?: number;
  readonly column?: number;
  /** The variable that said so, when it was not the file. */
  readonly environment?: string;
  readonly what: string;
}

/** Of a file that is something else every line is a fault. */
const shownMax = 50;

/** Throws one error that names every fault, as far as anybody reads. */
export class ConfigError extends KikitoriError {
  constructor(
    readonly faults: readonly Fault[],
    where: string,
  ) {
    const lines = faults.map((f) => {
      const place = f.line === undefined ? '' : `${f.line}:${f.column ?? 1}: `;
      const path = f.path === '' ? '' : `${f.path}: `;
      return `${f.environment === undefined ? place : `$${f.environment}: `}${path}${f.what}`;
    });
    const count = faults.length === 1 ? '1 fault' : `${faults.length} faults`;
    const more = lines.length > shownMax ? `\n  ... and ${lines.length - shownMax} more` : '';
    const shown = lines.slice(0, shownMax).join('\n  ');
    super(`${count} in the configuration\n  ${shown}${more}`, { kind: 'config', where });
  }
}

function sourceOf(path: string): Source {
  return parseSource(
    readSource(path),
    path,
    (faults) =>
      new ConfigError(
        faults.map((f) => ({ path: '', ...f })),
        path,
      ),
  );
}

/** Reads a configuration, or the defaults when no path is given. Throws a ConfigError that names every fault. */
export function loadConfig(path: string | undefined, env: Environment): Config {
  const faults: Fault[] = [];
  const source = path === undefined ? noSource : sourceOf(path);
  const known = new Map([...keysOf(schema)].map(({ path: p, key }) => [p, key]));
  const report = (at: readonly string[], what: string, shownAs = at.join('.')) =>
    faults.push({ path: shownAs === '' ? '(file)' : shownAs, ...source.placeOf(at), what });
  const given = flatten(source.value, known, report);
  for (const [at, key] of known) {
    const name = environmentName(at);
    const fromEnvironment = env[name];
    if (fromEnvironment !== undefined) given.set(at, fromEnvironment);
    if (!given.has(at)) continue;
    const what = numberAsText(key, given, at, source) ?? check(key, given, at);
    if (what === undefined) continue;
    if (fromEnvironment === undefined) report(at.split('.'), what);
    else faults.push({ path: at, environment: name, what });
    given.delete(at);
  }
  for (const { at, what } of contradictions(given)) report(at.split('.'), what);
  if (faults.length > 0) {
    const byPlace = (f: Fault) => f.line ?? Number.MAX_SAFE_INTEGER;
    throw new ConfigError(
      faults.sort((a, b) => byPlace(a) - byPlace(b)),
      path ?? 'environment',
    );
  }
  return finish(given, path, env);
}

/** Whether a file holds no value at all: empty, or comments alone. */
export function setsNothing(path: string): boolean {
  const known = new Map([...keysOf(schema)].map(({ path: p, key }) => [p, key]));
  return flatten(sourceOf(path).value, known, () => undefined).size === 0;
}

/**
 * Reads the configuration again for a running daemon. A file that sets nothing is refused if it would change
 * something: most likely an editor or a full disk emptied it. Nobody wants the example's commands.
 */
export function reloadConfig(path: string | undefined, env: Environment, before: Config): Config {
  const config = loadConfig(path, env);
  if (path !== undefined && setsNothing(path) && JSON.stringify(config) !== JSON.stringify(before))
    throw new KikitoriError('the file sets nothing: it is empty, or all of it is a comment', {
      kind: 'config',
      where: path,
      hint: 'if the defaults are meant, write one of them, or restart the service',
    });
  return config;
}

/** Variables that look like ours and are none. */
export function unknownVariables(env: Environment): string[] {
  const known = new Set([...keysOf(schema)].map(({ path }) => environmentName(path)));
  return Object.keys(env)
    .filter((name) => /^KIKITORI_[A-Z]/.test(name) && !known.has(name))
    .filter((name) => !otherVariables.includes(name) && /^\w{1,80}$/.test(name));
}

const otherVariables = ['KIKITORI_CONFIG', 'KIKITORI_DATA', 'KIKITORI_DEMO_PLAYLIST'];

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
  if (of('capture.source') === 'none' && of('wyoming.listen') === '')
    yield {
      at: 'capture.source',
      what: 'got "none", expected wyoming.listen with it: there is nothing to hear',
    };
  const hasWords =
    of('recognizer.languageModelPath') !== '' || of('update.language.channel') !== '';
  if (of('recognizer.mode') === 'dictation' && !hasWords)
    yield {
      at: 'recognizer.mode',
      what: 'got "dictation", expected recognizer.languageModelPath with it, a file of kikitori lm, or update.language.channel, which brings one',
    };
  if (of('recognizer.boostPath') !== '' && !hasWords)
    yield {
      at: 'recognizer.boostPath',
      what: 'expected recognizer.languageModelPath with it, or update.language.channel: own terms are weighed against a language model',
    };
  if (of('update.language.trigger') === 'hawkbit')
    for (const [at, why] of [
      ['update.hawkbit.url', 'the server that assigns them'],
      ['update.language.channel', 'whose language models they are'],
    ])
      if (of(at ?? '') === '')
        yield {
          at: 'update.language.trigger',
          what: `got "hawkbit", expected ${at} with it: ${why}`,
        };
  const page = String(of('page.listen'));
  if (page !== '' && of('page.tokenFile') === '' && !isLoopback(parseListen(page).host))
    yield {
      at: 'page.listen',
      what: `got "${page}", which other machines reach: expected page.tokenFile with it, or 127.0.0.1`,
    };
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

/** Nested objects -> dotted paths; unknown keys are reported with the nearest known one. */
function flatten(
  value: unknown,
  known: ReadonlyMap<string, Key>,
  report: (at: readonly string[], what: string, shownAs?: string) => void,
  prefix: readonly string[] = [],
  out = new Map<string, unknown>(),
): Map<string, unknown> {
  if (value === null || value === undefined) return out;
  if (typeof value !== 'object' || Array.isArray(value)) {
    const got = typeof value === 'number' ? String(value) : shownValue(undefined, value);
    report(prefix, `got ${got}, expected keys below it`);
    return out;
  }
  for (const [name, inner] of Object.entries(value)) {
    const path = [...prefix, name];
    const at = path.join('.');
    if (!name.includes('.') && known.has(at)) out.set(at, inner);
    else if (!name.includes('.') && [...known.keys()].some((k) => k.startsWith(`${at}.`)))
      flatten(inner, known, report, path, out);
    else reportUnknown(path, known, report);
  }
  return out;
}

/**
 * Reports an unknown key by its place. Its name is shown only if it is a known one, or nearly. Any other may be half a
 * password: in "{url: mqtt://me:se,cret@host}" the key is "cret@host".
 */
function reportUnknown(
  path: readonly string[],
  known: ReadonlyMap<string, Key>,
  report: (at: readonly string[], what: string, shownAs?: string) => void,
): void {
  const name = path.at(-1) ?? '';
  const above = path.slice(0, -1);
  const depth = above.length;
  const all = [...known.keys()].map((k) => k.split('.'));
  const within = all.filter((k) => above.every((part, i) => k[i] === part));
  const siblings = [...new Set(within.map((k) => k[depth] ?? ''))];
  const near = nearest(name, siblings);
  if (near !== undefined) {
    report(path, `unknown key, did you mean ${[...above, near].join('.')}?`);
    return;
  }
  const elsewhere = all.filter((k) => k.includes(name)).map((k) => k.slice(0, k.indexOf(name) + 1));
  const [place] = [...new Set(elsewhere.map((k) => k.join('.')))];
  if (place !== undefined) {
    report(path, `unknown key, did you mean ${place}?`);
    return;
  }
  const advice = isSecretName(name)
    ? `no secret stands in a configuration: it is a file, named in ${secretKeys.join(', ')}`
    : `known here: ${siblings.join(', ')}`;
  report(path, `unknown key; ${advice}`, above.join('.'));
}

const secretKeys = ['publish.mqtt.passwordFile', 'update.hawkbit.tokenFile', 'page.tokenFile'];
const isSecretName = (name: string) => /^(pass(word|phrase|wd)?|pw|token|secret|user)$/i.test(name);

/** Turns the value into its type, in place. What is wrong with it, if anything. */
function check(key: Key, given: Map<string, unknown>, at: string): string | undefined {
  const { format } = key;
  const got = given.get(at);
  const wrong = (expected: string) => `got ${shownValue(key, got)}, expected ${expected}`;
  if (Array.isArray(format)) return format.includes(got) ? undefined : wrong(expectation(key));
  const { coerce, validate } = format as Format;
  const value = coerce === undefined ? got : coerce(got);
  try {
    validate(value);
  } catch (error) {
    return wrong(messageOf(error));
  }
  // Formats turn what they get into a text, and a list with one address in it becomes that address.
  if (typeof got === 'object' && got !== null) return wrong(expectation(key));
  if (key.path !== undefined && typeof value === 'string') {
    if (/^([a-z][a-z0-9+.-]*:\/\/|\/\/[^/]*@)/i.test(value))
      return 'got an address, expected a path of this machine';
    if (/^~[^/]/.test(value)) return 'of ~ only ~/ is understood: the home of who runs kikitori';
  }
  given.set(at, value);
  return undefined;
}

/**
 * Takes a text that YAML reads as a number, if nothing is lost. `id: 12` is the text "12"; `id: 007` would
 * become 7, so it is refused. What is wrong, if anything.
 */
function numberAsText(
  key: Key,
  given: Map<string, unknown>,
  at: string,
  { writtenAt }: Source,
): string | undefined {
  const value = given.get(at);
  const isText = typeof key.default === 'string' && !Array.isArray(key.format);
  if (!isText || (typeof value !== 'number' && typeof value !== 'boolean')) return undefined;
  const written = writtenAt(at.split('.')) ?? String(value);
  if (typeof value === 'number' && written === String(value)) {
    given.set(at, written);
    return undefined;
  }
  const got = shownValue(key, written);
  const as =
    got === JSON.stringify(written)
      ? `${written}, which is read as the ${typeof value} ${value}`
      : got;
  const quoted = got === JSON.stringify(written) ? `: '${written}'` : '';
  return `got ${as}; a text like this needs quotes${quoted}`;
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
    const given: unknown = holder.get(at);
    const value = key.path !== undefined && typeof given === 'string' ? inHome(given, env) : given;
    if (value !== given) holder.set(at, value);
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
 * Where a secret lies: a systemd credential of that name, else a file of that name, else the source of that
 * credential in `secrets/`. The last is for whoever runs kikitori by hand beside the service.
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
