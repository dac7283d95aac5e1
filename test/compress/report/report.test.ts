import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { encodeWav } from '../../../src/audio/index.js';
import { main } from '../../../src/cli/main.js';
import { editDistance, randomFrom } from '../../../src/measure/evaluate/statistics.js';
import { pairedDifference, rateOf, type Part } from '../../../src/measure/evaluate/paired.js';
import { withoutLoss } from '../../../src/compress/report/index.js';
import { greedyPhones, phoneErrors } from '../../../src/compress/report/phones.js';
import { png } from '../../../src/compress/report/picture.js';
import { curveChart } from '../../../src/measure/chart/charts.js';
import { tinyBundle, tinyCheckpointBytes, tinyLexicon } from '../../sim/tiny-checkpoint.js';

const lexicon = tinyLexicon();

void t.test('greedy phones: repeats and blanks go', async (t) => {
  const steps = [0, 3, 3, 0, 3, 5, 5, 0];
  const logProbs = new Float32Array(steps.length * 6).fill(-9);
  steps.forEach((u, i) => (logProbs[6 * i + u] = -0.1));
  t.same(greedyPhones(logProbs, 6), [3, 3, 5]);
});

void t.test('phone errors equal the least edit distance over all ways of saying it', async (t) => {
  const random = randomFrom(1);
  const texts = ['turn on the light', 'a red door', 'stop', 'set speed to twenty', 'the a the'];
  for (let round = 0; round < 60; round++) {
    const words = (texts[round % texts.length] ?? '').split(' ');
    let ways: (readonly number[])[] = [[]];
    for (const word of words)
      ways = ways.flatMap((w) => lexicon.lookup(word).map((p) => [...w, ...p.phones]));
    const said = ways[Math.floor(random() * ways.length)] ?? [];
    const heard = said.flatMap((p) => {
      const luck = random();
      if (luck < 0.1) return [];
      if (luck < 0.2) return [p, 1 + Math.floor(39 * random())];
      return [luck < 0.3 ? 1 + Math.floor(39 * random()) : p];
    });
    const text = (phones: readonly number[]) => phones.map(String);
    const least = Math.min(...ways.map((w) => editDistance(text(w), text(heard))));
    const got = phoneErrors(heard, words, lexicon);
    t.equal(got.errors, least);
    t.equal(got.words, words.length);
    t.ok(got.wrongWords <= Math.min(words.length, got.errors));
    t.equal(got.wrongWords === 0, got.errors === 0);
  }
  t.same(phoneErrors([], [], lexicon), { errors: 0, phones: 0, words: 0, wrongWords: 0 });
  t.equal(phoneErrors([], ['stop'], lexicon).errors, 4);
});

void t.test('a paired interval covers the true difference as often as it says', async (t) => {
  const random = randomFrom(2);
  let covered = 0;
  const rounds = 100;
  for (let round = 0; round < rounds; round++) {
    const dense: Part[] = [];
    const other: Part[] = [];
    for (let i = 0; i < 80; i++) {
      // Hard and easy clips: what pairing takes out.
      const hard = random() < 0.5 ? 0.1 : 0.6;
      const count = (rate: number) =>
        Array.from({ length: 20 }, () => (random() < rate ? 1 : 0) as number).reduce(
          (a, b) => a + b,
          0,
        );
      dense.push({ file: `${i}`, errors: count(hard), of: 20 });
      other.push({ file: `${i}`, errors: count(hard + 0.05), of: 20 });
    }
    const { low, high } = pairedDifference(dense, other, { resamples: 300, seed: round });
    if (low <= 0.05 && high >= 0.05) covered++;
  }
  t.ok(covered >= 86 && covered <= 100, `${covered} of ${rounds}`);
  const same = [
    { file: 'a', errors: 1, of: 4 },
    { file: 'b', errors: 0, of: 4 },
  ];
  t.same(pairedDifference(same, same), { value: 0, low: 0, high: 0 });
  t.equal(rateOf(same), 1 / 8);
});

void t.test('a picture is well-formed', async (t) => {
  const svg = await curveChart({
    title: 'a < b',
    x: 'x',
    y: 'y',
    xTicks: [1, 10],
    yMax: 0.5,
    series: [
      {
        name: 'one',
        points: [
          { x: 1, y: 0.1 },
          { x: 5, y: 0.9, label: 'p' },
        ],
      },
    ],
    level: { y: 0.2, name: 'dense' },
  });
  t.match(svg, /a &lt; b/);
  t.notMatch(svg, /NaN|undefined|Infinity/);
});

