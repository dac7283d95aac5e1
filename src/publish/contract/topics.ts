/**
 * Every topic: who publishes what and when, and what a reader may rely on. docs/mqtt is made of it, and tests hold the daemon
 * to it. The daemon itself never loads it.
 */
import { topicsOf, type Topics } from '../payloads.js';
import * as device from './device.js';
import { eventExample, eventSchema, publishedEventEntries, publishedEvents } from './events.js';
import type { Schema } from './json-schema.js';
import { requests, requestSchema, responseExample, responseSchema } from './requests.js';
import { languageExample, languageSchema, updateExample, updateSchema } from './update.js';
import * as utterance from './utterance.js';

type Payload = Readonly<Record<string, unknown>>;

export interface TopicContract {
  /** Also the file of its schema, docs/mqtt/NAME.json. */
  readonly name: string;
  /** With what stands for the parts of it. */
  readonly topic: string;
  /** Who publishes. */
  readonly from: 'device' | 'you';
  /** null: as the sender likes. */
  readonly qos: 0 | 1 | null;
  readonly retained: boolean;
  readonly when: string;
  /** Beyond what holds for every topic. */
  readonly rely: string;
  readonly schema: Schema;
  /** Has all the fields of that one too. */
  readonly extends?: string;
  readonly example: { readonly topic: string; readonly payload: Payload };
  readonly moreExamples?: readonly Payload[];
}

export const exampleBase = 'kikitori';
export const exampleDevice = 'press-3';

const general = topicsOf('<base>', '<device>');
const example = topicsOf(exampleBase, exampleDevice);
/** A pattern is the same as a topic with a name in it. */
const requestOf = (topics: Topics, name: string) => topics.requests.replace(/\+$/, name);
/** `topicsOf` keeps a name from spoiling a topic, also this one. */
const placeholder = (topic: string) => topic.replace(/_name_$/, '<name>');

type Told = Pick<TopicContract, 'from' | 'qos' | 'retained'>;
const state: Told = { from: 'device', qos: 1, retained: true };
const sure: Told = { from: 'device', qos: 1, retained: false };
const fleeting: Told = { from: 'device', qos: 0, retained: false };

export const topicContracts: readonly TopicContract[] = [
  {
    name: 'state',
    topic: general.state,
    ...state,
    when: 'online after every connection; offline before a clean end, and from the broker (last will) when the device vanishes',
    rely: 'It is about this broker and this moment. A device that is offline may still hear; what it heard comes later. A request that is sent before `online` comes may reach nobody: MQTT keeps it for no one.',
    schema: device.stateSchema,
    example: { topic: example.state, payload: device.stateExample },
  },
  {
    name: 'info',
    topic: general.info,
    ...state,
    when: 'after every connection, and when model, grammar or configuration change',
    rely: 'The keys in `config` are those of [configuration.md](../configuration.md) of that version, and may change with it.',
    schema: device.infoSchema,
    example: { topic: example.info, payload: device.infoExample },
  },
  {
    name: 'health',
    topic: general.health,
    ...state,
    when: 'after every connection, each `publish.healthMs`, and when the microphone changes',
    rely: '`published`, `dropped`, `accepted`, `rejected`, `audioLostMs` and `logDropped` begin at 0 with the process and only grow.',
    schema: device.healthSchema,
    example: { topic: example.health, payload: device.healthExample },
  },
  {
    name: 'transcript',
    topic: general.transcript,
    ...sure,
    when: 'an utterance was accepted as a command',
    rely: 'At least once, in order. The same `id` is the same utterance, also in `intent`.',
    schema: utterance.transcriptSchema,
    example: { topic: example.transcript, payload: utterance.transcriptExample },
  },
  {
    name: 'intent',
    topic: placeholder(general.intent('<name>')),
    ...sure,
    when: 'the same utterance, with intent and slots; subscribe to the intents you act on',
    rely: 'At least once, in order, after its transcript. In the topic every character of the name but letters, digits, `_`, `.` and `-` is `_`; `intent` has it as it is.',
    schema: utterance.intentSchema,
    extends: 'transcript',
    example: { topic: example.intent('ConveyorStop'), payload: utterance.intentExample },
  },
  {
    name: 'rejected',
    topic: general.rejected,
    ...fleeting,
    when: 'an utterance was refused; only while there is a broker',
    rely: 'Nothing was done and nothing is to be done. It may be lost. A reason you do not know is one more why not.',
    schema: utterance.rejectedSchema,
    example: { topic: example.rejected, payload: utterance.rejectedExample },
  },
  {
    name: 'partial',
    topic: general.partial,
    ...fleeting,
    when: 'what is heard so far, with `publish.partials`',
    rely: 'For display only. It may be lost, and what follows may be refused.',
    schema: utterance.partialSchema,
    example: { topic: example.partial, payload: utterance.partialExample },
  },
  {
    name: 'event',
    topic: general.event,
    ...sure,
    when: 'something that an operator may want to know',
    rely: 'At least once, in order. New events come with new versions: let pass what you do not know.',
    schema: eventSchema,
    example: {
      topic: example.event,
      payload: eventExample('mic-lost', publishedEvents['mic-lost']),
    },
    moreExamples: publishedEventEntries
      .filter(([name]) => name !== 'mic-lost')
      .map(([name, entry]) => eventExample(name, entry)),
  },
  {
    name: 'update',
    topic: general.update,
    ...state,
    when: 'the state of model updates, after every connection and when it changes',
    rely: '`reason` is there where a bundle is not used. New reasons come with new versions: go by `state`.',
    schema: updateSchema,
    example: { topic: example.update, payload: updateExample },
  },
  {
    name: 'language',
    topic: general.language,
    ...state,
    when: 'the state of updates of the language model, where `update.language.channel` is set; as `update`. Since 0.11.0',
    rely: 'As for `update`.',
    schema: languageSchema,
    example: { topic: example.language, payload: languageExample },
  },
  {
    name: 'request',
    topic: requestOf(general, '<name>'),
    from: 'you',
    qos: null,
    retained: false,
    when: 'you want something of the device',
    rely: 'Fields that a device does not know are ignored. A retained request is ignored. An empty payload is the same as `{}`.',
    schema: requestSchema,
    example: {
      topic: requestOf(example, 'mute'),
      payload: { ...requests.mute.example, transaction: 7 },
    },
  },
  {
    name: 'response',
    topic: general.response('<name>'),
    ...sure,
    when: 'the answer to a request, within 30 s',
    rely: 'It is sent once and not kept: without a broker it is lost. `error` is for people, its words may change.',
    schema: responseSchema,
    example: { topic: example.response('mute'), payload: responseExample(7, requests.mute) },
  },
];

/** As it stands in docs/mqtt/NAME.json. */
export function schemaFile({ name, topic, schema, example, moreExamples = [] }: TopicContract) {
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    $id: `urn:kikitori:mqtt:${name}`,
    title: topic,
    ...schema,
    examples: [example.payload, ...moreExamples],
  };
}
