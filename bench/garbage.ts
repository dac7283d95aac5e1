/**
 * Who makes garbage: bytes of JavaScript objects that are made for a second of audio, by function, and how often V8 collects
 * them. The recogniser alone, in this process, as `bench/path.js --hot`; V8's sampling profiler, an object in each kilobyte.
 * usage: node dist/bench/garbage.js [--rounds N] [--functions N] [--json]
 */
import { Session, type HeapProfiler } from 'node:inspector/promises';
import { basename, join } from 'node:path';
import { PerformanceObserver } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { chunkMs } from '../src/audio/index.js';
import { Engine } from '../src/engine/engine.js';
import { Listener } from '../src/recognizer/index.js';
import { keepSmall } from '../src/runtime/v8-flags.js';
import { demoStream, rateHz } from './lib/demo.js';
import { numberArgument, report, type Row } from './lib/report.js';

// As bin/kikitori.js does for the daemon.
keepSmall();
const root = fileURLToPath(new URL('../../', import.meta.url));
const rounds = numberArgument('rounds', 4);
const shown = numberArgument('functions', 15);
const samplingInterval = 1024;
const chunkSamples = (chunkMs * rateHz) / 1000;

const audio = await demoStream(root);
const engine = await Engine.open({
  modelPath: join(root, 'models/kikitori-en'),
  grammarPath: join(root, 'config/sentences.yaml'),
});
const grammar = await engine.compile();

async function hear(): Promise<void> {
  const listener = new Listener(engine.recognizer(grammar));
  const frontend = engine.frontend();
  for (let at = 0; at < audio.length; at += chunkSamples)
    await listener.feed(frontend.feed(audio.subarray(at, at + chunkSamples)));
}

/** Bytes by function, inlined ones counted where they are inlined. */
function byFunction(head: HeapProfiler.SamplingHeapProfileNode): Map<string, number> {
  const bytes = new Map<string, number>();
  const visit = ({ callFrame, selfSize, children }: HeapProfiler.SamplingHeapProfileNode) => {
    const { functionName, url, lineNumber } = callFrame;
    const where = url === '' ? 'V8' : `${basename(url)}:${lineNumber + 1}`;
    const name = `${functionName || '(anonymous)'} ${where}`;
    bytes.set(name, (bytes.get(name) ?? 0) + selfSize);
    children.forEach(visit);
  };
  visit(head);
  return bytes;
}

for (let round = 0; round < rounds; round++) await hear(); // warms up
let collections = 0;
const observer = new PerformanceObserver((list) => (collections += list.getEntries().length));
observer.observe({ entryTypes: ['gc'] });
for (let round = 0; round < rounds; round++) await hear();
await sleep(10); // what was observed is told behind
observer.disconnect();

const session = new Session();
session.connect();
await session.post('HeapProfiler.enable');
await session.post('HeapProfiler.startSampling', {
  samplingInterval,
  includeObjectsCollectedByMajorGC: true,
  includeObjectsCollectedByMinorGC: true,
});
for (let round = 0; round < rounds; round++) await hear();
const { profile } = await session.post('HeapProfiler.stopSampling');
session.disconnect();

const seconds = (rounds * audio.length) / rateHz;
const bytes = byFunction(profile.head);
const total = [...bytes.values()].reduce((sum, value) => sum + value, 0);
const kb = (name: string, value: number): Row => ({
  name,
  unit: 'kB a second of audio',
  values: [value / 1000 / seconds],
});
report(
  'garbage',
  [
    { name: 'collections', unit: 'a second of audio', values: [collections / seconds] },
    kb('objects, all', total),
    ...[...bytes]
      .sort(([, a], [, b]) => b - a)
      .slice(0, shown)
      .map(([name, value]) => kb(`  ${name}`, value)),
  ],
  { rounds },
);
