/** The whole search with the real trainer on a tiny network and made recordings, killed and resumed. */
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { encodeWav } from '../../../src/audio/index.js';
import { Bundle } from '../../../src/bundle/index.js';
import { main } from '../../../src/cli/main.js';
import { randomFrom } from '../../../src/measure/evaluate/statistics.js';
import type { SearchResult } from '../../../src/compress/search/index.js';
import { runTrainer } from '../../../src/compress/search/trainer.js';
import { isAlive } from '../../../src/runtime/is-alive.js';
import { Child } from '../../sim/process.js';
import { noTorch } from '../../sim/torch.js';
import { tinyBundle, tinyCheckpointBytes } from '../../sim/tiny-checkpoint.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const folder = await mkdtemp(join(tmpdir(), 'kikitori-search-'));
const like = await tinyBundle();
t.teardown(async () => {
  await rm(folder, { recursive: true, force: true });
  await rm(like.folder, { recursive: true, force: true });
});
const file = (name: string) => join(folder, name);
const python = '/usr/bin/python3';
const trainer = {
  python,
  folder: join(root, 'trainer'),
  config: file('base.toml'),
  log: () => undefined,
};

/** Each word is a chord of its own, so that a tiny network can learn them. */
const words: Readonly<Record<string, number>> = { one: 400, two: 900, three: 1600, four: 2600 };

function speak(text: readonly string[], random: () => number): Float32Array {
  const parts = text.flatMap((word) => {
    const step = (2 * Math.PI * (words[word] ?? 0) * (0.97 + 0.06 * random())) / 16000;
    const tone = Array.from({ length: 4000 }, (_, i) => 0.3 * Math.sin(step * i));
    return [...new Array<number>(800).fill(0), ...tone, ...new Array<number>(800).fill(0)];
  });
  return Float32Array.from(parts, (v) => v + 1e-3 * (random() - 0.5));
}

async function madeRecordings(): Promise<void> {
  const random = randomFrom(3);
  await mkdir(file('train'));
  const rows = ['file\tseconds\tspeaker\tset\ttext'];
  for (let i = 0; i < 60; i++) {
    const names = Object.keys(words);
    const text = Array.from(
      { length: 1 + Math.floor(3 * random()) },
      () => names[Math.floor(names.length * random())] ?? '',
    );
    const samples = speak(text, random);
    await writeFile(file(`train/${i}.wav`), encodeWav(samples, 16000));
    rows.push(
      `train/${i}.wav\t${(samples.length / 16000).toFixed(2)}\tmade\tmade\t${text.join(' ')}`,
    );
  }
  await writeFile(file('clips.tsv'), `${rows.join('\n')}\n`);
  const source = (prefix: string) =>
    `[{ layout = "clips", path = "${folder}", prefix = "${prefix}" }]`;
  await writeFile(
    file('base.toml'),
    `out = "${file('dense')}"
layers = [24, 20]
[data]
sources = ${source('train/')}
heldOut = ${source('train/1')}
syntheticNoises = 1
rooms = 1
[augmentation]
noiseChance = 0.0
[sampling]
clips = 8
[training]
steps = 60
learningRate = 1e-2
warmupSteps = 5
evaluateEvery = 1000
saveEvery = 2
`,
  );
}

const options = [
  'model',
  'search',
  file('dense/model.safetensors'),
  ...['--bytes', '30000', '--multiple', '4', '--tolerance', '1000', '--candidates', '2'],
  ...['--steps', '40', '--minutes', '5', '--trainer-config', file('base.toml')],
  ...['--calibration', file('train'), '--prompts', file('clips.tsv'), '--only', 'train/1'],
  ...['--like', like.path, '--python', python, '--json'],
];

let said = '';
const io = {
  stdout: { write: (s: string) => (said += s) },
  stderr: { write: (s: string) => (said += s) },
  env: {},
};
const journalOf = async (out: string) =>
  (await readFile(join(file(out), 'journal.jsonl'), 'utf8').catch(() => ''))
    .split('\n')
    .filter((l) => l !== '')
    .map((l) => JSON.parse(l) as { key?: string });

const skip = noTorch();
// Nine starts of PyTorch: half a minute on an idle machine, minutes on a busy one.

