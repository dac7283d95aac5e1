/** Every file that is made, as it should be. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { defaultYaml, referenceMarkdown } from '../../src/config/index.js';
import { schemaFile, topicContracts } from '../../src/publish/contract/index.js';
import { logEventsRegion } from './events-page.js';
import { mqttRegions } from './mqtt-page.js';
import { promiseFile, promisePath } from './promise.js';
import { fill } from './regions.js';

export interface Page {
  /** From the root of the repository. */
  readonly path: string;
  readonly text: string;
}

/** Pages with prose of their own, and what is put into them. */
const regionsOf: Readonly<Record<string, () => Readonly<Record<string, string>>>> = {
  'docs/configuration.md': () => ({ keys: referenceMarkdown() }),
  'docs/events.md': () => ({ events: logEventsRegion() }),
  'docs/mqtt/README.md': mqttRegions,
};

export async function pages(root: string): Promise<Page[]> {
  const tidy = async (path: string, text: string): Promise<Page> => {
    const options = await resolveConfig(join(root, path));
    return { path, text: await format(text, { ...options, filepath: path }) };
  };
  return Promise.all([
    tidy('config/default.yaml', defaultYaml()),
    ...topicContracts.map((contract) =>
      tidy(`docs/mqtt/${contract.name}.json`, JSON.stringify(schemaFile(contract), null, 2)),
    ),
    tidy(promisePath, promiseFile(await readFile(join(root, promisePath), 'utf8'))),
    ...Object.entries(regionsOf).map(async ([path, regions]) => ({
      path,
      text: fill(path, await readFile(join(root, path), 'utf8'), regions()),
    })),
  ]);
}
