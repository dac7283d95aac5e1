import { text } from './formats.js';

/** How this device proves to a broker who it is, wherever one is named. */
export const brokerLogin = {
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
    doc: 'Key of the client certificate, a file or a systemd credential. Empty: none.',
    format: text,
    default: '',
    path: 'secret',
  },
} as const;
