import { freeWordsFilesOf } from '../../agent/board.js';
import type { Manifest } from '../../bundle/index.js';
import type { Config } from '../../config/index.js';
import type { Engine } from '../../engine/engine.js';
import { readFreeWords } from '../../engine/free-words.js';
import type { GrammarDetails } from '../../recognizer/index.js';
import { messageOf } from '../../runtime/errors.js';
import { failed, ok, warning, type Finding } from './finding.js';

/** The language model and the own terms, where free words are heard. `grammar`: the sentences, if they compile. */
export async function dictationFindings(
  config: Config,
  engine: Pick<Engine, 'lexicon'> & {
    readonly bundle: { readonly manifest: Pick<Manifest, 'confidence'> };
  },
  grammar: Pick<GrammarDetails, 'graph'> | null,
): Promise<Finding[]> {
  const { mode, languageModelPath } = config.recognizer;
  const files = freeWordsFilesOf(config);
  const name = mode === 'dictation' ? 'dictation' : 'open slots';
  if (files === undefined && mode === 'dictation')
    return [
      warning(
        name,
        `no language model of the operator's: nothing is heard until the channel ${config.update.language.channel} has brought one`,
        'name a file in recognizer.languageModelPath, or wait; the topic language says how far it is',
      ),
    ];
  if (files === undefined) return [];
  if (mode !== 'dictation' && grammar !== null && grammar.graph.open === undefined)
    return [ok(name, `${languageModelPath} is not read: no sentence has a slot for any words`)];
  try {
    const { graph, unsaid } = await readFreeWords(engine.lexicon, files);
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
    if (mode !== 'dictation' && engine.bundle.manifest.confidence.chain === undefined)
      return [
        warning(
          name,
          `${what}; the bundle has no phone chain, so talk is not told from commands with free words`,
          'make the bundle anew with the confidence of kikitori model calibrate, or take what is in a slot for a guess',
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
