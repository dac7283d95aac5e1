/** What a device says of itself, retained: state, info, health. */
import type { MicState } from '../../records.js';
import {
  atLeast0,
  count,
  flag,
  list,
  map,
  object,
  oneOf,
  sha256,
  share,
  text,
} from './json-schema.js';

/** A record, for the compiler to miss one. */
const micStates = Object.keys({ up: 0, silent: 0, lost: 0, none: 0 } satisfies Record<MicState, 0>);

export const stateSchema = object({
  state: oneOf('Whether the device has a connection to this broker.', ['online', 'offline']),
});

export const infoSchema = object(
  {
    version: text('Of kikitori.'),
    model: object(
      {
        name: text('Of the bundle.'),
        version: text('Semantic version of the bundle.'),
        sha256: sha256('Of the bundle.'),
      },
      {},
      'The bundle that hears.',
    ),
    grammar: object(
      {
        sha256: sha256('Of the file of sentences and the words.'),
        sentences: atLeast0('How many sentences may be said.'),
      },
      {},
      'The sentences that are heard.',
    ),
    thresholds: object(
      {
        minConfidence: share('Commands below this probability are refused.'),
        minCertainty: share(
          'Commands below this probability that no other one was meant are refused.',
        ),
      },
      {},
      "In force now: from the configuration, from request/options, or the model's own. Since 0.8.0.",
    ),
    config: {
      description: 'The configuration in force; secrets are files, and only their names are here.',
      type: 'object',
    },
  },
  {
    languageModel: object(
      {
        sha256: sha256('Of its file.'),
        words: count('How many words may be said.'),
      },
      {
        name: text('Of its bundle; absent: it is a file alone.'),
        version: text('Semantic version of it.'),
      },
      'What any words are heard with: in open slots of commands and in mode dictation. Not there where none are heard. Since 0.11.0.',
    ),
    shortened: flag(
      'true: the broker does not take the whole of it; config is empty. Since 0.7.0.',
    ),
  },
);

export const healthSchema = object(
  {
    mic: oneOf(
      'up: audio comes. silent: only digital silence comes. lost: nothing comes, it is being opened again. none: the device is to have no microphone.',
      micStates,
    ),
    muted: flag('A mute request is in force.'),
    rtf: atLeast0('Processing time over audio time, smoothed.'),
    rssMb: atLeast0('Memory of the process, MB.'),
    queued: count('Messages in the outbox that no broker has acknowledged.'),
    published: count('Messages acknowledged since the start.'),
    dropped: count('Messages dropped since the start: by a limit of the outbox, or damaged.'),
    latencyMs: atLeast0('From the end of speech to the outbox, of the newest utterance.'),
    uptimeS: count('Since the start of the process.'),
    clockSynced: flag(
      'false: times in messages may be wrong, the board has not got the time from the network.',
    ),
  },
  {
    accepted: count('Commands accepted since the start.'),
    rejected: count('Utterances refused since the start.'),
    confidence: share('Mean of the accepted commands since the start; not there before the first.'),
    setAside: count(
      'Messages that no broker took, kept in outbox/set-aside.log on the device. Since 0.7.0.',
    ),
    brokerLacks: list(
      'What the broker does not offer though the configuration asks for it; not there when it lacks nothing. Since 0.7.0.',
      { type: 'string', enum: ['no-retain', 'no-qos-1'] },
    ),
    brokerRefuses: list(
      'Topics of this device that the broker does not let it write, or read (request); MQTT 5 alone says so. transcript, intent and event wait in the outbox; not there when it refuses none. Since 0.10.0.',
      { type: 'string' },
    ),
    reduced: map(
      'Retained topics that the broker does not take as they are; not there when it takes all. Since 0.7.0.',
      { type: 'string', enum: ['shortened', 'left-out'] },
    ),
    audioLostMs: count(
      'Audio that was not heard since the start, as the processor was too slow or others had it. Since 0.10.0.',
    ),
    logDropped: count(
      'Lines of the log that could not be written since the start: a full disk, or a reader that is gone. Since 0.7.0.',
    ),
  },
);

export const stateExample = { state: 'online' };

export const infoExample = {
  version: '0.7.0',
  model: {
    name: 'kikitori-en',
    version: '0.8.0',
    sha256: '9b0ce1f41d1c7a4ad0e7a9a6f0e2f5a3c1d7be94b1f80c5a7e2d3f6a8b9c0d1e',
  },
  grammar: {
    sha256: 'a41c09d2be771f0b6c8e5d4a3b2918f7e6d5c4b3a2918070f6e5d4c3b2a19080',
    sentences: 4,
  },
  thresholds: { minConfidence: 0.5, minCertainty: 0.8 },
  config: { device: { id: 'press-3' }, publish: { base: 'kikitori' } },
};

export const healthExample = {
  mic: 'up',
  muted: false,
  rtf: 0.0812,
  rssMb: 141,
  queued: 0,
  published: 26,
  dropped: 0,
  latencyMs: 420,
  uptimeS: 86_460,
  clockSynced: true,
  accepted: 13,
  rejected: 2,
  confidence: 0.974,
  setAside: 0,
  audioLostMs: 0,
  logDropped: 0,
};
