/** Writes what is made from the configuration's schema: config/default.yaml and docs/configuration.md. */
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { defaultYaml, referenceMarkdown } from '../src/config/render.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
await writeFile(`${root}config/default.yaml`, defaultYaml());
await writeFile(`${root}docs/configuration.md`, referenceMarkdown());
