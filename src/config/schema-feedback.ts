import { duration, flag, numberBetween, text } from './formats.js';

/** Whoever spoke is told what became of it; see docs/feedback.md. */
export const feedbackSchema = {
  sounds: {
    doc: 'Short sounds through aplay. answers: accepted and refused. all: also when it begins to listen, after the wake phrase or a listen request; what is said during a sound is not heard.',
    format: ['off', 'answers', 'all'],
    default: 'off',
  },
  device: {
    doc: 'The loudspeaker by name, from `aplay -L`, like plughw:CARD=Device. Empty: the default one.',
    format: text,
    default: '',
  },
  volumeDb: {
    doc: 'Loudness of the sounds; 0 is the loudest.',
    format: numberBetween(-60, 0),
    default: -12,
  },
  tailMs: {
    doc: 'The microphone is not heard during a sound and for so long after it: the echo of the room, and what the sound card still plays.',
    format: duration(0, 3000),
    default: 250,
  },
  led: {
    doc: 'A light by its name under /sys/class/leds. On: it hears. Long: accepted. Three times: refused. Empty: none.',
    format: text,
    default: '',
  },
  program: {
    doc: 'A program of your own, started without a shell, with the event as JSON on its standard input. Empty: none.',
    format: text,
    default: '',
    path: true,
  },
  programTimeoutMs: {
    doc: 'The program is ended after this, with what it started.',
    format: duration(100, 60_000),
    default: 5000,
  },
  programSounds: {
    doc: 'The program plays something: the microphone is not heard while it runs.',
    format: flag,
    default: false,
  },
} as const;
