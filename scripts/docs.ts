/** Writes everything in config/ and docs/ that is made from the code. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pages } from './docs/pages.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
for (const { path, text } of await pages(root)) await writeFile(join(root, path), text);
