import type { Outbox } from '../../src/publish/index.js';

export const letter = (i: number, size = 10) => ({
  topic: 'k/d/transcript',
  payload: { i, text: 'x'.repeat(size) },
});

/** What would be sent, in order. */
export async function contents(outbox: Outbox): Promise<number[]> {
  const out: number[] = [];
  for (const { number } of outbox.from(0)) {
    const read = await outbox.read(number);
    out.push(Number(read?.payload['i'] ?? -1));
  }
  return out;
}

export const numbers = (outbox: Outbox) => [...outbox.from(0)].map(({ number }) => number);
