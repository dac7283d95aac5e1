/** What is read again while running: how it is read, what is said of it, and what of a configuration waits for a restart. */
import type { Config } from '../config/index.js';
import type { FreeWords } from '../engine/free-words.js';
import type { GrammarDetails } from '../recognizer/index.js';
import type { Log } from '../runtime/log.js';

type Mode = Config['recognizer']['mode'];

/** Sections of a configuration that changed and need a restart. */
export function needRestart(old: Config, config: Config, running: Mode): string[] {
  const sections = Object.keys(old) as (keyof Config)[];
  const changed = sections
    .filter((name) => name !== 'recognizer' && name !== 'grammar')
    .filter((name) => JSON.stringify(old[name]) !== JSON.stringify(config[name]));
  return config.recognizer.mode === running ? changed : [...changed, 'recognizer.mode'];
}

/** What of the sentences is allowed and hardly meant. */
export function tellWarnings(warnings: GrammarDetails['warnings'], log: Log): void {
  for (const { message, file, line, column } of warnings)
    log.warn({ event: 'grammar.warning', file, line, column }, message);
}

/** The words that are listened for, and what cannot be heard of them. */
export function tellFreeWords(freeWords: FreeWords | undefined, log: Log): void {
  if (freeWords === undefined) return;
  const { graph, sha256, unsaid } = freeWords;
  const { words, unpronounced } = graph;
  log.info({ event: 'dictation.loaded', words, unpronounced, sha256 }, 'a language model');
  if (unsaid.length > 0)
    log.warn(
      { event: 'dictation.unsaid', terms: unsaid.slice(0, 20), count: unsaid.length },
      'terms of recognizer.boostPath that nothing says how to pronounce: name them in grammar.wordsPath',
    );
}
