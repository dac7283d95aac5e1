import type { Steps } from '../records.js';
import type { RecognizerEvent } from '../recognizer/index.js';

/** In the place of a listener while there is no language model to hear free words with: audio passes, nothing is heard. */
export class Deaf {
  readonly between = true;
  stepsDone = 0;

  /** Nothing of the audio before: who takes over begins with what comes next. */
  readonly keptFromSample = Infinity;

  mute(): void {
    // It hears nothing anyhow.
  }

  rejoin(): void {
    // Nothing was being said.
  }

  listen(): Promise<RecognizerEvent[]> {
    return Promise.resolve([]);
  }

  stop(): Promise<RecognizerEvent[]> {
    return Promise.resolve([]);
  }

  feed({ steps }: Steps): Promise<RecognizerEvent[]> {
    this.stepsDone += steps;
    return Promise.resolve([]);
  }
}
