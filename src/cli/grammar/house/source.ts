import { readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileFault, KikitoriError } from '../../../runtime/errors.js';
import { decodeText } from '../../../runtime/text-file.js';
import { houseFromDiscovery, type DiscoveryMessage } from './discovery.js';
import type { House } from './house.js';
import { isObject, objects, type Json } from './json.js';
import { houseFromRegistries, registryKeys, type RegistryKey } from './registry.js';
import { houseFromStates } from './states.js';

const bytesMax = 64 * 1024 * 1024;

export const expected =
  "Home Assistant's .storage folder or its registries, the answer of /api/states, a template's list of things, or discovery messages (mosquitto_sub -v)";

export interface SourceOptions {
  readonly prefix: string;
  readonly all: boolean;
}

/** What files say of a house. Several are registries of one house; anything else stands alone. */
export async function readHouse(paths: readonly string[], options: SourceOptions): Promise<House> {
  const registries = new Map<RegistryKey, Json>();
  const others: House[] = [];
  for (const path of paths.length === 1 ? await inFolder(paths[0] ?? '') : paths) {
    const found = read(await readLimited(path), path);
    if ('registry' in found) registries.set(found.registry, found.json);
    else if ('states' in found) others.push(houseFromStates(found.states, options));
    else others.push(houseFromDiscovery(found.messages, options.prefix, options));
  }
  const [only] = others;
  if (only !== undefined && others.length + registries.size > 1)
    throw refused(
      paths.join(', '),
      'these are several houses',
      'one file, or the registries of one',
    );
  if (only !== undefined) return only;
  if (!registries.has('core.entity_registry'))
    throw refused(
      paths.join(', '),
      'core.entity_registry is missing: it says what there is',
      'it beside the others',
    );
  return houseFromRegistries(registries, options);
}

/** A folder stands for the registries in it, a configuration for those of its `.storage`. */
async function inFolder(path: string): Promise<readonly string[]> {
  const what = await stat(path).catch(() => undefined);
  if (what?.isDirectory() !== true) return [path];
  for (const folder of [path, join(path, '.storage')]) {
    const found: string[] = [];
    for (const key of registryKeys)
      if ((await stat(join(folder, key)).catch(() => undefined))?.isFile() === true)
        found.push(join(folder, key));
    if (found.length > 0) return found;
  }
  throw refused(path, 'there are no registries of Home Assistant in this folder', expected);
}

async function readLimited(path: string): Promise<string> {
  const what = await stat(path).catch((error: unknown) => {
    throw refused(path, fileFault(error), expected);
  });
  if (what.size > bytesMax)
    throw refused(
      path,
      `${Math.round(what.size / 1e6)} MB`,
      `at most ${bytesMax / 1024 / 1024} MiB`,
    );
  return decodeText(
    await readFile(path).catch((error: unknown) => {
      throw refused(path, fileFault(error), expected);
    }),
    path,
  );
}

type Found =
  | { readonly registry: RegistryKey; readonly json: Json }
  | { readonly states: readonly Json[] }
  | { readonly messages: readonly DiscoveryMessage[] };

function read(source: string, path: string): Found {
  const json = parsed(source);
  if (json === undefined) {
    const messages = lines(source);
    if (messages.length > 0) return { messages };
    throw refused(path, 'this is neither JSON nor lines of "TOPIC MESSAGE"', expected);
  }
  const states = objects(json).filter((one) => 'entity_id' in one);
  if (states.length > 0) return { states };
  if (isObject(json)) {
    const key = registryKeys.find((known) => known === json['key'] || known === basename(path));
    if (key !== undefined && isObject(json['data'])) return { registry: key, json };
    const messages = Object.entries(json)
      .filter(([topic]) => topic.endsWith('/config'))
      .map(([topic, payload]) => ({
        topic,
        payload: typeof payload === 'string' ? payload : JSON.stringify(payload),
      }));
    if (messages.length > 0) return { messages };
  }
  throw refused(path, 'nothing in this file is a thing of a house', expected);
}

function parsed(source: string): unknown {
  try {
    return JSON.parse(source);
  } catch {
    return undefined;
  }
}

/** `mosquitto_sub -v`: topic, a space, the message. */
const lines = (source: string): DiscoveryMessage[] =>
  source.split('\n').flatMap((line) => {
    const [, topic, payload] = /^(\S+\/config) (\{.*\})\s*$/.exec(line) ?? [];
    return topic === undefined || payload === undefined ? [] : [{ topic, payload }];
  });

function refused(where: string, what: string, expected: string): KikitoriError {
  return new KikitoriError(what, { kind: 'input', where, expected });
}
