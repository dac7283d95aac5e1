/** The state of model updates, retained, and in the answers of `update` and `rollback`. */
import { flag, number, object, oneOf, orNull, text, time } from './json-schema.js';

/** In the order in which an update goes through them; a test compares them with the updater's. */
const states = [
  'idle',
  'downloading',
  'verified',
  'trial',
  'committed',
  'rolled-back',
  'rejected',
  'failed',
] as const;

export const always = {
  state: oneOf('See docs/updates.md.', states),
  progress: orNull(
    number('Percent of the download, while there is one.', { minimum: 0, maximum: 100 }),
  ),
  installedVersion: text('Of the bundle that hears.'),
  latestVersion: orNull(text('What the channel offers; null while nothing is known.')),
};

export const sometimes = {
  latestRefused: flag(
    'true: what the channel offers was not good on this board before; only install with retry takes it.',
  ),
  deployment: orNull(text('What the state is about.')),
  since: time('Since when it is in this state.'),
  reason: text('A code for a bundle that is not used, see docs/updates.md.'),
  checkReason: text(
    'Why the repository (a code of docs/fleet.md) or hawkBit (docs/hawkbit.md) could not be asked at the last check.',
  ),
  error: text('The same for people.'),
};

export const updateSchema = object(always, sometimes);

export const updateExample = {
  state: 'trial',
  progress: null,
  installedVersion: '0.8.1',
  latestVersion: '0.8.1',
  deployment: 'stable-20260302T021500-7f3a',
  since: '2026-03-02T02:00:31.004Z',
};

/** The same of the language model. */
export const languageSchema = object(
  {
    ...always,
    installedVersion: text('Of the language model that hears; empty: a file without one, or none.'),
  },
  sometimes,
);

export const languageExample = {
  state: 'committed',
  progress: null,
  installedVersion: '1.0.0',
  latestVersion: '1.0.0',
  deployment: 'english-20260302T020500-91c2',
  since: '2026-03-03T02:05:31.004Z',
};
