import { flag, integerBetween, listenAddress } from './formats.js';

/** The service for Home Assistant's Assist; see docs/wyoming.md. */
export const wyomingSchema = {
  listen: {
    doc: 'Where the Wyoming service for Home Assistant Assist listens, like 0.0.0.0:10300; see docs/wyoming.md. The protocol has no password and no encryption: whoever reaches the port may use it. Empty: off.',
    format: listenAddress,
    default: '',
  },
  clients: {
    doc: 'Streams that are heard at once; one more is told that all are taken. The microphone of this device always comes first.',
    format: integerBetween(1, 32),
    default: 4,
  },
  announce: {
    doc: 'Tell the network of it by mDNS, so that Home Assistant finds it. Never on a loopback address.',
    format: flag,
    default: true,
  },
} as const;
