import { brokerUrlOrNone, flag, topicLevel } from './formats.js';
import { brokerLogin } from './schema-broker-login.js';

/** An edge node of Sparkplug B; see docs/sparkplug.md. */
export const sparkplugSchema = {
  enabled: {
    doc: 'Also be an edge node of Sparkplug B, on a connection of its own; see docs/sparkplug.md.',
    format: flag,
    default: false,
  },
  group: {
    doc: 'The group of the edge node.',
    format: topicLevel,
    default: 'kikitori',
  },
  node: {
    doc: 'Its name. Two nodes with one group and name disturb each other without end. Empty: the device id.',
    format: topicLevel,
    default: '',
  },
  url: {
    doc: "Another broker than publish.mqtt's, for Sparkplug alone. Empty: the same one, in the same way. The keys below are for another one only.",
    format: brokerUrlOrNone,
    default: '',
  },
  ...brokerLogin,
} as const;
