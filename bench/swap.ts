/** Resident memory over many changes of the model in one process, as the daemon does them. */
import { join } from 'node:path';
import { Ear, type Ready } from '../src/ear.js';
import { Engine } from '../src/engine.js';
import { defaultGrammarPath, defaultModelPath } from '../src/runtime/paths.js';

const changes = Number(process.argv[2] ?? 50);
const modelPath = process.argv[3] ?? defaultModelPath;
const warmUp = 3;

async function ready(): Promise<Ready> {
  const engine = await Engine.open({ modelPath, grammarPath: join(defaultGrammarPath) });
  return { engine, grammar: await engine.compile() };
}

/** With --expose-gc garbage that waits for its collection is not counted: twice, buffers are freed behind. */
async function rssMb(): Promise<number> {
  for (let i = 0; i < 3; i++) {
    (globalThis as { gc?: () => void }).gc?.();
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
let begin = 0;
let longestMs = 0;
for (let i = 0; i < warmUp + changes; i++) {
  if (i === warmUp) begin = await rssMb();
  await second();
  const opened = performance.now();
  ear.replace(await ready());
  longestMs = Math.max(longestMs, i < warmUp ? 0 : performance.now() - opened);
  await ear.stop();
  await ear.settle();
  await Promise.all(closing.splice(0));
}
await second();
const after = await rssMb();
const grown = after - begin;
process.stdout.write(
  `${changes} changes: ${begin.toFixed(1)} MB -> ${after.toFixed(1)} MB, ${grown.toFixed(1)} MB more; opening took up to ${longestMs.toFixed(0)} ms\n`,
);
