/** The model that ships, for tests of what it hears. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const folder = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

export const shippedModel = folder('models/kikitori-en');
export const demoAudio = folder('demo/audio');

/**
 * undefined when the model is there, else the reason to skip. Once models/README.md says that it ships,
 * its absence is a failure where CI=true.
 */
export function modelMissing(): string | undefined {
  if (existsSync(`${shippedModel}/manifest.json`)) return undefined;
  if (process.env['CI'] === 'true' && existsSync(folder('models/README.md')))
    throw new Error('models/kikitori-en is not there, and models/README.md says that it ships');
  return 'models/kikitori-en is not there yet';
}
