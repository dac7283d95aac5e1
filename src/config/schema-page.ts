import { listenAddress, text } from './formats.js';

/** The page of the device; see docs/page.md. */
export const pageSchema = {
  listen: {
    doc: 'Where the page of this device is opened, like 127.0.0.1:8080; see docs/page.md. Other addresses than this machine (127.0.0.1, ::1) need page.tokenFile. Empty: off.',
    format: listenAddress,
    default: '',
  },
  tokenFile: {
    doc: 'File that holds the token which opens the page, 16 characters or more, or the name of a systemd credential. Empty: none, for this machine alone.',
    format: text,
    default: '',
    path: 'secret',
  },
} as const;
