/** kikitori lm tune: a site's recordings in, weights in its configuration out. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { encodeWav } from '../../src/audio/index.js';
import { main } from '../../src/cli/main.js';
import { loadConfig } from '../../src/config/index.js';
import { languageFile } from '../sim/language-bundle.js';
import { silence } from '../sim/tone-bundle.js';
import { speak, toneBundle } from '../sim/tone-model.js';

const { path: model, folder: modelFolder } = await toneBundle();
const folder = await mkdtemp(join(tmpdir(), 'kikitori-lm-tune-'));
t.teardown(async () => {
  await rm(modelFolder, { recursive: true, force: true });
  await rm(folder, { recursive: true, force: true });
});

async function tune(...argv: string[]) {
  let [stdout, stderr] = ['', ''];
  const status = await main(['lm', 'tune', ...argv], {
    stdout: { write: (text: string) => (stdout += text) },
    stderr: { write: (text: string) => (stderr += text) },
    env: {},
  });
  return { status, stdout, stderr };
}

const sentences = ['set the light to blue', 'stop the conveyor two', 'turn on the hall light'];
const words = await languageFile(folder, 'words', `${sentences.join('\n')}\n`.repeat(3));
await Promise.all(
  sentences.map((text, i) =>
    writeFile(
      join(folder, `${i}.wav`),
      encodeWav(speak(text, { beforeMs: 100, afterMs: 100 }), 16000),
    ),
  ),
);
const table = join(folder, 'clips.tsv');
const rows = (people: number, each: number) =>
  Array.from({ length: people * each }, (_, i) => {
    const said = i % sentences.length;
    return `${said}.wav\t${sentences[said]}\tperson ${i % people}`;
  });
const write = (lines: readonly string[]) =>
  writeFile(table, `${['file\ttext\tspeaker', ...lines].join('\n')}\n`);
const config = join(folder, 'kikitori.yaml');
const written = `# Hall 2.
recognizer:
  mode: dictation  # notes
  languageModelPath: ${words}
  languageWeight: 3
  wordInsertion: -10
model: { path: ${model} }
`;

void t.test('too few are refused, with everything that is missing', async (t) => {
  await write([...rows(4, 2), `0.wav\t${sentences[0]}\t`]);
  await writeFile(config, written);
  const { status, stderr } = await tune('--config', config, table);
  t.equal(status, 1);
  t.match(stderr, /clips\.tsv: 4 people, expected 5 or more; 4\d words, expected 300 or more; /);
  t.match(stderr, /0\.wav has no speaker/);
  t.equal(await readFile(config, 'utf8'), written);
  t.match(await tune(table), { status: 2, stderr: /--language-model FILE, or recognizer/ });
  t.match(await tune(), { status: 2, stderr: /expected a table of recordings/ });
  await writeFile(table, 'a\tb\n');
  t.match(await tune('--config', config, table), { status: 2, stderr: /"file" and "text"/ });
});

void t.test(
  'weights that hear too little are put right, and only those lines change',
  async (t) => {
    await write(rows(6, 12));
    const noise = join(folder, 'noise');
    await mkdir(noise, { recursive: true });
    await writeFile(join(noise, 'hum.wav'), encodeWav(silence(3000), 16000));
    const options = ['--config', config, '--noise', noise];
    const dry = await tune(...options, '--dry-run', '--json', table);
    t.equal(dry.status, 0, dry.stderr);
    t.equal(await readFile(config, 'utf8'), written, '--dry-run changes nothing');
    interface Shown {
      readonly before: { readonly rate: { readonly value: number } };
      readonly best: { readonly language: number };
      readonly heldOut: { readonly rate: { readonly value: number } };
      readonly weights: { readonly language: number; readonly word: number };
    }
    const shown = JSON.parse(dry.stdout) as Shown;
    t.match(shown, { recordings: 72, people: 6, unknown: 0, better: true });
    t.match(shown, { now: { language: 3, word: -10 }, noise: { seconds: 3, messagesHourly: 0 } });
    t.ok(shown.before.rate.value > 0.5, `${shown.before.rate.value}`);
    t.equal(shown.heldOut.rate.value, 0);
    t.equal(shown.best.language, 0.9, 'of those without an error the nearest to the default');

    const { status, stdout, stderr } = await tune(...options, table);
    t.equal(status, 0, stderr);
    t.match(stdout, /6 people, 72 recordings, 336 words, 0 of them not in the language model/);
    t.match(stdout, /word error, % +\d+\.\d .* 0\.0 \(0\.0 to 0\.0\)/);
    t.match(stderr, /written; SIGHUP/);
    const { languageWeight, wordInsertion, minConfidence } = loadConfig(config, {}).recognizer;
    t.same({ language: languageWeight, word: wordInsertion }, shown.weights);
    t.ok((minConfidence ?? 0) >= 0.5);
    t.match(
      await readFile(config, 'utf8'),
      /^# Hall 2\.\nrecognizer:\n {2}mode: dictation # notes\n/,
    );
  },
);
