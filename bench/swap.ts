/**
 * Resident memory over many changes of the model in one process, as the daemon does them but without its
 * other parts; test/update/memory.test.ts has the whole daemon. Run it with the environment of
 * systemd/kikitori.service.
 * usage: node dist/bench/swap.js [CHANGES] [MODEL]
 */
import { Ear, type Ready } from '../src/agent/ear.js';
import { Engine } from '../src/engine/engine.js';
import { collectGarbage } from '../src/runtime/garbage.js';
import { keepSmall } from '../src/runtime/v8-flags.js';
import { defaultGrammarPath, defaultModelPath } from '../src/runtime/paths.js';

// As bin/kikitori.js does for the daemon.
keepSmall();
const changes = Number(process.argv[2] ?? 50);
const modelPath = process.argv[3] ?? defaultModelPath;
const warmUp = 5;

async function ready(): Promise<Ready> {
  const engine = await Engine.open({ modelPath, grammarPath: defaultGrammarPath });
  return { engine, grammar: await engine.compile() };
}

/** Twice: buffers are freed behind. */
async function rssMb(): Promise<number> {
  for (let i = 0; i < 2; i++) {
    collectGarbage();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return process.memoryUsage.rss() / 1e6;
}
const closing: Promise<void>[] = [];
const ear = new Ear(
  await ready(),
  () => ({}),
  'always',
  (old) => void closing.push(old.engine.close()),
);
let sample = 0;
const second = async () => {
  const samples = Float32Array.from({ length: 16_000 }, (_, i) => 0.1 * Math.sin(i * i * 1e-4));
  await ear.feed({ samples, firstSample: sample, receivedAtMs: 0, gapBefore: false });
  sample += samples.length;
};
await second();
const first = await rssMb();
let warm = NaN;
let longestMs = 0;
for (let n = 1; n <= changes; n++) {
  await second();
  const opened = performance.now();
  ear.replace(await ready());
  longestMs = Math.max(longestMs, n <= warmUp ? 0 : performance.now() - opened);
  await ear.stop();
  await ear.settle();
  await Promise.all(closing.splice(0));
  if (n === warmUp) warm = await rssMb();
}
await second();
const after = await rssMb();
const mb = (value: number) => `${value.toFixed(1)} MB`;
process.stdout.write(
  `${changes} changes: ${mb(first)} before the first, ${mb(warm)} after ${warmUp}, ${mb(after)} at the end: ` +
    `${mb(after - first)} more since the first, ${mb(after - warm)} since number ${warmUp}; ` +
    `opening took up to ${longestMs.toFixed(0)} ms\n`,
);
