/** What a device may be asked, with what, and what it answers. */
import {
  atLeast0,
  flag,
  object,
  oneOf,
  orNull,
  sha256,
  share,
  text,
  type Fields,
  type Schema,
} from './json-schema.js';
import * as update from './update.js';

export interface RequestEntry {
  readonly meaning: string;
  /** Fields of the payload besides `transaction` and `once`. */
  readonly always?: Fields;
  readonly sometimes?: Fields;
  /** A payload to copy. */
  readonly example: Readonly<Record<string, unknown>>;
  /** `data` of the answer. */
  readonly data: Schema;
  readonly dataExample: Readonly<Record<string, unknown>>;
}

const nothing = object({});
const threshold = (description: string) => orNull(share(description));

export const requests = {
  listen: {
    meaning:
      'Push-to-talk: hears one utterance. In mode dictation what is said up to a pause, or stop, is one transcript; there is an answer on rejected where nothing was said.',
    example: {},
    data: nothing,
    dataExample: {},
  },
  stop: {
    meaning: 'The utterance is over: what was heard so far is judged.',
    example: {},
    data: nothing,
    dataExample: {},
  },
  mute: {
    meaning: 'Hears nothing, or hears again. Until the next start.',
    sometimes: { mute: flag('false hears again; true when absent.') },
    example: { mute: true },
    data: object({ muted: flag('As it is now.') }),
    dataExample: { muted: true },
  },
  options: {
    meaning: 'Changes a threshold, to try it. Until the next start.',
    always: {
      options: {
        description: 'One of them or both.',
        type: 'object',
        minProperties: 1,
        additionalProperties: false,
        properties: {
          minConfidence: share('Commands below this are refused.'),
          minCertainty: share(
            'Below this probability that no other command was meant they are refused as ambiguous. Since 0.3.0.',
          ),
        },
      },
    },
    example: { options: { minConfidence: 0.6 } },
    data: object({
      minConfidence: threshold("As it is now; null: the model's own."),
      minCertainty: threshold("As it is now; null: the model's own. Since 0.3.0."),
    }),
    dataExample: { minConfidence: 0.6, minCertainty: null },
  },
  grammar: {
    meaning:
      'Reads the sentences again, and the language model and own terms where there are any; a wrong file changes nothing.',
    example: {},
    data: object({
      sentences: atLeast0('How many sentences may be said.'),
      sha256: sha256('Of the file of sentences and the words.'),
    }),
    dataExample: {
      sentences: 4,
      sha256: 'a41c09d2be771f0b6c8e5d4a3b2918f7e6d5c4b3a2918070f6e5d4c3b2a19080',
    },
  },
  selftest: {
    meaning: 'Hears the clip that the bundle carries; the microphone is not used.',
    example: {},
    data: object(
      {
        passed: flag('The phrase that must be heard was heard.'),
        wanted: text('That phrase.'),
        heard: text('What was heard.'),
        confidence: share('Of what was heard.'),
        realTimeFactor: atLeast0('Processing time over audio time.'),
      },
      {
        processorFactor: atLeast0(
          'Processor time over audio time: without waiting for other programs. Since 0.7.0.',
        ),
        logits: oneOf(
          'Whether the network computed the very numbers that the bundle says, on this board.',
          ['same', 'different', 'other processor', 'not recorded'],
        ),
      },
    ),
    dataExample: {
      passed: true,
      wanted: 'stop the conveyor',
      heard: 'stop the conveyor',
      confidence: 0.98,
      logits: 'same',
      realTimeFactor: 0.09,
      processorFactor: 0.08,
    },
  },
  update: {
    meaning: 'Asks the repository, or acts on an update.',
    sometimes: {
      action: oneOf('check when absent.', ['check', 'install', 'rollback', 'abort']),
      retry: flag('install: also a bundle that was refused here before.'),
    },
    example: { action: 'check' },
    data: object(update.always, {
      ...update.sometimes,
      available: flag('check, install: a bundle is taken.'),
      why: text('Why none is taken, a code.'),
      detail: text('The same for people.'),
    }),
    dataExample: {
      state: 'idle',
      progress: null,
      installedVersion: '0.8.0',
      latestVersion: '0.8.0',
      deployment: null,
      since: '2026-03-01T09:00:00.000Z',
      available: false,
      why: 'up-to-date',
      detail: '0.8.0 is installed',
    },
  },
  language: {
    meaning: 'The same as update, of the language model of free words. Since 0.11.0.',
    sometimes: {
      action: oneOf('check when absent.', ['check', 'install', 'rollback', 'abort']),
      retry: flag('install: also one that was refused here before.'),
    },
    example: { action: 'check' },
    data: object(update.always, {
      ...update.sometimes,
      available: flag('check, install: a language model is taken.'),
      why: text('Why none is taken, a code.'),
      detail: text('The same for people.'),
    }),
    dataExample: {
      state: 'idle',
      progress: null,
      installedVersion: '1.0.0',
      latestVersion: '1.0.0',
      deployment: null,
      since: '2026-03-01T09:00:00.000Z',
      available: false,
      why: 'up-to-date',
      detail: 'kikitori-general-en 1.0.0 is installed',
    },
  },
  rollback: {
    meaning: 'Back to the model bundle before this one.',
    example: {},
    data: object(update.always, update.sometimes),
    dataExample: {
      state: 'rolled-back',
      progress: null,
      installedVersion: '0.8.0',
      latestVersion: '0.8.1',
      deployment: 'stable-20260302T021500-7f3a',
      since: '2026-03-02T07:01:12.480Z',
      reason: 'requested',
    },
  },
  restart: {
    meaning:
      'Ends; the service manager starts it again. Where there is none, the answer is an error.',
    example: {},
    data: nothing,
    dataExample: {},
  },
} as const satisfies Readonly<Record<string, RequestEntry>>;

export type RequestName = keyof typeof requests;

export const requestEntries: readonly (readonly [string, RequestEntry])[] =
  Object.entries(requests);

const transaction = { description: 'Any value; comes back as it was.' };
const once = text(
  'A mark of this one request, of 1 to 64 characters. What comes again with the same mark within ten minutes is answered as before and not done again. Since 0.10.0.',
);

export const requestSchema: Schema = {
  type: 'object',
  properties: { transaction, once },
  definitions: Object.fromEntries(
    requestEntries.map(([name, { meaning, always = {}, sometimes }]) => [
      name,
      object(always, { ...sometimes, transaction, once }, meaning),
    ]),
  ),
};

export const responseSchema: Schema = {
  ...object(
    {
      status: oneOf('Whether it was done.', ['ok', 'error']),
      data: { description: 'The answer; empty with an error.', type: 'object' },
    },
    {
      error: text('What is wrong, for people.'),
      transaction: {
        description: 'As in the request; absent when it had none or was not JSON.',
      },
    },
  ),
  if: { properties: { status: { const: 'error' } } },
  then: { required: ['error'] },
  definitions: {
    ...Object.fromEntries(
      requestEntries.map(([name, { meaning, data }]) => [name, { description: meaning, ...data }]),
    ),
    doctor: {
      description: 'No answer: kikitori doctor tries whether the broker takes a large message.',
      ...nothing,
    },
  },
};

export const responseExample = (transaction: unknown, { dataExample }: RequestEntry) => ({
  status: 'ok',
  data: dataExample,
  transaction,
});
