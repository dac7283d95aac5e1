import { hidden, withoutAddresses } from './address.js';
import { messageOf } from './errors.js';

/** Names of fields that hold secrets, wherever they stand. */
const secretField = /pass(word|phrase|wd)?$|secret|token$|authorization|^(key|username)$/i;
const depthMax = 6;

/** What a line is made of as it may be written: texts without what addresses hold, errors as their messages. */
export function cleanArgument(argument: unknown): unknown {
  return clean(argument, 0);
}

function clean(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return withoutAddresses(value);
  if (value instanceof Error) return messageOf(value);
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value;
  if (value instanceof Date) return value;
  if (depth > depthMax) return '...';
  if (Array.isArray(value)) return value.map((v) => clean(v, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      name,
      typeof inner === 'string' && secretField.test(name) ? hidden : clean(inner, depth + 1),
    ]),
  );
}
