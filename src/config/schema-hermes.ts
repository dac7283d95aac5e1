import { duration, flag, topicLevel } from './formats.js';

/** Rhasspy's protocol; see docs/hermes.md. */
export const hermesSchema = {
  enabled: {
    doc: "Also tell conversations in Rhasspy's Hermes protocol; see docs/hermes.md.",
    format: flag,
    default: false,
  },
  siteId: {
    doc: 'The site of this board. Empty: the device id.',
    format: topicLevel,
    default: '',
  },
  sessionMs: {
    doc: 'A session that nobody ends is over after this.',
    format: duration(1000, 600_000),
    default: 30_000,
  },
} as const;
