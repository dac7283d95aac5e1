/** What Home Assistant was told, kept on disk: it must be taken away there also by a later run. */
import { readFile, rm } from 'node:fs/promises';
import { atomicWrite } from '../../runtime/atomic-write.js';
import { codeOf } from '../../runtime/errors.js';

export interface Told {
  readonly topic: string;
  /** Components, key -> platform. */
  readonly platforms: Readonly<Record<string, string>>;
}

/** Topics that are not in use any more: the device, the base or the prefix had another name. */
export const topicsMax = 20;

/** Nothing where there is no file; throws when it cannot be read or is damaged. */
export async function readAnnounced(path: string): Promise<readonly Told[]> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
  const parsed: unknown = JSON.parse(text);
  if (!Array.isArray(parsed) || !parsed.every(isTold)) throw new Error('it is damaged');
  return parsed;
}

export async function writeAnnounced(path: string, told: readonly Told[]): Promise<void> {
  if (told.length === 0) await rm(path, { force: true });
  else await atomicWrite(path, `${JSON.stringify(told.slice(-topicsMax))}\n`);
}

function isTold(value: unknown): value is Told {
  if (typeof value !== 'object' || value === null) return false;
  const { topic, platforms } = value as Partial<Record<keyof Told, unknown>>;
  return (
    typeof topic === 'string' &&
    /^[^+#]+\/device\/[\w-]+\/config$/.test(topic) &&
    typeof platforms === 'object' &&
    platforms !== null &&
    Object.values(platforms).every((platform) => typeof platform === 'string')
  );
}
