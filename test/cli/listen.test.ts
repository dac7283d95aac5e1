/** `kikitori listen` as a process: a microphone, and standard input as one. */
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { program } from '../sim/daemon.js';
import { MicSim, until } from '../sim/mic-sim.js';
import { Child } from '../sim/process.js';
import { joined, silence, speak, toneBundle, toneGrammar } from '../sim/tone-bundle.js';

const folder = await mkdtemp(join(tmpdir(), 'kikitori-listen-'));
t.teardown(() => rm(folder, { recursive: true, force: true }));
const bundle = await toneBundle(join(folder, 'tones.tar'), { version: '1.0.0' });
await writeFile(join(folder, 'sentences.yaml'), toneGrammar);
const config = async (capture: object, recognizer: object = {}) => {
  const path = join(folder, 'config.json');
  const model = { path: bundle.path };
  const grammar = { path: 'sentences.yaml' };
  await writeFile(path, JSON.stringify({ model, grammar, capture, recognizer }));
  return path;
};
const said = (text: string) => joined([silence(300), speak(text), silence(1500)]);
const pcmOf = (samples: Float32Array) =>
  Buffer.from(Int16Array.from(samples, (v) => Math.round(32_767 * v)).buffer);

void t.test(
  'the microphone: a line for each sentence, a meter, and an end by signal',
  async (t) => {
    const mic = await MicSim.create({});
    const path = await config({ stallAfterMs: '20s' });
    const child = Child.node([program, 'listen', '--json', '--config', path], mic.env);
    t.teardown(async () => {
      await child.kill();
      await mic.remove();
    });
    await until('the microphone', () => child.errors.includes('microphone up'));
    t.match(child.errors, /3 sentences; say one/);
    await mic.say(said('stop'));
    const line = JSON.parse(await child.line('"intent"')) as unknown;
    t.match(line, { file: 'microphone', text: 'stop', intent: 'Stop', accepted: true });
    t.match(child.errors, /3 sentences; say one/);
    t.match(child.errors, /\[#* *\] +-\d+ dBFS/);
    child.child.kill('SIGINT');
    t.equal(await child.exit(), 0);
    t.same(await mic.alive(), [], 'no recorder is left');
  },
);

void t.test('standard input is heard to its end; the environment names the file', async (t) => {
  const path = await config({ source: 'stdin' });
  const pcm = pcmOf(joined([said('stop'), said('go left')]));
  const run = (input: Buffer) =>
    spawnSync('env', ['-u', 'NODE_OPTIONS', process.execPath, program, 'listen', '--json'], {
      input,
      encoding: 'utf8',
      env: { ...process.env, KIKITORI_CONFIG: path },
    });
  const whole = run(pcm);
  t.equal(whole.status, 0);
  const lines = whole.stdout.trim().split('\n');
  t.match(
    lines.map((line) => JSON.parse(line) as unknown),
    [
      { text: 'stop', accepted: true },
      { text: 'go left', accepted: true },
    ],
  );
  // Half a sample at the end is no reason to fail, nor is nothing at all.
  t.equal(run(pcm.subarray(0, 2 * 16_000 + 1)).status, 0);
  t.equal(run(Buffer.alloc(0)).status, 0);
});

void t.test("the configuration's thresholds are those of `listen`, too", async (t) => {
  const path = await config({ source: 'stdin' }, { minConfidence: 1 });
  const { stdout } = spawnSync(process.execPath, [program, 'listen', '--json'], {
    input: pcmOf(said('stop')),
    encoding: 'utf8',
    env: { ...process.env, KIKITORI_CONFIG: path },
  });
  t.match(JSON.parse(stdout), { text: 'stop', accepted: false, reason: 'low-confidence' });
});
