/**
 * Cost of the whole path, from samples to a phrase on MQTT.
 *   hot     everything in one process as fast as it goes: CPU time relative to the audio's length
 *   paced   the daemon itself, a stand-in recorder at the pace of real time, a broker, a subscriber
 * usage: node dist/bench/path.js [--repeat N] [--utterances N] [--hot] [--json]
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { demoStream, rateHz } from './lib/demo.js';
import { chunkMs } from '../src/audio/index.js';
import { Engine } from '../src/engine/engine.js';
import { Listener, TokenSearch } from '../src/recognizer/index.js';
import { cpuMsOf, numberArgument, report, type Row } from './lib/report.js';
import { paced } from './lib/paced.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const chunkSamples = (chunkMs * rateHz) / 1000;

async function hot(repeat: number): Promise<Row[]> {
  const audio = await demoStream(root);
  const seconds = audio.length / rateHz;
  const engine = await Engine.open({
    modelPath: join(root, 'models/kikitori-en'),
    grammarPath: join(root, 'config/sentences.yaml'),
  });
  const grammar = await engine.compile();
  const share: Record<string, number[]> = { whole: [], frontend: [], network: [], search: [] };
  const put = (name: string, cpuMs: number) => share[name]?.push(cpuMs / 1000 / seconds);
  let phrases = 0;
  for (let round = 0; round <= repeat; round++) {
    const listener = new Listener(engine.recognizer(grammar));
    const frontend = engine.frontend();
    phrases = 0;
    const whole = await cpuMsOf(async () => {
      for (let at = 0; at < audio.length; at += chunkSamples) {
        const steps = frontend.feed(audio.subarray(at, at + chunkSamples));
        for (const e of await listener.feed(steps)) if (e.type === 'heard') phrases++;
      }
    });
    const alone = engine.frontend();
    const rows: Float32Array[] = [];
    const front = await cpuMsOf(async () => {
      for (let at = 0; at < audio.length; at += chunkSamples)
        rows.push(alone.feed(audio.subarray(at, at + chunkSamples)).data);
    });
    const scores: Float32Array[] = [];
    const network = await cpuMsOf(async () => {
      const stream = engine.acoustic.begin();
      for (const part of rows) scores.push((await stream.feed(part)).data);
    });
    const search = await cpuMsOf(async () => {
      const tokens = new TokenSearch(grammar.graph);
      for (const part of scores)
        for (let at = 0; at < part.length; at += engine.acoustic.units) tokens.feed(part, at);
    });
    if (round === 0) continue; // warms up
    put('whole', whole);
    put('frontend', front);
    put('network', network);
    put('search', search);
  }
  const row = (key: string, name: string, aim?: string): Row => ({
    name,
    unit: 'of real time',
    values: share[key] ?? [],
    ...(aim === undefined ? {} : { aim }),
  });
  process.stderr.write(`${phrases} phrases in ${seconds.toFixed(1)} s of audio\n`);
  return [
    row('whole', 'hot, samples to phrase', '0.02'),
    row('frontend', '  frontend alone'),
    row('network', '  network alone, never paused'),
    row('search', '  search alone, over all audio'),
  ];
}

const utterances = numberArgument('utterances', 100);
const rows = await hot(numberArgument('repeat', 5));
if (!process.argv.includes('--hot')) rows.push(...(await paced(root, utterances)));
report('path', rows, { utterances });
