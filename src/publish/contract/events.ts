/** What `<base>/<device>/event` may say. The compiler refuses an event that is not here. */
import {
  count,
  number,
  object,
  oneOf,
  text,
  time,
  type Fields,
  type Schema,
} from './json-schema.js';

export interface PublishedEventEntry {
  readonly meaning: string;
  readonly always?: Fields;
  readonly sometimes?: Fields;
  /** Besides `event` and `at`. */
  readonly example: Readonly<Record<string, unknown>>;
}

const topic = text('Of the message that the broker does not take.');

const model = {
  always: { detail: text('In words.') },
  sometimes: {
    deployment: text('The roll-out that it is about.'),
    version: text('Of the bundle that it is about.'),
    installedVersion: text('Of the bundle that hears now.'),
  },
};

const deployment = { deployment: 'stable-20260302T021500-7f3a', version: '0.8.1' };

const languageModel = {
  always: model.always,
  sometimes: {
    deployment: model.sometimes.deployment,
    version: text('Of the language model that it is about.'),
    installedVersion: text('Of the language model that hears now.'),
  },
};

const languageDeployment = { deployment: 'english-20260302T020500-91c2', version: '1.0.0' };

export const publishedEvents = {
  restarted: {
    meaning:
      'The run before this one did not end as asked; what it had accepted is kept. Since 0.9.0.',
    always: {
      after: oneOf(
        'crash: it ended by itself, by the watchdog, or by a limit of memory. power-loss: the board did.',
        ['crash', 'power-loss'],
      ),
    },
    example: { after: 'crash' },
  },
  'mic-lost': {
    meaning: 'No audio comes; it is being opened again.',
    always: { why: text('In words.') },
    example: { why: 'the recorder ended with status 1' },
  },
  'mic-restored': { meaning: 'Audio comes again.', example: {} },
  'outbox-full': {
    meaning: 'Messages were dropped.',
    always: {
      count: count('How many.'),
      why: oneOf(
        'full: maxBytes. old: maxAgeMs. disk: it takes nothing. too-big: one message is beyond maxBytes. damaged: it could not be read.',
        ['full', 'old', 'disk', 'too-big', 'damaged'],
      ),
    },
    example: { count: 12, why: 'old' },
  },
  'message-set-aside': {
    meaning: 'The broker does not take a message; it is kept on the device. Since 0.7.0.',
    always: {
      topic,
      bytes: count('Of its payload.'),
      why: text('In words.'),
    },
    example: {
      topic: 'kikitori/press-3/transcript',
      bytes: 70_212,
      why: 'the broker takes at most 65536 bytes',
    },
  },
  'message-shortened': {
    meaning:
      'A retained message is sent shorter, for the broker does not take it all. Since 0.7.0.',
    always: { topic },
    example: { topic: 'kikitori/press-3/info' },
  },
  'message-left-out': {
    meaning: 'A retained message is not sent, for the broker does not take it. Since 0.7.0.',
    always: { topic },
    example: { topic: 'kikitori/press-3/info' },
  },
  'outbox-damaged': {
    meaning: 'The outbox was damaged; what was readable was kept.',
    always: { badLines: count('Lines that could not be read.') },
    example: { badLines: 1 },
  },
  wake: {
    meaning: 'The wake phrase was heard; a command may follow.',
    always: { score: number('How well the phrase fitted, 0 at best.', { maximum: 0 }) },
    example: { score: -0.41 },
  },
  'model-committed': {
    meaning: 'A new model bundle has passed its trial.',
    ...model,
    example: {
      ...deployment,
      installedVersion: '0.8.1',
      detail: 'refuses 4 % of 50 utterances, it was 5 % before',
    },
  },
  'model-rolled-back': {
    meaning: 'A new model bundle has not passed, and the one before hears again.',
    ...model,
    sometimes: { ...model.sometimes, reason: text('A code, see docs/updates.md.') },
    example: {
      ...deployment,
      installedVersion: '0.8.0',
      reason: 'refuses',
      detail: 'refuses 31 % of 50 utterances, it was 5 % before',
    },
  },
  'language-model-committed': {
    meaning: 'A new language model has passed its trial. Since 0.11.0.',
    ...languageModel,
    example: {
      ...languageDeployment,
      installedVersion: '1.0.0',
      detail: 'refuses 9 % of 50 utterances, it was 12 % before',
    },
  },
  'language-model-rolled-back': {
    meaning: 'A new language model has not passed, and the one before hears again. Since 0.11.0.',
    ...languageModel,
    sometimes: { ...languageModel.sometimes, reason: text('A code, see docs/updates.md.') },
    example: {
      ...languageDeployment,
      installedVersion: '',
      reason: 'refuses',
      detail: 'refuses 80 % of 50 utterances',
    },
  },
} as const satisfies Readonly<Record<string, PublishedEventEntry>>;

export type PublishedEvent = keyof typeof publishedEvents;

export const publishedEventEntries: readonly (readonly [string, PublishedEventEntry])[] =
  Object.entries(publishedEvents);

const base = (name: Schema) => ({ event: name, at: time('When.') });

/** Fields of all events; one that means something else in each has only its type here. */
function fieldsOfAll(): Fields {
  const all: Record<string, Schema> = {};
  for (const [, { always = {}, sometimes = {} }] of publishedEventEntries) {
    for (const [name, schema] of Object.entries({ ...always, ...sometimes })) {
      const other = all[name];
      all[name] =
        other === undefined || JSON.stringify(other) === JSON.stringify(schema)
          ? schema
          : { description: 'See definitions.', type: schema.type };
    }
  }
  return all;
}

/** Any event has a name and a time: readers must let new ones pass. One definition for each that there is now. */
export const eventSchema: Schema = {
  ...object(base(text('What happened; definitions holds one schema for each.')), fieldsOfAll()),
  definitions: Object.fromEntries(
    publishedEventEntries.map(([name, { meaning, always = {}, sometimes }]) => [
      name,
      object(
        { ...base({ description: 'What happened.', const: name }), ...always },
        sometimes,
        meaning,
      ),
    ]),
  ),
};

export const eventExample = (name: string, { example }: PublishedEventEntry) => ({
  event: name,
  at: '2026-03-02T06:14:09.120Z',
  ...example,
});
