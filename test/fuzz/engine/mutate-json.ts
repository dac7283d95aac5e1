/** JSON with one of its values changed, left out, doubled or taken from another text. */
import type { Random } from './random.js';

const values: readonly unknown[] = [
  ...[null, true, false, 0, -1, 1, 0.5, 1e21, -1e-9, 2 ** 31, 2 ** 53, 4294967296],
  ...['', 'a', '0', 'constructor', '__proto__', '../..', 'x'.repeat(300), '\u0000', '1.2.3'],
  ...[[], {}, [[]], [null], [1, 2, 3], { length: 1e9 }, { a: 1 }, { __proto__: null }, ['a', 'b']],
];

export function mutateJson(input: Buffer, random: Random, other: Buffer): Buffer {
  let value: unknown;
  try {
    value = JSON.parse(input.toString());
  } catch {
    return input;
  }
  for (let left = random.size(3); left > 0; left--) value = changed(value, random, other);
  let text = JSON.stringify(value) ?? 'null';
  // JSON.stringify writes no such number, and JSON.parse reads it.
  if (random.chance(0.05)) text = text.replace(/(?<=[:[,])-?\d+(?=[,}\]])/, '1e999');
  // JSON.parse makes own keys of this name; only a text can hold it.
  if (random.chance(0.03)) text = text.replace(/^\{/, '{"__proto__":{"polluted":1},');
  return Buffer.from(text);
}

function changed(root: unknown, random: Random, other: Buffer): unknown {
  const places = placesIn(root);
  if (places.length === 0 || random.chance(0.02)) return clone(random.of(values));
  const { holder, key } = random.of(places);
  const old = holder[key];
  const what = random.below(10);
  if (what < 4) put(holder, key, random.of(values));
  else if (what < 6) remove(holder, key);
  else if (what < 7) put(holder, key, near(old, random));
  else if (what < 8) put(holder, `${key}${random.of(['', '2', 's'])}`, old);
  else if (what < 9) {
    const from = random.of(places);
    put(holder, key, from.holder[from.key]);
  } else {
    const theirs = placesIn(parsed(other));
    if (theirs.length > 0) {
      const from = random.of(theirs);
      put(holder, random.chance(0.5) ? key : from.key, from.holder[from.key]);
    }
  }
  return root;
}

/** A value of the same kind. */
function near(old: unknown, random: Random): unknown {
  if (typeof old === 'number') return random.of([old + 1, old - 1, -old, old * 1000, old / 3]);
  if (typeof old === 'string')
    return random.of([old.slice(1), old.toUpperCase(), `${old}${old}`, ` ${old}`, `${old}\n`]);
  if (typeof old === 'boolean') return !old;
  if (Array.isArray(old)) return [...(old as unknown[]), ...(old as unknown[])];
  return [old];
}

interface Place {
  readonly holder: Record<string, unknown>;
  readonly key: string;
}

function placesIn(value: unknown): Place[] {
  const found: Place[] = [];
  const walk = (at: unknown, depth: number) => {
    if (typeof at !== 'object' || at === null || depth > 12 || found.length > 500) return;
    for (const key of Object.keys(at)) {
      found.push({ holder: at as Record<string, unknown>, key });
      walk((at as Record<string, unknown>)[key], depth + 1);
    }
  };
  walk(value, 0);
  return found;
}

const clone = (value: unknown): unknown => JSON.parse(JSON.stringify(value) ?? 'null');

/** A copy, under an own key, also where that is called __proto__. */
function put(holder: Record<string, unknown>, key: string, value: unknown): void {
  const copy = clone(value);
  if (Array.isArray(holder) && !(Number(key) < holder.length)) holder.push(copy);
  else
    Object.defineProperty(holder, key, {
      ...{ value: copy, enumerable: true, writable: true, configurable: true },
    });
}

function remove(holder: Record<string, unknown>, key: string): void {
  if (Array.isArray(holder)) holder.splice(Number(key) || 0, 1);
  else delete holder[key];
}

function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString());
  } catch {
    return null;
  }
}
