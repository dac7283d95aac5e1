/** When buffers that nobody needs are collected, and that they are gone then. */
import t from 'tap';
import { BufferLimit } from '../../src/runtime/garbage.js';

void t.test('a collection comes when there is so much more than the least', async (t) => {
  let bytes = 100;
  let live = 100;
  let collections = 0;
  const limit = new BufferLimit(
    50,
    () => bytes,
    () => {
      collections++;
      bytes = live;
    },
  );
  const at = (now: number, expected: number, what: string) => {
    bytes = now;
    limit.check();
    t.equal(collections, expected, what);
  };
  at(100, 0, 'the first look');
  at(150, 0, 'at the limit');
  at(151, 1, 'above it');
  live = 300;
  at(300, 2, 'a larger model came');
  at(350, 2, 'what it takes is in use: counted from there');
  at(80, 2, 'it went');
  live = 80;
  at(131, 3, 'counted from what is left');
});

void t.test('what a program drops does not pile up', async (t) => {
  const limit = new BufferLimit();
  const atMost = { bytes: 0 };
  const { arrayBuffers: before } = process.memoryUsage();
  // Old garbage: what lived for a while is collected by full collections alone.
  const alive: Float32Array[] = [];
  for (let i = 0; i < 8_000; i++) {
    alive.push(new Float32Array(2000));
    if (alive.length > 100) alive.shift();
    limit.check();
    atMost.bytes = Math.max(atMost.bytes, process.memoryUsage().arrayBuffers - before);
  }
  t.ok(atMost.bytes < 24e6, `${(atMost.bytes / 1e6).toFixed(1)} MB of 64`);
});
