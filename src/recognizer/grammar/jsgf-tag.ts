import type { SlotValue } from '../../records.js';

/** What a tag gives: a slot, with its value; without one the slot becomes the words said. */
export interface JsgfTag {
  readonly slot: string;
  readonly value?: SlotValue;
}

/** `name`, `name=value`, `name="value"`: undefined where there is no name. `\` takes what follows as it is. */
export function readTag(raw: string): JsgfTag | undefined {
  const equals = /^(?:\\[^]|[^\\=])*/.exec(raw)?.[0].length ?? 0;
  const slot = unescaped(raw.slice(0, equals).trim());
  if (slot === '') return undefined;
  if (equals === raw.length) return { slot };
  const value = raw.slice(equals + 1).trim();
  const inQuotes = /^"((?:\\[^]|[^\\"])*)"$/.exec(value)?.[1];
  return inQuotes === undefined
    ? { slot, value: asNumber(unescaped(value)) }
    : { slot, value: unescaped(inQuotes) };
}

const unescaped = (text: string) => text.replace(/\\([^])/g, '$1');

/** A number only where it is written as one would be printed: "007" and "2.50" stay text. */
function asNumber(text: string): SlotValue {
  return /^-?\d+(\.\d+)?$/.test(text) && String(Number(text)) === text ? Number(text) : text;
}
