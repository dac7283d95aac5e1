/**
 * The model of CMU Sphinx as an ARPA file, for `kikitori lm import`; its own tools crash on it.
 *   node dist/bench/sphinx-arpa.js [/usr/share/pocketsphinx/model/en-us/en-us.lm.bin] > en-us.arpa
 */
import { once } from 'node:events';
import { SphinxModel } from './lib/sphinx-model.js';

const model = await SphinxModel.read(
  process.argv[2] ?? '/usr/share/pocketsphinx/model/en-us/en-us.lm.bin',
);
let piece: string[] = [];
const write = async () => {
  if (!process.stdout.write(piece.join(''))) await once(process.stdout, 'drain');
  piece = [];
};
for (const line of model.arpa()) {
  piece.push(line);
  if (piece.length === 50_000) await write();
}
await write();