void t.test(
  'killed in the middle of a fine-tuning, it goes on',
  { skip, timeout: 500_000 },
  async (t) => {
    await madeRecordings();
    const run = { secondsMax: 300, pidFile: file('pid') };
    await runTrainer(trainer, { ...run, command: 'fit', config: file('base.toml') });
    const begun = Child.run(process.execPath, [
      join(root, 'bin/kikitori.js'),
      ...options,
      '--out',
      file('out'),
    ]);
    await waitFor(() => {
      if (begun.over) throw new Error(begun.errors);
      return stat(file('out/b30000/fine-tune/state.safetensors')).then(
        () => true,
        () => false,
      );
    });
    const pid = Number(await readFile(file('out/trainer.pid'), 'utf8'));
    begun.child.kill('SIGKILL');
    await waitFor(() => Promise.resolve(begun.over));
    const before = await journalOf('out');
    t.same(
      before.map((l) => l.key),
      [undefined, 'trainer', 'dense', 'b30000/compress', 'b30000/before'],
    );
    await waitFor(() => Promise.resolve(!isAlive(pid)));
    t.pass('the trainer went with it');
    // A line that was cut off half-way counts for nothing.
    await writeFile(file('out/journal.jsonl'), '{"key":"b30000/fine-', { flag: 'a' });

    said = '';
    t.equal(await main([...options, '--out', file('out')], io), 0, said);
    const after = (await readFile(file('out/journal.jsonl'), 'utf8')).split('\n');
    t.equal(after.filter((l) => l.includes('"b30000/before"')).length, 1, 'nothing twice');
    const result = JSON.parse(await readFile(file('out/search.json'), 'utf8')) as SearchResult;
    t.equal(result.tried.length, 2);
    const [first, second] = result.tried;
    t.equal(first?.budget, 30000);
    t.ok((second?.budget ?? NaN) < 30000);
    for (const c of result.tried) {
      t.ok(c.networkBytes <= c.budget, `${c.networkBytes} of ${c.budget}`);
      t.ok(c.networkBytes > 0.9 * c.budget || c.ranks.some((r) => r <= 4));
      t.equal(typeof c.before['prompts'], 'number');
      t.ok((c.difference['prompts']?.high ?? NaN) >= (c.difference['prompts']?.low ?? NaN));
      const { manifest } = await Bundle.open(c.bundle);
      t.same([manifest.quantization.weights, manifest.network.parameters], ['uint8', c.parameters]);
    }
    t.equal(result.smallest?.bundle, second?.bundle);
    const text = await readFile(file('out/search.md'), 'utf8');
    t.match(text, /before \| prompts: after .*\n.*---.*\n\| 30,000 .*yes.*\n\| \d/);
    t.match(await readFile(file('out/search.log'), 'utf8'), /"done": true/);

    said = '';
    const other = options.map((o) => (o === '1000' ? '0.0001' : o));
    t.equal(await main([...other, '--out', file('out')], io), 2);
    t.match(said, /another search is in this folder: tolerance was 10, is 0.000001/);
  },
);

void t.test('what keeps it from working is said', { skip }, async (t) => {
  await mkdir(file('own'), { recursive: true });
  await writeFile(file('own/dense.safetensors'), tinyCheckpointBytes());
  await writeFile(file('own/clips.tsv'), 'file\ttext\na.wav\tone\n');
  await writeFile(file('own/bad.toml'), 'out = "x"\nlayer = 3\n');
  const argv = (over: Record<string, string>) => {
    const all: Record<string, string> = {
      bytes: '30000',
      out: file(`own/out${Object.keys(over).join('')}`),
      'trainer-config': file('own/bad.toml'),
      calibration: file('own'),
      prompts: file('own/clips.tsv'),
      like: like.path,
      python,
      ...over,
    };
    const flags = Object.entries(all).map(([name, value]) => `--${name}=${value}`);
    return ['model', 'search', file('own/dense.safetensors'), ...flags];
  };
  const cases: readonly (readonly [Record<string, string>, number, RegExp])[] = [
    [{ trainer: file('nowhere') }, 1, /the trainer is not here; expected .* give --trainer DIR/],
    [{ python: 'no-such-python' }, 1, /there is no program "no-such-python".* --python/],
    [{}, 1, /the trainer ended with status 1: .*layer: unknown key/],
    [{ bytes: '900' }, 1, /no network of this shape has 900 bytes; expected at least \d+/],
    [{ tolerance: '-1' }, 2, /--tolerance is not above 0/],
    [{ distillation: '1.5' }, 2, /--distillation is not from 0 to 1/],
    [{ share: '0' }, 2, /--share is not above 0 and at most 1/],
    [{ prompts: file('own/none.tsv') }, 1, /there is no such file/],
  ];
  for (const [over, status, why] of cases) {
    said = '';
    t.equal(await main(argv(over), io), status, said);
    t.match(said, why);
  }
  said = '';
  t.equal(await main(['model', 'search', file('own/dense.safetensors')], io), 2);
  t.match(said, /--bytes, --out, --trainer-config, --calibration, --prompts missing/);
});

async function waitFor<T>(look: () => Promise<T>): Promise<T> {
  for (;;) {
    const seen = await look();
    if (seen) return seen;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
