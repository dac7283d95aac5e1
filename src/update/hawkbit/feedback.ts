import type { UpdateStatus } from '../status.js';
import type { Feedback } from './ddi.js';

/** Percent of the download are told in steps of this: a server keeps so many messages of an action and no more. */
const percentStep = 25;

/**
 * What hawkBit is told of a state. Everything final is `closed`: the server takes `rejected` for an
 * action that goes on, and `canceled` only for what it cancelled itself.
 */
export function feedbackOf(status: UpdateStatus): Feedback | null {
  const { state, progress, reason, error = '' } = status;
  const going = (details: string[], more: Partial<Feedback> = {}): Feedback => ({
    execution: 'proceeding',
    finished: 'none',
    details,
    ...more,
  });
  switch (state) {
    case 'downloading': {
      const percent = Math.floor((progress ?? 0) / percentStep) * percentStep;
      return going(['downloading'], { percent });
    }
    case 'verified':
      return going(['downloaded and verified'], { execution: 'downloaded' });
    case 'trial':
      return going([`on trial: ${status.latestVersion ?? ''}`]);
    case 'committed':
      return closed('success', [`committed: ${status.installedVersion}`, error]);
    case 'rolled-back':
    case 'rejected':
      return closed('failure', [`${state}: ${reason ?? ''}`, error]);
    case 'failed':
      return going([`failed: ${reason ?? ''}; tried again`, error]);
    case 'idle':
      return reason === 'aborted' ? closed('failure', ['stopped at the board', error]) : null;
  }
}

export const closed = (finished: 'success' | 'failure', details: readonly string[]): Feedback => ({
  execution: 'closed',
  finished,
  details,
});

/** Two feedbacks with one key say the same. */
export const keyOf = (feedback: Feedback): string => JSON.stringify(feedback);
