/** Hermes messages of what was heard, as Rhasspy 2.5 writes them. */
import type { Heard, SlotValue } from '../../records.js';

/** The same level as in this device's own topics. */
export const levelOf = (name: string) => name.replace(/[^\w.-]/g, '_');

export interface Session {
  readonly sessionId: string;
  readonly siteId: string;
}

export function textCaptured(heard: Heard, session: Session, seconds: number) {
  return { text: heard.text, likelihood: rounded(heard.confidence), seconds, ...session };
}

export function intentMessage(heard: Heard, session: Session, id: string) {
  const { text, slots, said = {} } = heard;
  return {
    input: text,
    intent: { intentName: heard.intent, confidenceScore: rounded(heard.confidence) },
    slots: Object.entries(slots).map(([name, value]) => slotOf(name, value, said[name], heard)),
    ...{ id, rawInput: text, asrConfidence: rounded(heard.confidence), customData: null },
    ...session,
  };
}

/** A slot that belongs to the whole sentence was not said: its value stands for the words, and it has no range. */
function slotOf(name: string, value: SlotValue, said: string | undefined, heard: Heard) {
  const start = said === undefined ? -1 : heard.text.indexOf(said);
  return {
    entity: name,
    slotName: name,
    rawValue: said ?? String(value),
    confidence: rounded(heard.openSlots?.[name]?.confidence ?? heard.confidence),
    value: { kind: typeof value === 'number' ? 'Number' : 'Custom', value },
    ...(start < 0 ? {} : { range: { start, end: start + (said ?? '').length } }),
  };
}

const rounded = (value: number) => Number(value.toFixed(4));
