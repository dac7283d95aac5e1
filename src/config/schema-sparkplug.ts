import { brokerUrlOrNone, flag, text, topicLevel } from './formats.js';

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
  username: { doc: 'Empty: none.', format: text, default: '', secret: true },
  passwordFile: {
    doc: 'File that holds the password, or the name of a systemd credential. Empty: none.',
    format: text,
    default: '',
    path: 'secret',
  },
  caFile: {
    doc: "Certificate of the authority that signed the broker's. Empty: the system's.",
    format: text,
    default: '',
    path: 'secret',
  },
  certFile: {
    doc: 'Client certificate. Empty: none.',
    format: text,
    default: '',
    path: 'secret',
  },
  keyFile: {
    doc: 'Key of the client certificate. Empty: none.',
    format: text,
    default: '',
    path: 'secret',
  },
} as const;
