import { readFileSync } from 'node:fs';

/** The version in package.json: two folders up in the sources, three in the build. */
function readVersion(): string {
  for (const up of ['../../package.json', '../../../package.json']) {
    try {
      const parsed = JSON.parse(readFileSync(new URL(up, import.meta.url), 'utf8')) as {
        name?: string;
        version?: string;
      };
      if (parsed.name === 'kikitori' && parsed.version !== undefined) return parsed.version;
    } catch {
      // Not this one: the other layout.
    }
  }
  return '0.0.0';
}

export const agentVersion: string = readVersion();
