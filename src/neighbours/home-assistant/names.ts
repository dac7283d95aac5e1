/** Names that Home Assistant takes, from names that MQTT takes. */
import { createHash } from 'node:crypto';

const defaultBase = 'kikitori';

/**
 * The device in topics and unique ids: letters, digits, _ and - only. Two devices that would be written the same
 * way, or have the same name under another base, are told apart by a few digits.
 */
export function objectIdOf(base: string, device: string): string {
  const plain = device.replace(/[^A-Za-z0-9_-]/g, '_');
  const exact = plain === device && base === defaultBase;
  return `kikitori_${plain}${exact ? '' : `_${digits(`${base}/${device}`)}`}`;
}

/** What may stand behind the dot of an entity's id: small letters, digits and single _. */
export function slugOf(name: string): string {
  const slug = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^_|_$/g, '');
  return slug === '' ? 'kikitori' : slug;
}

/** The key of an intent's trigger: no two intents have the same. */
export function triggerKeyOf(intent: string): string {
  const plain = intent.replace(/[^A-Za-z0-9_-]/g, '_');
  return `intent_${plain}${plain === intent ? '' : `_${digits(intent)}`}`;
}

function digits(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8);
}
