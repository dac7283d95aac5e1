/** What an utterance becomes: transcript and intent, or a refusal; and what is heard before it is over. */
import type { RejectReason } from '../../records.js';
import {
  count,
  flag,
  list,
  map,
  number,
  object,
  oneOf,
  orNull,
  share,
  text,
  time,
} from './json-schema.js';

const slots = map('What the sentence filled in, by name.', {
  type: ['string', 'number', 'boolean'],
});

/** Said of those slots in which any words may be said. */
const openSlots = map(
  'Of the slots those in which any words may be said. Its words are those of the utterance between its times. Not there where no slot is such a one. Since 0.11.0.',
  object({
    confidence: share('Mean of its words; 0 where none were made out.'),
    startMs: number('From the beginning of the audio of the utterance, as of words.'),
    endMs: number('The same, of its end.'),
  }),
);

const words = list(
  'Its words.',
  object({
    word: text('As in the sentence.'),
    startMs: number(
      'From the beginning of the audio of the utterance; the first word begins at startedAt.',
    ),
    endMs: number('The same, of its end.'),
    confidence: share('That this word was said.'),
  }),
);

/** When it was said and what heard it. */
const circumstances = {
  confidence: share('Probability that the command is right; in mode dictation that it was speech.'),
  startedAt: time('First sound of it.'),
  endedAt: time('Last sound of it.'),
  durationMs: count('Between the two.'),
  latencyMs: count('From the last sound to the outbox.'),
  model: text('name@version of the bundle that heard it.'),
  grammar: text("First 12 digits of the grammar's sha256; in mode dictation the language model's."),
};

const transcript = {
  id: text('Unique for ever: drop a message whose id you have seen.', {
    pattern: '^[0-9a-f]{12}-[0-9]+$',
  }),
  boot: text('Of this run of the process.', { pattern: '^[0-9a-f]{12}$' }),
  seq: count('Counts the accepted utterances of a boot from 0; a gap is a loss.'),
  text: text('The sentence as it was said; in mode dictation what was said between two pauses.'),
  words,
  ...circumstances,
  replayed: flag(
    'true: it may be old or come a second time, because the broker was away or the process began anew. Think before you act on it.',
  ),
};

export const transcriptSchema = object(transcript);

export const intentSchema = object(
  {
    ...transcript,
    intent: text('Name of the intent, as in the topic.'),
    slots,
  },
  {
    said: map(
      'The words that gave each slot: 15 was said as "fifteen". Slots that belong to the whole sentence have none.',
      { type: 'string' },
    ),
    openSlots,
    confirm: {
      description: 'true: the grammar asks that whoever acts on it makes sure first. Absent: act.',
      const: true,
    },
  },
);

/** A record, for the compiler to miss one. */
const rejectReasons = Object.keys({
  'low-confidence': 0,
  ambiguous: 0,
  'not-a-command': 0,
  'too-long': 0,
  noise: 0,
} satisfies Record<RejectReason, 0>);

export const rejectedSchema = object(
  {
    reason: oneOf('Why nothing is done.', rejectReasons),
    best: object(
      {
        text: text('The nearest sentence; empty when nothing was like one.'),
        intent: orNull(text('Its intent.')),
        slots,
      },
      { openSlots },
      'What it was most like.',
    ),
    ...circumstances,
  },
  {
    second: object(
      { text: text('Its sentence.') },
      {},
      'With reason ambiguous: the other sentence that is nearly as likely, or likelier where it is no command. Since 0.3.0.',
    ),
  },
);

export const partialSchema = object({
  text: text(
    'The sentence so far, while it is being said; "..." stands for any words of an open slot, which are made out at the end. Not a command.',
  ),
});

const heard = {
  id: '5f2b9c01d7e4-12',
  boot: '5f2b9c01d7e4',
  seq: 12,
  text: 'stop the conveyor two',
  words: [
    { word: 'stop', startMs: 310, endMs: 640, confidence: 0.99 },
    { word: 'the', startMs: 640, endMs: 730, confidence: 0.97 },
    { word: 'conveyor', startMs: 730, endMs: 1270, confidence: 0.99 },
    { word: 'two', startMs: 1270, endMs: 1540, confidence: 0.98 },
  ],
};

const times = {
  confidence: 0.9871,
  startedAt: '2026-03-02T06:14:07.310Z',
  endedAt: '2026-03-02T06:14:08.540Z',
  durationMs: 1230,
  latencyMs: 420,
  model: 'kikitori-en@0.8.0',
  grammar: 'a41c09d2be77',
};

export const transcriptExample = { ...heard, ...times, replayed: false };

export const intentExample = {
  ...transcriptExample,
  intent: 'ConveyorStop',
  slots: { line: 2 },
  said: { line: 'two' },
};

export const rejectedExample = {
  reason: 'ambiguous',
  best: { text: 'stop the conveyor two', intent: 'ConveyorStop', slots: { line: 2 } },
  ...times,
  confidence: 0.5312,
  second: { text: 'stop the conveyor ten' },
};

export const partialExample = { text: 'stop the conveyor' };
