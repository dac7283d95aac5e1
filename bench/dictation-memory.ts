/**
 * Peak memory with and without dictation, turn about in one run: of `kikitori transcribe` on the same recordings, of the daemon on
 * the demo's sentences at the pace of real time, and of pocketsphinx on the same recordings.
 *   npm run build && node dist/bench/dictation-memory.js FILE... --language-model FILE [--rounds N] [--utterances N] [--daemon] [--sphinx]
 * --daemon: what it answers as dictation is no command, so "0 answered" is said of it.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { encodeWav, readAudioFile } from '../src/audio/index.js';
import { unitEnvironment } from '../scripts/lib/unit-environment.js';
import { paced } from './lib/paced.js';
import { median, report, type Row } from './lib/report.js';
import { sphinxArguments } from './lib/sphinx-batch.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    'language-model': { type: 'string', default: '' },
    rounds: { type: 'string', default: '3' },
    utterances: { type: 'string', default: '6' },
    daemon: { type: 'boolean', default: false },
    sphinx: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
const root = fileURLToPath(new URL('../../', import.meta.url));
const languageModel = resolve(values['language-model']);
const environment = { ...process.env, ...(await unitEnvironment(root)) };

/** The most that a process had in memory, in MB, by looks ten times a second. */
async function peakOf(command: string, args: readonly string[]): Promise<number> {
  const child = spawn(command, args, { env: environment, stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (part: Buffer) => (said = (said + part.toString()).slice(-2000)));
  let peak = 0;
  const look = setInterval(() => {
    void readFile(`/proc/${child.pid ?? 0}/status`, 'utf8').then(
      (status) => (peak = Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? peak)),
      () => undefined,
    );
  }, 100);
  const code = await new Promise((done) => child.once('close', done));
  clearInterval(look);
  if (code !== 0) throw new Error(`${command} ended with ${String(code)}: ${said}`);
  return (peak * 1024) / 1e6;
}

const rows = new Map<string, number[]>();
const note = (name: string, value: number) => rows.set(name, [...(rows.get(name) ?? []), value]);
const scratch = await mkdtemp(join(tmpdir(), 'kikitori-memory-'));
for (const [i, file] of positionals.entries()) {
  const { samples } = await readAudioFile(file, { rateHz: 16_000 });
  await writeFile(join(scratch, `${i}.wav`), encodeWav(samples, 16_000));
}
const files = positionals.map((_, i) => join(scratch, `${i}.wav`));
const free = ['--dictation', '--language-model', languageModel];
const recognizer = { mode: 'dictation', languageModelPath: languageModel };
for (let round = 0; round < Number(values.rounds); round++) {
  const program = join(root, 'bin/kikitori.js');
  const plain = await peakOf(process.execPath, [program, 'transcribe', ...files]);
  const dictated = await peakOf(process.execPath, [program, 'transcribe', ...free, ...files]);
  note('transcribe', plain);
  note('transcribe --dictation', dictated);
  note('  added', dictated - plain);
  if (values.daemon) {
    const peaks: number[] = [];
    for (const more of [{}, { recognizer }]) {
      const cost = await paced(root, Number(values.utterances), more);
      const peak = cost.find(({ unit }) => unit === 'MB');
      peaks.push(median(peak?.values ?? []));
    }
    const [commands = 0, dictation = 0] = peaks;
    note('daemon, commands', commands);
    note('daemon, dictation', dictation);
    note('  added to the daemon', dictation - commands);
  }
  if (values.sphinx) {
    await writeFile(join(scratch, 'ctl'), files.map((_, i) => `${i}`).join('\n'));
    note('pocketsphinx', await peakOf('pocketsphinx_batch', sphinxArguments(scratch)));
  }
}
await rm(scratch, { recursive: true });
report(
  'dictation-memory',
  [...rows].map(([name, peaks]): Row => ({ name, unit: 'MB', values: peaks })),
  { languageModel: values['language-model'], recordings: files.length },
);
