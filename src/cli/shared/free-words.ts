import type { Engine } from '../../engine/engine.js';
import { readBoosts, unsaidOf } from '../../engine/free-words.js';
import { openSlotModel, type OpenSlotModel } from '../../recognizer/dictation/index.js';
import { openModel } from '../lm/models.js';
import type { Io } from './command.js';

/** The words of a language model and a site's own terms, and how they sound; what has no sound is said. */
export async function freeWordsOf(
  engine: Engine,
  path: string,
  io: Io,
  boostPath = '',
): Promise<OpenSlotModel> {
  const boosted = await readBoosts(boostPath);
  const { model } = await openModel(path);
  const free = openSlotModel(model, engine.lexicon, { boosted });
  const { graph } = free;
  const unsaid = unsaidOf(boosted, graph);
  if (unsaid.length > 0)
    io.stderr.write(
      `${boostPath}: nothing says how these sound (--words FILE): ${unsaid.slice(0, 20).join(', ')}\n`,
    );
  if (graph.unpronounced > 0)
    io.stderr.write(
      `${path}: ${graph.unpronounced} of its words are not listened for: nothing says how they sound (--words FILE)\n`,
    );
  return free;
}
