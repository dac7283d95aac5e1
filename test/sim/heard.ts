/** What a recogniser would hand over, made up. */
import type { Heard } from '../../src/records.js';

export function heardNumber(number: number, accepted = true): Heard {
  return {
    accepted,
    ...(accepted ? {} : { reason: 'not-a-command' as const }),
    text: `number ${number}`,
    intent: 'Count',
    slots: { number },
    confidence: 0.91,
    words: [{ word: 'number', startMs: 10, endMs: 300, confidence: 0.9 }],
    startSample: 0,
    endSample: 16000,
    startMs: 10,
    endMs: 900,
    evidence: {},
  };
}

export const anyContext = () => ({
  startedAtMs: Date.UTC(2026, 0, 1),
  endedAtMs: Date.UTC(2026, 0, 1) + 900,
  latencyMs: 120,
  model: 'tiny@1.0.0',
  grammar: '0123456789ab',
});
