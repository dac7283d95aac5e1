/** What is read again while running: how it is read, what is said of it, and what of a configuration waits for a restart. */
import type { Config } from '../config/index.js';
import type { Site } from '../engine/engine.js';
import type { FreeWords } from '../engine/free-words.js';
import type { GrammarDetails } from '../recognizer/index.js';
import type { Log } from '../runtime/log.js';
import type { Ear } from './ear.js';
import { thresholdsOf } from './requests.js';

type Mode = Config['recognizer']['mode'];

export interface ReloadOptions {
  readonly ear: Ear;
  /** What the site gives to be heard, with the language model that hears. */
  readonly site: (config: Config, mode: Mode) => Site;
  /** While no bundle and no language model is changed. */
  readonly alone: <T>(action: () => Promise<T>) => Promise<T>;
  readonly config: () => Config;
  readonly use: (config: Config) => void;
  /** After what hears, or a threshold, has changed. */
  readonly onChange: () => void;
  readonly log: Log;
}

export interface Loaded {
  readonly sentences: number;
  readonly sha256: string;
}

/**
 * Thresholds, sentences and language model change while it hears. One change after the other: to read a language model takes
 * seconds, and what is asked meanwhile must not be undone by it.
 */
export class Reload {
  private last: Promise<unknown> = Promise.resolve();

  constructor(private readonly options: ReloadOptions) {}

  /** As request/options asks; the values in force then. */
  async setOptions(given: Readonly<Record<string, unknown>>) {
    return this.inOrder(async () => {
      const { config, use, ear, onChange } = this.options;
      const recognizer = { ...config().recognizer, ...thresholdsOf(given) };
      use({ ...config(), recognizer });
      ear.refresh();
      onChange();
      return { minConfidence: recognizer.minConfidence, minCertainty: recognizer.minCertainty };
    });
  }

  /** New sentences and words from the files; the old ones stay when any is wrong. */
  async sentences(): Promise<Loaded> {
    return this.inOrder(() => this.readAgain());
  }

  /** Takes over what can change while running; says which sections need a restart. */
  async configuration(next: Config): Promise<string[]> {
    return this.inOrder(async () => {
      const { config, use, ear } = this.options;
      const old = config();
      use({ ...old, recognizer: next.recognizer, grammar: next.grammar });
      try {
        await this.readAgain();
      } catch (error) {
        use(old);
        throw error;
      }
      return needRestart(old, next, ear.mode);
    });
  }

  private async readAgain(): Promise<Loaded> {
    const { ear, config, site, alone, onChange, log } = this.options;
    // Of dictation that ends with the next start the words stay, whatever has become of their files.
    const keep = ear.mode === 'dictation' && config().recognizer.mode !== ear.mode;
    const grammar = await alone(() => ear.compile(site(config(), ear.mode), keep));
    const { sentences, sha256, freeWords, warnings } = grammar;
    ear.refresh();
    onChange();
    tellWarnings(warnings, log);
    tellFreeWords(freeWords, log);
    log.info({ event: 'grammar.loaded', sentences, sha256 }, 'new sentences');
    return { sentences, sha256 };
  }

  private inOrder<T>(change: () => Promise<T>): Promise<T> {
    const next = this.last.then(change);
    this.last = next.catch(() => undefined);
    return next;
  }
}

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
