/** Word errors of dictation in `model report`: a network that hears its sounds exactly, and the same one made deaf. */
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { encodeWav } from '../../../src/audio/index.js';
import { main } from '../../../src/cli/main.js';
import { withinAPoint } from '../../../src/compress/report/dictated.js';
import type { Report } from '../../../src/compress/report/index.js';
import { speak, toneBundle } from '../../sim/tone-model.js';

async function cli(...argv: string[]) {
  let [stdout, stderr] = ['', ''];
  const status = await main(argv, {
    stdout: { write: (text: string) => (stdout += text) },
    stderr: { write: (text: string) => (stderr += text) },
    env: {},
  });
  return { status, stdout, stderr };
}

void t.test('words before and after, by people', async (t) => {
  const { path: dense, folder: modelFolder } = await toneBundle();
  const folder = await mkdtemp(join(tmpdir(), 'kikitori-dictated-'));
  t.teardown(async () => {
    await rm(modelFolder, { recursive: true, force: true });
    await rm(folder, { recursive: true, force: true });
  });
  const file = (name: string) => join(folder, name);
  // Blank is always the likeliest: nothing is ever heard.
  await cp(dense, file('deaf'), { recursive: true });
  const manifest = JSON.parse(await readFile(file('deaf/manifest.json'), 'utf8')) as {
    decoding: { priorWeight: number; logPrior: number[] };
  };
  manifest.decoding.priorWeight = 1;
  manifest.decoding.logPrior[0] = -1000;
  await writeFile(file('deaf/manifest.json'), JSON.stringify(manifest));
  await writeFile(
    file('text'),
    'stop conveyor two\nstop conveyor one\nset the light to blue\n'.repeat(3),
  );
  t.equal((await cli('lm', 'build', file('text'), '--out', file('words.lm'))).status, 0);
  await mkdir(file('clips'));
  const rows = [
    ['1.wav', 'stop conveyor two', 'Stop conveyor two.', 'ann', 'a'],
    ['2.wav', 'set the light to blue', 'set the light to blue', 'ann', 'a'],
    // Not what is said: one word is another one, one is in no language model.
    ['3.wav', 'stop conveyor two', 'stop conveyor one', 'bob', 'b'],
    ['4.wav', 'stop conveyor two', 'stop gizmo two', 'eve', 'b'],
  ] as const;
  for (const [name, said] of rows)
    await writeFile(
      file(`clips/${name}`),
      encodeWav(speak(said, { beforeMs: 300, afterMs: 600 }), 16000),
    );
  const table = rows.map(([name, , text, speaker, set]) => [`clips/${name}`, text, speaker, set]);
  await writeFile(
    file('clips.tsv'),
    [['file', 'text', 'speaker', 'set'], ...table].map((r) => `${r.join('\t')}\n`).join(''),
  );
  const argv = ['model', 'report', '--dense', dense, '--like', dense];
  argv.push('--candidate', `same=${dense}`, '--candidate', `deaf=${file('deaf')}`);
  argv.push('--prompts', file('clips.tsv'), '--set', 'a', '--set', 'b', '--out', file('report'));
  const withWords = [...argv, '--language-model', file('words.lm')];

  const { status, stdout, stderr } = await cli(...withWords);
  t.equal(status, 0, stderr);
  const report = JSON.parse(await readFile(file('report/report.json'), 'utf8')) as Report;
  const [same, deaf] = report.candidates;
  t.match(report.languageModel, { name: 'words.lm', sha256: /^[0-9a-f]{64}$/ });
  t.match(report.dense.dictated, {
    a: { substituted: 0, left: 0, added: 0, length: 8, unknown: 0, people: 1, rate: { value: 0 } },
    b: { substituted: 2, left: 0, added: 0, length: 6, unknown: 1, people: 2 },
    all: { substituted: 2, left: 0, added: 0, length: 14, unknown: 1, people: 3 },
  });
  t.equal(report.dense.dictated['all']?.rate.value, 2 / 14);
  t.notOk('difference' in (report.dense.dictated['all'] ?? {}));
  t.same(same?.dictated['all']?.difference, { value: 0, low: 0, high: 0 });
  t.match(deaf?.dictated['all'], { substituted: 0, left: 14, added: 0, rate: { value: 1 } });
  const less = deaf?.dictated['all']?.difference;
  t.ok(Math.abs((less?.value ?? 0) - 12 / 14) < 1e-12);
  // Three people are few, so clips are drawn: of set a alone all words are lost, of set b alone two of three.
  t.ok(Math.abs((less?.low ?? 0) - 2 / 3) < 1e-12 && less?.high === 1, JSON.stringify(less));
  t.match(stdout, /## Word errors of dictation/);
  t.match(stdout, /\| dense \| all \| 14\.3 % \([^|]*\| 2, 0, 0 \| 14 \| 1 \| 3 \|  \|  \|/);
  t.match(stdout, /\| same \| all \|.*\| \+0\.0 \(\+0\.0 to \+0\.0\) \| yes \|/);
  t.match(stdout, /\| deaf \| all \| 100\.0 %.*\| 0, 14, 0 \|.*\| no \|/);

  // Without words everything else is as it was, and nothing is measured again.
  const before = (await readdir(file('report/partial'))).length;
  const plain = await cli(...argv);
  t.equal(plain.status, 0, plain.stderr);
  t.notMatch(plain.stdout, /dictation/);
  t.equal((await readdir(file('report/partial'))).length, before);
  t.equal((await cli(...withWords)).stdout, stdout);
  t.equal((await readdir(file('report/partial'))).length, before);

  // What is wrong is said before anything is measured.
  await writeFile(file('damaged.lm'), (await readFile(file('words.lm'))).subarray(0, 300));
  for (const [model, what] of [
    ['damaged.lm', /damaged\.lm/],
    ['none.lm', /none\.lm/],
    ['text', /text.*\n?.*expected/s],
  ] as const) {
    const out = file(`report-${model}`);
    const failed = await cli(...argv.slice(0, -1), out, '--language-model', file(model));
    t.not(failed.status, 0);
    t.match(failed.stderr, what);
    await t.rejects(readdir(out), { code: 'ENOENT' }, 'nothing is written');
  }
  const alone = await cli(
    'model',
    'report',
    '--dense',
    dense,
    '--out',
    file('x'),
    '--orders',
    'o',
    '--language-model',
    'w',
  );
  t.equal(alone.status, 2);
  t.match(alone.stderr, /--language-model goes with --prompts/);
});

void t.test('at most a point more: yes, no, or not to be said', async (t) => {
  const clips = { substituted: 0, left: 0, added: 0, length: 1, unknown: 0, people: 1 };
  const of = (low: number, high: number) =>
    withinAPoint({
      ...clips,
      rate: { value: 0, low: 0, high: 0 },
      difference: { value: (low + high) / 2, low, high },
    });
  t.equal(of(-0.02, 0.01), 'yes');
  t.equal(of(0.005, 0.02), 'undecided');
  t.equal(of(0.011, 0.02), 'no');
  t.equal(of(NaN, NaN), '');
  t.equal(withinAPoint({ ...clips, rate: { value: 0, low: 0, high: 0 } }), '');
});
