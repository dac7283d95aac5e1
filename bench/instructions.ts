/**
 * What the whole path does, in parts with a mark before each, for a counter of instructions outside of this process
 * (scripts/arm-test, bench/lib/count-instructions.c). Run alone it shows that it works, and counts nothing.
 *   instructions.js [--repeat N]
 * Prints one line of JSON: the audio's length, and what lies between each mark and the next.
 */
import { getPriority } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { demoStream, rateHz, roomNoise } from './lib/demo.js';
import { numberArgument } from './lib/report.js';
import { chunkMs } from '../src/audio/index.js';
import { Engine } from '../src/engine/engine.js';
import { Listener, TokenSearch } from '../src/recognizer/index.js';

/** No process has such a number: the counter sees the question and the system says no. */
const firstMark = 0x4b000000;
const root = fileURLToPath(new URL('../../', import.meta.url));
const chunkSamples = (chunkMs * rateHz) / 1000;
const quietS = 5;
/** Commands and one that is none. More would not be other, and an emulated processor is slow. */
const sentences = 5;

const parts: { readonly name: string; readonly audioS: number }[] = [];
/** From here on it is this. */
function begin(name: string, audioSamples = 0): void {
  try {
    getPriority(firstMark + parts.length);
  } catch {
    // No such process.
  }
  parts.push({ name, audioS: audioSamples / rateHz });
}

begin('read the audio');
const audio = await demoStream(root, sentences);
const quiet = Float32Array.from({ length: quietS * rateHz }, roomNoise());
begin('open the model');
const engine = await Engine.open({
  modelPath: join(root, 'models/kikitori-en'),
  grammarPath: join(root, 'config/sentences.yaml'),
});
begin('compile the grammar');
const grammar = await engine.compile();

async function hear(samples: Float32Array): Promise<number> {
  const listener = new Listener(engine.recognizer(grammar));
  const frontend = engine.frontend();
  let phrases = 0;
  for (let at = 0; at < samples.length; at += chunkSamples) {
    const steps = frontend.feed(samples.subarray(at, at + chunkSamples));
    for (const e of await listener.feed(steps)) if (e.type === 'heard') phrases++;
  }
  return phrases;
}

let phrases = 0;
for (let round = 0; round < numberArgument('repeat', 3); round++) {
  begin('whole', audio.length);
  phrases = await hear(audio);
}
begin('whole, quiet', quiet.length);
await hear(quiet);
const alone = engine.frontend();
const rows: Float32Array[] = [];
begin('frontend', audio.length);
for (let at = 0; at < audio.length; at += chunkSamples)
  rows.push(alone.feed(audio.subarray(at, at + chunkSamples)).data);
const scores: Float32Array[] = [];
const stream = engine.acoustic.begin();
begin('network', audio.length);
for (const part of rows) scores.push((await stream.feed(part)).data);
const tokens = new TokenSearch(grammar.graph);
begin('search', audio.length);
for (const part of scores)
  for (let at = 0; at < part.length; at += engine.acoustic.units) tokens.feed(part, at);
begin('end');
process.stdout.write(`${JSON.stringify({ phrases, parts })}\n`);
