import { numberOrNull, text } from './formats.js';

/** Of `recognizer`: what free words are listened for, and when. */
export const dictationSchema = {
  languageModelPath: {
    doc: 'The language model, a file of `kikitori lm build` or a bundle of `kikitori lm pack`: for any words in open slots of commands, and for mode dictation, where update.language.channel may bring another. Empty: none.',
    format: text,
    default: '',
    path: true,
  },
  boostPath: {
    doc: 'Own terms of free words, a line each, and how many times as likely each is: "conveyor: 20". Empty: none.',
    format: text,
    default: '',
    path: true,
  },
  languageWeight: {
    doc: 'Free words: how much the language model says against what is heard; `kikitori lm tune` fits it. null: 0.9.',
    format: numberOrNull(0.1, 3),
    default: null,
  },
  wordInsertion: {
    doc: 'Free words: what each word is worth in nats, higher for more and shorter words; `kikitori lm tune` fits it. null: -2.',
    format: numberOrNull(-10, 10),
    default: null,
  },
  dictation: {
    doc: 'Mode dictation: always: all that is said is written down. push-to-talk: only what is said after a listen request.',
    format: ['always', 'push-to-talk'],
    default: 'always',
  },
} as const;
