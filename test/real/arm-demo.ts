/**
 * What scripts/arm-test runs: the daemon hears the demo's sentences and publishes them through a real broker, here and on
 * emulated ARM. The same commands, refusals, slots and confidences, to the last digit?
 *   arm-demo.ts NODE_ON PROCESSOR...
 * NODE_ON: a program that runs its further arguments with Node on PROCESSOR. The audio comes over standard input, as fast
 * as it is heard: an emulated processor is slower than speech.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { demoStream, pauseS, rateHz, roomNoise } from '../../bench/lib/demo.js';
import { encodeWav } from '../../src/audio/index.js';
import { joinedFloats } from '../../src/runtime/joined.js';
import { shippedModel } from '../sim/model.js';
import { Mosquitto, Subscriber } from '../sim/mosquitto.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const limitMs = 1_800_000;
const wavHeaderBytes = 44;
const [nodeOn = '', ...processors] = process.argv.slice(2);
const print = (text: string) => process.stdout.write(`${text}\n`);

const table = await readFile(join(root, 'demo/sentences.tsv'), 'utf8');
const expected = table
  .trim()
  .split('\n')
  .slice(1)
  .map((line) => line.split('\t')[2] ?? '');
/** As the demo's recorder plays them: a quiet room first. */
const before = Float32Array.from({ length: pauseS * rateHz }, roomNoise());
const audio = encodeWav(joinedFloats([before, await demoStream(root)]), rateHz).subarray(
  wavHeaderBytes,
);

/** What a sentence came to, without times and ids. */
interface Answer {
  readonly intent: string;
  readonly slots: unknown;
  readonly confidence: unknown;
}

/** Commands in their order, then refusals: these go another way to the broker, and may overtake. */
async function answers(command: readonly string[]): Promise<Answer[]> {
  const folder = await mkdtemp(join(tmpdir(), 'kikitori-arm-'));
  const broker = await Mosquitto.open();
  const subscriber = await Subscriber.open(broker.url, 'kikitori/board/#');
  const config = join(folder, 'config.json');
  await writeFile(
    config,
    JSON.stringify({
      device: { id: 'board' },
      model: { path: shippedModel },
      grammar: { path: join(root, 'config/sentences.yaml') },
      capture: { source: 'stdin' },
      publish: { mqtt: { url: broker.url } },
      state: { dir: join(folder, 'state') },
      log: { level: 'warn' },
    }),
  );
  const [program = '', ...args] = command;
  const daemon = spawn(
    program,
    [...args, join(root, 'bin/kikitori.js'), 'run', '--config', config],
    { stdio: ['pipe', 'inherit', 'inherit'] },
  );
  const ended = new Promise<number | null>((resolve) => daemon.once('close', resolve));
  let status: number | null | undefined;
  void ended.then((code) => (status = code));
  const offline = () => status !== undefined;
  try {
    const online = await subscriber.until(
      () => offline() || subscriber.messages.some((m) => m.text.includes('"online"')),
      limitMs,
    );
    if (online !== true || offline()) throw new Error('the daemon did not come up');
    daemon.stdin.on('error', () => undefined);
    daemon.stdin.end(audio);
    const late = setTimeout(() => daemon.kill('SIGKILL'), limitMs);
    await ended;
    clearTimeout(late);
    if (status !== 0) throw new Error(`the daemon ended with ${String(status)}`);
    // Sent before the daemon ended; the broker passes it on in its order, so what comes after it shows that all is here.
    await subscriber.publish('kikitori/board/all-said', {});
    await subscriber.find((m) => m.topic.endsWith('/all-said'));
    const heard = subscriber.messages.filter((m) => m.topic.includes('/intent/'));
    const refused = subscriber.messages.filter((m) => m.topic.endsWith('/rejected'));
    return [
      ...heard
        .sort((a, b) => Number(a.json['seq']) - Number(b.json['seq']))
        .map(({ json }) => answerOf(String(json['intent']), json['slots'], json)),
      ...refused.map(({ json }) => answerOf('refused', json['best'], json)),
    ];
  } finally {
    daemon.kill('SIGKILL');
    await ended;
    await subscriber.close();
    await broker.close();
    await rm(folder, { recursive: true, force: true });
  }
}

const answerOf = (intent: string, slots: unknown, json: Record<string, unknown>): Answer => ({
  intent,
  slots,
  confidence: json['confidence'],
});

const here = await answers([process.execPath]);
/** Of the model, not of the processor: a sentence more that it refuses is no fault of ARM. */
const right = (found: readonly Answer[]) => {
  const intents = found.map(({ intent }) => intent);
  return expected.filter((intent) => intents.includes(intent)).length;
};
const said = (name: string, found: readonly Answer[], more: string) =>
  print(
    `${name.padEnd(11)} ${found.length} of ${expected.length} answered, ${right(found)} as demo/sentences.tsv has them${more}`,
  );
said('here', here, '');
let wrong = here.length !== expected.length;
for (const processor of processors) {
  const there = await answers([nodeOn, processor]);
  const same = JSON.stringify(there) === JSON.stringify(here);
  said(processor, there, same ? '; slots and confidences as here' : '');
  if (!same) print(`differs: ${JSON.stringify(there)}\nhere: ${JSON.stringify(here)}`);
  wrong ||= !same;
}
process.exitCode = wrong ? 1 : 0;
