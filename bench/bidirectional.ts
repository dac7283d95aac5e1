/**
 * A bidirectional network of speech made small: `node dist/bench/bidirectional.js PYTHON DATA [--seconds 120]`. PYTHON has
 * torch; DATA as for silero-small. Two bidirectional LSTM layers of 64 cells are trained on the train part, in so many
 * seconds, to say of each 10 ms frame of 40 log-mel bands whether somebody speaks; then compressed by both methods and put
 * in 8 bits, and heard on the dev part. Printed: AUC and F1 at 0 (the logit) with paired 95 % intervals over recordings.
 */
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inBytes, openForBytes } from '../src/compress/bytes/index.js';
import { fit } from '../src/compress/factorize/budget.js';
import { parametersFor } from '../src/compress/factorize/choose.js';
import { cutAt, prepare } from '../src/compress/factorize/index.js';
import { rewrite, Runner, takeForeign, type Feed } from '../src/compress/import/index.js';
import { detections, type Scored } from '../src/measure/evaluate/detection.js';
import { randomFrom } from '../src/measure/evaluate/statistics.js';
import { commit, machine, numberArgument } from './lib/report.js';
import { frameLabels, labelled, type Labelled } from './lib/rooms.js';

const [python = 'python3', data = ''] = process.argv.slice(2);
const hop = 160;
const [size, bands] = [400, 40];
const source = `
import sys, time, torch, numpy as np
folder, seconds, bands = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
torch.manual_seed(1); torch.set_num_threads(1); rng = np.random.default_rng(1)
x = np.fromfile(folder + '/x.f32', np.float32).reshape(-1, bands); y = np.fromfile(folder + '/y.f32', np.float32)
mean, std = x.mean(0), x.std(0)
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = torch.nn.LSTM(bands, 64, 2, bidirectional=True); self.out = torch.nn.Linear(128, 1)
        self.register_buffer('mean', torch.tensor(mean)); self.register_buffer('std', torch.tensor(std))
    def forward(self, x):
        return self.out(self.lstm((x - self.mean) / self.std)[0])
net = Net(); optimizer = torch.optim.Adam(net.parameters(), 0.003); begun = time.time(); steps = 0
while time.time() - begun < seconds:
    at = rng.integers(0, len(x) - 300, 16)
    a = torch.tensor(np.stack([x[i:i + 300] for i in at], 1)); b = torch.tensor(np.stack([y[i:i + 300] for i in at], 1))
    known = b >= 0
    loss = torch.nn.functional.binary_cross_entropy_with_logits(net(a)[:, :, 0][known], b[known])
    optimizer.zero_grad(); loss.backward(); torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0); optimizer.step(); steps += 1
print(f'{steps} steps, loss {loss.item():.3f}')
torch.onnx.export(net.eval(), torch.zeros(5, 1, bands), folder + '/net.onnx', input_names=['x'], output_names=['speech'],
    dynamic_axes={'x': {0: 'steps'}})
`;

/** Powers of triangular bands on the mel scale, by a plain transform. */
const mel = (hz: number) => 2595 * Math.log10(1 + hz / 700);
const points = 512;
const weights = Array.from({ length: bands }, (_, b) => {
  const edge = (i: number) =>
    700 * (10 ** ((mel(60) + ((mel(7800) - mel(60)) * i) / (bands + 1)) / 2595) - 1);
  return Array.from({ length: points / 2 }, (_unused, k) => {
    const hz = (k * 16000) / points;
    const [low, middle, high] = [edge(b), edge(b + 1), edge(b + 2)];
    return Math.max(0, Math.min((hz - low) / (middle - low), (high - hz) / (high - middle)));
  });
});

function transform(re: Float64Array, im: Float64Array): void {
  const n = re.length;
  for (let i = 1, j = 0; i < n; i++) {
    let bit = n >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      [re[i], re[j]] = [re[j] ?? 0, re[i] ?? 0];
      [im[i], im[j]] = [im[j] ?? 0, im[i] ?? 0];
    }
  }
  for (let length = 2; length <= n; length <<= 1) {
    for (let i = 0; i < n; i += length) {
      for (let k = 0; k < length / 2; k++) {
        const angle = (-2 * Math.PI * k) / length;
        const [c, s] = [Math.cos(angle), Math.sin(angle)];
        const [a, b] = [i + k, i + k + length / 2];
        const x = (re[b] ?? 0) * c - (im[b] ?? 0) * s;
        const y = (re[b] ?? 0) * s + (im[b] ?? 0) * c;
        re[b] = (re[a] ?? 0) - x;
        im[b] = (im[a] ?? 0) - y;
        re[a] = (re[a] ?? 0) + x;
        im[a] = (im[a] ?? 0) + y;
      }
    }
  }
}

