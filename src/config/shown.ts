/**
 * What of a configuration may be shown. It is decided by the key, before its value is looked at: an address is
 * shown as an address, a secret never. A value that is refused is shown only if it is short and plain.
 */
import { existsSync } from 'node:fs';
import { hidden, shownAddress, withoutAddresses } from '../runtime/address.js';
import { brokerUrl, repositoryUrl } from './formats.js';
import { keysOf, schema, type Config, type Key } from './schema.js';

const isAddress = ({ format }: Key) => format === brokerUrl || format === repositoryUrl;
const isSecret = (key: Key) => key.secret === true || key.path === 'secret';

/** A value in an error. */
export function shownValue(key: Key | undefined, value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'keys below it';
  if (key === undefined || isSecret(key))
    return typeof value === 'string' ? 'a text' : `a ${typeof value}`;
  if (typeof value !== 'string') return JSON.stringify(value);
  if (isAddress(key)) return JSON.stringify(shownAddress(value));
  if (/^[\p{L}\p{N} ._:,+/-]{0,60}$/u.test(value) && withoutAddresses(value) === value)
    return JSON.stringify(value);
  return `a text of ${value.length} characters`;
}

/** The whole configuration for people to read; it is not one that works. */
export function shownConfig(config: Config): unknown {
  const out: Record<string, unknown> = {};
  for (const { path, key } of keysOf(schema)) {
    const names = path.split('.');
    const last = names.pop() ?? '';
    let value: unknown = config;
    let into = out;
    for (const name of names) {
      value = (value as Record<string, unknown>)[name];
      into = (into[name] ??= {}) as Record<string, unknown>;
    }
    into[last] = held(key, (value as Record<string, unknown>)[last]);
  }
  return out;
}

function held(key: Key, value: unknown): unknown {
  if (typeof value !== 'string' || value === '') return value;
  if (isAddress(key)) return shownAddress(value);
  // Whoever wrote the password itself where its file is named has no such file.
  if (key.path === 'secret')
    return existsSync(value) ? value : `${hidden}: there is no file of this name`;
  return isSecret(key) ? hidden : withoutAddresses(value);
}
