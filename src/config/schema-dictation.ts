import { text } from './formats.js';

/** Of `recognizer`: what is listened for in mode dictation. */
export const dictationSchema = {
  languageModelPath: {
    doc: 'Mode dictation: the language model, a file of `kikitori lm`.',
    format: text,
    default: '',
    path: true,
  },
  boostPath: {
    doc: 'Mode dictation: own terms, a line each, and how many times as likely each is: "conveyor: 20". Empty: none.',
    format: text,
    default: '',
    path: true,
  },
} as const;
