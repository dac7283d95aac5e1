// A process that does nothing but say numbered transcripts through the built publisher: to be killed, to run out
// of disk, to lose its broker. Prints one line for each that was accepted, and the publisher's log lines.
// Argument: JSON of { url, dir, first, count, everyMs }.
import { randomBytes } from 'node:crypto';
import { Publisher } from '../../dist/src/publish/index.js';
import { systemClock } from '../../dist/src/runtime/clock.js';
import { openLog } from '../../dist/src/runtime/log.js';

const options = JSON.parse(process.argv[2]);
process.on('SIGXFSZ', () => undefined); // the test's way to fill the disk: writes fail with EFBIG

const publisher = await Publisher.open({
  base: 'k',
  device: 'd',
  boot: randomBytes(6).toString('hex'),
  link: {
    url: options.url,
    protocolVersion: 4,
    clientId: 'd',
    secrets: () => ({}),
    rejectUnauthorized: true,
    keepaliveMs: 2000,
    connectTimeoutMs: 5000,
  },
  outbox: { dir: options.dir, maxBytes: 50_000_000, maxAgeMs: 86_400_000 },
  handlers: {},
  clock: systemClock,
  random: Math.random,
  log: openLog('info', {}),
});

for (let number = options.first; number < options.first + options.count; number++) {
  const heard = {
    accepted: true,
    text: `number ${number}`,
    intent: 'Count',
    slots: { number },
    confidence: 0.91,
    words: [],
    startSample: 0,
    endSample: 16000,
    startMs: 10,
    endMs: 900,
    evidence: {},
  };
  const now = Date.now();
  const context = {
    startedAtMs: now - 900,
    endedAtMs: now,
    latencyMs: 0,
    model: 'm',
    grammar: 'g',
  };
  await publisher.heard(heard, context);
  process.stdout.write(`accepted ${number}\n`);
  await new Promise((resolve) => setTimeout(resolve, options.everyMs));
}
setTimeout(() => undefined, 1 << 30); // stays until it is ended