void t.test('letters are drawn on a bare machine: none from the system', async (t) => {
  const drawing = (content: string) =>
    `<svg xmlns="http://www.w3.org/2000/svg" width="90" height="20" font-family="sans-serif">${content}</svg>`;
  const [empty, written] = await Promise.all([
    png(drawing('')),
    png(drawing('<text x="2" y="15">dense 6x</text>')),
  ]);
  t.ok((written?.length ?? 0) > 3 * (empty?.length ?? Infinity));
});

void t.test('without loss: on every set, on all together, or not', async (t) => {
  const rates = (high: number) => ({
    rate: 0.3,
    difference: { value: 0, low: -0.01, high },
  });
  const row = (sets: Record<string, number>, ordersLost = 0) => ({
    phoneError: Object.fromEntries(Object.entries(sets).map(([n, high]) => [n, rates(high)])),
    ordersRight: {
      clean: { rate: 0.9, difference: { value: -ordersLost, low: -0.1, high: 0.1 } },
    },
  });
  t.equal(withoutLoss(row({ a: 0.009, b: 0.01, all: 0.002 })), 'on every set');
  t.equal(withoutLoss(row({ a: 0.009, b: 0.013, all: 0.008 })), 'on all together');
  t.equal(withoutLoss(row({ a: 0.009, b: 0.013, all: 0.011 })), 'no');
  t.equal(withoutLoss(row({ a: 0.013 })), 'no');
  t.equal(withoutLoss(row({ a: 0.001, all: 0.001 }, 0.03)), 'no', 'orders count as well');
});

