import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { FreeSpeech } from '../../compress/report/index.js';
import { compileDictation, type DictationGraph } from '../../recognizer/dictation/index.js';
import { openModel } from '../lm/models.js';

/** A language model for the bundles of a report, one after the other: with the same lexicon its words are compiled once. */
export async function freeSpeechOf(path: string): Promise<FreeSpeech> {
  const { model } = await openModel(path);
  const hash = createHash('sha256');
  // Of a bundle's folder the manifest, which names what its files are.
  const named = (await stat(path)).isDirectory() ? join(path, 'manifest.json') : path;
  for await (const piece of createReadStream(named)) hash.update(piece as Buffer);
  let last: { readonly lexicon: string; readonly graph: DictationGraph } | undefined;
  return {
    name: basename(path),
    sha256: hash.digest('hex'),
    graphOf: ({ bundle, lexicon }) => {
      const key = bundle.manifest.files['lexicon']?.sha256 ?? bundle.sha256;
      if (last?.lexicon !== key) last = { lexicon: key, graph: compileDictation(model, lexicon) };
      return last.graph;
    },
  };
}
