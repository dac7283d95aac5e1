import type { Engine } from '../../engine/engine.js';
import { openSlotModel, type OpenSlotModel } from '../../recognizer/dictation/index.js';
import { openModel } from '../lm/models.js';
import type { Io } from './command.js';

/** The words of a language model, and how they sound; what has no sound is said. */
export async function freeWordsOf(engine: Engine, path: string, io: Io): Promise<OpenSlotModel> {
  const { model } = await openModel(path);
  const free = openSlotModel(model, engine.lexicon);
  const { graph } = free;
  if (graph.unpronounced > 0)
    io.stderr.write(
      `${path}: ${graph.unpronounced} of its words are not listened for: nothing says how they sound (--words FILE)\n`,
    );
  return free;
}
