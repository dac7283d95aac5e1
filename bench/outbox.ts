/**
 * Cost of a durable transcript: time from `put` to safe on disk, one at a time, and how many a second
 * when many come at once.
 * usage: node dist/bench/outbox.js [--letters N] [--json]
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Outbox, type Letter } from '../src/publish/index.js';
import { systemClock } from '../src/runtime/clock.js';
import { numberArgument, quantile, report } from './lib/report.js';

const letters = numberArgument('letters', 200);
const folder = await mkdtemp(join(tmpdir(), 'kikitori-bench-'));
const outbox = await Outbox.open({
  dir: join(folder, 'outbox'),
  maxBytes: 50e6,
  maxAgeMs: 7 * 86_400_000,
  clock: systemClock,
  onDropped: () => undefined,
  onSetAside: () => undefined,
  onDisk: () => undefined,
  onReady: () => undefined,
});
const letter = (i: number): Letter => ({
  topic: 'kikitori/bench/transcript',
  payload: {
    id: `bench-${i}`,
    text: 'set the conveyor speed to seventy five percent',
    words: [],
    seq: i,
  },
});
const single: number[] = [];
for (let i = 0; i < letters; i++) {
  const began = performance.now();
  await outbox.put([letter(i)]);
  single.push(performance.now() - began);
}
const began = performance.now();
await Promise.all(Array.from({ length: letters }, (_, i) => outbox.put([letter(i)])));
const together = letters / ((performance.now() - began) / 1000);
await outbox.close();
await rm(folder, { recursive: true });
report(
  'outbox',
  [
    { name: 'one transcript safe, p50', unit: 'ms', values: [quantile(single, 0.5)] },
    { name: 'one transcript safe, p95', unit: 'ms', values: [quantile(single, 0.95)] },
    { name: 'many at once', unit: 'a second', values: [together] },
  ],
  { letters },
);