function featuresOf(samples: Float32Array): Float32Array {
  const frames = Math.floor((samples.length - size) / hop) + 1;
  const out = new Float32Array(frames * bands);
  for (let f = 0; f < frames; f++) {
    const [re, im] = [new Float64Array(points), new Float64Array(points)];
    for (let n = 0; n < size; n++)
      re[n] = (samples[f * hop + n] ?? 0) * (0.5 - 0.5 * Math.cos((2 * Math.PI * n) / size));
    transform(re, im);
    weights.forEach((band, b) => {
      let sum = 1e-8;
      band.forEach((w, k) => (sum += w === 0 ? 0 : w * ((re[k] ?? 0) ** 2 + (im[k] ?? 0) ** 2)));
      out[f * bands + b] = Math.log(sum);
    });
  }
  return out;
}

const say = (line: string) => void process.stdout.write(`${line}\n`);
const m = machine();
say(
  `bidirectional at ${commit()}; ${m.cpu}, ${m.cores} cores, Node ${m.node}, load ${m.loadBefore} before`,
);
const train = await labelled(data, 'train', numberArgument('recordings', 120), randomFrom(2));
const dev = await labelled(data, 'dev', numberArgument('held', 160), randomFrom(3));
const made = (all: readonly Labelled[]) =>
  all.map(({ samples, clean }) => {
    const x = featuresOf(samples);
    return { x, labels: frameLabels(clean, hop).slice(0, x.length / bands) };
  });
const [trained, held] = [made(train), made(dev)];
const folder = await mkdtemp(join(tmpdir(), 'kikitori-both-'));
const bytesOf = (parts: readonly Float32Array[]) =>
  Buffer.concat(parts.map((p) => Buffer.from(p.buffer, p.byteOffset, p.byteLength)));
await writeFile(join(folder, 'x.f32'), bytesOf(trained.map((t) => t.x)));
await writeFile(join(folder, 'y.f32'), bytesOf(trained.map((t) => Float32Array.from(t.labels))));
const argv = [
  '-W',
  'ignore',
  '-c',
  source,
  folder,
  `${numberArgument('seconds', 120)}`,
  `${bands}`,
];
say(execFileSync(python, argv, { encoding: 'utf8' }).trim());
const bytes = await readFile(join(folder, 'net.onnx'));
await rm(folder, { recursive: true });

const feedOf = (x: Float32Array): Feed => ({ x: { dims: [x.length / bands, 1, bands], data: x } });
const feeds = trained.map((t) => feedOf(t.x));
const foreign = await takeForeign(bytes, 'net.onnx');
const price = parametersFor({ foreign });
const dense = price.fixed + foreign.plan.matrices.reduce((s, w) => s + w.weight.data.length, 0);
const networks: { name: string; parameters: number; bytes: Uint8Array }[] = [
  { name: 'as it is', parameters: dense, bytes },
];
for (const method of ['data-aware', 'paper'] as const) {
  const loss = { scale: new Float64Array(0) };
  const { analysis } = await prepare({ foreign }, { method, feeds, loss, outputs: ['speech'] });
  for (const ratio of [2, 4]) {
    const { ranks, spent } = fit(analysis, {
      price,
      limit: dense / ratio,
      multiple: 4,
      plain: true,
    });
    const name = `${method}, ranks ${ranks.join(' ')}`;
    networks.push({ name, parameters: spent, bytes: rewrite(foreign, cutAt(analysis, ranks)) });
  }
}
for (const network of networks.slice(0, 3)) {
  const calls = { feeds: feeds.slice(0, 40), begins: new Set(feeds) };
  const opened = await openForBytes(network.bytes, network.name);
  const { onnx } = await inBytes(opened, calls, { rule: 'mse', keep: new Set() });
  networks.push({ ...network, name: `${network.name}, 8 bits`, bytes: onnx });
}
const scored: Scored[][] = [];
for (const network of networks) {
  const runner = await Runner.open(network.bytes);
  const series: Scored[] = [];
  for (const { x, labels } of held)
    series.push({ scores: (await runner.run(feedOf(x))).get('speech')?.data ?? [], labels });
  await runner.close();
  scored.push(series);
}
const percent = (v: number | undefined) => (100 * (v ?? NaN)).toFixed(2);
say(
  '| network | recurrent parameters and readers | file, bytes | AUC, % | its difference | F1, % | its difference |',
);
say('|---|--:|--:|--:|--:|--:|--:|');
detections(scored, 0).forEach(({ area, f1, areaLess, f1Less }, i) => {
  const network = networks[i];
  const less = (d: typeof areaLess) =>
    d === undefined ? '' : `${percent(d.value)} (${percent(d.low)} to ${percent(d.high)})`;
  say(
    `| ${network?.name ?? ''} | ${network?.parameters.toLocaleString('en') ?? ''} | ${network?.bytes.length.toLocaleString('en') ?? ''} | ${percent(area)} | ${less(areaLess)} | ${percent(f1)} | ${less(f1Less)} |`,
  );
});
