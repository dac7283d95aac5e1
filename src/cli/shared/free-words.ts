import { freeWordsOf, readBoosts, type FreeWordsReader } from '../../engine/free-words.js';
import { openModel } from '../lm/models.js';
import type { Io } from './command.js';

/** The words of a language model, ARPA too, and a site's own terms, and how they sound; what has no sound is said. */
export function freeWordsReader(path: string, io: Io, boostPath = ''): FreeWordsReader {
  return async (lexicon) => {
    const boosted = await readBoosts(boostPath);
    const { model } = await openModel(path);
    const free = await freeWordsOf(model, '', lexicon, boosted);
    const { graph, unsaid } = free;
    if (unsaid.length > 0)
      io.stderr.write(
        `${boostPath}: nothing says how these sound (--words FILE): ${unsaid.slice(0, 20).join(', ')}\n`,
      );
    if (graph.unpronounced > 0)
      io.stderr.write(
        `${path}: ${graph.unpronounced} of its words are not listened for: nothing says how they sound (--words FILE)\n`,
      );
    return free;
  };
}
