import { freeWordsOf } from '../../agent/board.js';
import type { Config } from '../../config/index.js';
import type { Engine } from '../../engine/engine.js';
import { messageOf } from '../../runtime/errors.js';
import { failed, ok, warning, type Finding } from './finding.js';

/** The language model and the own terms, where free words are heard. */
export async function dictationFindings(config: Config, engine: Engine): Promise<Finding[]> {
  const { mode, languageModelPath } = config.recognizer;
  if (mode !== 'dictation') return [];
  const name = 'dictation';
  try {
    const { graph, unsaid } = await freeWordsOf(config, engine);
    const number = (n: number) => n.toLocaleString('en');
    const what = `${languageModelPath}, ${number(graph.words)} words, ${number(graph.boosts.size)} of them own terms`;
    if (unsaid.length > 0)
      return [
        warning(
          name,
          `${what}; never heard, as nothing says how they sound: ${unsaid.slice(0, 20).join(', ')}`,
          'name them in grammar.wordsPath',
        ),
      ];
    return [ok(name, what)];
  } catch (error) {
    return [
      failed(
        name,
        messageOf(error),
        'correct recognizer.languageModelPath or recognizer.boostPath',
      ),
    ];
  }
}