void t.test('dense and candidates side by side; cut off, it goes on', async (t) => {
  const { path: dense, folder } = await tinyBundle('dense');
  const file = (name: string) => join(folder, name);
  await mkdir(file('clips'));
  const random = randomFrom(3);
  const rows = ['file\ttext\tset'];
  const labels: Record<string, unknown> = {};
  for (let i = 0; i < 4; i++) {
    const samples = Float32Array.from({ length: 16000 }, () => 0.2 * (random() - 0.5));
    await writeFile(file(`clips/${i}.wav`), encodeWav(samples, 16000));
    rows.push(`clips/${i}.wav\tstop the machine\t${i < 2 ? 'made' : 'others'}`);
    labels[`${i}.wav`] = { intent: 'stop', slots: {} };
  }
  await writeFile(file('clips.tsv'), `${rows.join('\n')}\n`);
  await writeFile(file('labels.json'), JSON.stringify(labels));
  await writeFile(
    file('grammar.yaml'),
    'intents: {stop: {data: [{sentences: ["stop [the machine]"]}]}}\n',
  );
  await writeFile(file('dense.safetensors'), tinyCheckpointBytes());
  await writeFile(file('other.safetensors'), tinyCheckpointBytes([12, 10], 2));
  const bins = [0.2, 0.9].map((v) => ({ confidence: v, right: v, weight: 3 }));
  await writeFile(file('calibration.json'), JSON.stringify({ report: { heldOut: { bins } } }));
  for (const [name, length] of [
    ['noise.wav', 8000],
    ['hiss.wav', 5000],
  ] as const)
    await writeFile(
      file(name),
      encodeWav(
        Float32Array.from({ length }, () => random() - 0.5),
        16000,
      ),
    );
  let said = '';
  const io = {
    stdout: { write: (s: string) => (said += s) },
    stderr: { write: () => undefined },
    env: {},
  };
  const calibration = file('voice');
  await mkdir(calibration);
  const long = Float32Array.from(
    { length: 16000 * 22 },
    (_, i) => 0.3 * Math.sin(i * (0.01 + 1e-6 * (i % 50_000))) * random(),
  );
  await writeFile(join(calibration, 'a.wav'), encodeWav(long, 16000));
  const argv = [
    'model',
    'report',
    '--dense',
    file('dense.safetensors'),
    '--like',
    dense,
    '--out',
    file('report'),
    '--prompts',
    file('clips.tsv'),
    '--set',
    'made',
    '--set',
    'others',
    '--orders',
    file('clips'),
    '--labels',
    file('labels.json'),
    '--grammar',
    file('grammar.yaml'),
    '--noise',
    file('noise.wav'),
    '--noise',
    file('hiss.wav'),
    '--snr',
    '6',
    '--curve',
    '--calibration',
    calibration,
    '--tau',
    '0.9',
    '--control',
    `same=${file('other.safetensors')}`,
    '--before',
    `same=${file('other.safetensors')}`,
    '--tuned',
    `data-aware=${file('other.safetensors')}`,
    '--reliability',
    file('calibration.json'),
    '--ratios',
    '1.05,3',
    '--candidate',
    `same=${file('dense.safetensors')}`,
  ];
  t.equal(await main(argv, io), 0, said);
  t.match(said, /## Errors on read prompts.*\| dense \|.*\| same \|/s);
  const json = JSON.parse(await readFile(file('report/report.json'), 'utf8')) as {
    dense: { phoneError: Record<string, { rate: number }> };
    candidates: {
      name: string;
      parameters: number;
      ranks: number[];
      realTimeFactor: number | null;
      peakMemoryMb: number | null;
      lessControl?: { phoneError: Record<string, { value: number }> };
      phoneError: Record<
        string,
        { rate: number; difference: { value: number; low: number; high: number } }
      >;
    }[];
  };
  t.match(said, /each of 2 noises: noise\.wav, hiss\.wav/);
  const hearings = await Promise.all(
    (await readdir(file('report/partial'))).map(async (name) => {
      const text = await readFile(file(`report/partial/${name}`), 'utf8');
      return (JSON.parse(text) as { value: { condition?: string; wrong?: { of: number }[] } })
        .value;
    }),
  );
  for (const [condition, of] of [
    ['clean', 1],
    ['6 dB', 2],
  ] as const)
    t.same(
      hearings.find((h) => h.condition === condition)?.wrong?.map((w) => w.of),
      [of, of, of, of],
      'each order once as it is, and once in each noise',
    );
  const same = json.candidates.find((c) => c.name === 'same');
  t.same(
    same?.phoneError['made']?.difference,
    { value: 0, low: 0, high: 0 },
    'the same network differs in nothing',
  );
  const of = (set: string) => json.dense.phoneError[set]?.rate ?? NaN;
  t.ok(
    Math.abs(of('all') - (of('made') + of('others')) / 2) < 1e-12,
    'all together: as many phones were said in the one set as in the other',
  );
  t.match(said, /\| same \|.*\| on every set \|/);
  // The published method leaves the input matrix, most of this network, as it is: 3x is beyond it.
  t.same(
    json.candidates.map((c) => c.name),
    [
      ...['same', 'same.control', 'same.before', 'data-aware.tuned-1'],
      ...['paper tau-0.9', 'paper 1.05x'],
      ...['data-aware tau-0.9', 'data-aware 1.05x', 'data-aware 3x'],
    ],
  );
  const ranksOf = (name: string) => json.candidates.find((c) => c.name === name)?.ranks;
  t.same(ranksOf('paper tau-0.9'), ranksOf('data-aware tau-0.9'));
  const control = json.candidates.find((c) => c.name === 'same.control');
  const less = same?.lessControl?.phoneError['made']?.value ?? NaN;
  t.ok(
    Math.abs(less + (control?.phoneError['made']?.difference.value ?? NaN)) < 1e-12,
    'the candidate less its control is the opposite of the control less the same dense network',
  );
  t.equal((same?.peakMemoryMb ?? 0) > 20 && (same?.realTimeFactor ?? 0) > 0, true);
  for (const name of ['curve.png', 'reliability.png']) {
    const image = await readFile(file(`report/${name}`));
    t.equal(image.subarray(1, 4).toString(), 'PNG');
  }
  t.match(
    said,
    /same: control of its size, from scratch.*scratch\n.*curve\.png.*reliability\.png/s,
  );
  t.ok((json.dense.phoneError['made']?.rate ?? 0) > 0);
  t.match(await readFile(file('report/curve.svg'), 'utf8'), /data-aware, before/);

  // Again: everything is there already but one measurement, which is made again and comes out the same.
  const partial = file('report/partial');
  const [gone = ''] = await readdir(partial);
  await rm(join(partial, gone));
  const before = new Map(
    await Promise.all(
      (await readdir(partial)).map(
        async (n) => [n, (await stat(join(partial, n))).mtimeMs] as const,
      ),
    ),
  );
  const text = await readFile(file('report/report.md'), 'utf8');
  t.equal(await main(argv, io), 0);
  for (const [name, time] of before)
    t.equal((await stat(join(partial, name))).mtimeMs, time, 'not measured twice');
  t.ok((await readdir(partial)).includes(gone));
  // Real time and memory, if it was them that went.
  const timeless = (s: string) => s.replace(/\| \d+\.\d{4} \| \d+ \|$/gm, '');
  t.equal(timeless(await readFile(file('report/report.md'), 'utf8')), timeless(text));

  for (const wrong of [
    ['--dense', dense],
    ['--dense', dense, '--out', file('x')],
    ['--dense', dense, '--out', file('x'), '--prompts', file('clips.tsv'), '--set', 'none'],
    ['--dense', dense, '--out', file('x'), '--prompts', file('clips.tsv'), '--snr', '6'],
    ['--dense', dense, '--out', file('x'), '--prompts', file('clips.tsv'), '--curve'],
    ['--dense', dense, '--out', file('x'), '--prompts', file('clips.tsv'), '--control', 'a=b'],
  ]) {
    t.equal(await main(['model', 'report', ...wrong], io), 2, wrong.join(' '));
  }
});
