import { ReasonCodes } from 'mqtt';

/** Reasons of MQTT 5 (section 2.4) that decide what is done. */
export const reason = {
  unsupportedVersion: 0x84,
  notAuthorized: 0x87,
  takenOver: 0x8e,
  topicNameInvalid: 0x90,
  packetTooLarge: 0x95,
  payloadFormatInvalid: 0x99,
  retainNotSupported: 0x9a,
  qosNotSupported: 0x9b,
} as const;

/** Said of the connection, the client or the broker: no single message brought these about. */
const notAboutMessage: ReadonlySet<number> = new Set([
  0x84, 0x85, 0x86, 0x88, 0x89, 0x8a, 0x8b, 0x8c, 0x8d, 0x8e, 0x8f, 0x93, 0x96, 0x98, 0x9c, 0x9d,
  0x9e, 0x9f, 0xa0, 0xa1, 0xa2,
]);

/** Said of the one message that was under way: nothing is left to be guessed. */
const certain: ReadonlySet<number> = new Set([
  reason.topicNameInvalid,
  reason.packetTooLarge,
  reason.payloadFormatInvalid,
]);

/** Whether a message may have made the broker end the connection; null: it gave no reason. */
export const mayBeAboutMessage = (code: number | null): boolean =>
  code === null || !notAboutMessage.has(code);

export const isCertain = (code: number | null): boolean => code !== null && certain.has(code);

/** "Packet too large (0x95)", with what the broker adds in its own words. */
export function reasonText(code: number, words = ''): string {
  const names = ReasonCodes as Readonly<Record<number, string>>;
  const name = code === 0 ? 'Normal disconnection' : (names[code] ?? 'unknown reason');
  const more = words === '' ? '' : `: ${printable(words)}`;
  return `${name} (0x${code.toString(16).padStart(2, '0')})${more}`;
}

const wordsMax = 200;

/** What a broker says goes into logs: no control characters, no end of it. */
function printable(text: string): string {
  return text.replace(/\p{C}/gu, ' ').slice(0, wordsMax);
}
