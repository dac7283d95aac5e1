import { mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { main } from '../../../src/cli/main.js';
import { readNetwork } from '../../../src/compress/checkpoint.js';
import {
  readSeries,
  Runner,
  seriesFeeds,
  openForeign,
} from '../../../src/compress/import/index.js';
import { noTorch, runTorch } from '../../sim/torch.js';

/** A machine's three sensors: load, temperature that follows it slowly, vibration. Forecast of the next step. */
const source = `
import sys, torch, numpy as np
torch.manual_seed(1); rng = np.random.default_rng(1)
def series(n):
    load = np.zeros(n); heat = np.zeros(n); x = 0.0
    for i in range(1, n):
        x = 0.98 * x + 0.1 * rng.standard_normal()
        load[i] = np.sin(i / 17) + x
        heat[i] = 0.95 * heat[i - 1] + 0.05 * load[i] ** 2
    shake = np.abs(load) * np.sin(np.arange(n) / 3)
    return np.stack([load, heat, shake], 1).astype(np.float32)
data = series(3000); held = series(600)
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = torch.nn.LSTM(3, 24, 2, batch_first=True); self.out = torch.nn.Linear(24, 3)
    def forward(self, x):
        return self.out(self.lstm(x)[0])
net = Net(); optimizer = torch.optim.Adam(net.parameters(), 0.02)
pieces = torch.tensor(data.reshape(60, 50, 3))
for step in range(80):
    loss = ((net(pieces[:, :-1]) - pieces[:, 1:]) ** 2).mean()
    optimizer.zero_grad(); loss.backward(); optimizer.step()
torch.onnx.export(net.eval(), torch.zeros(1, 5, 3), sys.argv[1] + "/forecast.onnx", input_names=["x"], output_names=["next"], dynamic_axes={"x": {0: "batch", 1: "steps"}})
np.save(sys.argv[1] + "/data.npy", data); np.save(sys.argv[1] + "/held.npy", held)
`;

void t.test(
  'a forecasting network of sensors, from the command line',
  { skip: noTorch() },
  async (t) => {
    const read = await runTorch(source);
    const folder = await mkdtemp(join(tmpdir(), 'kikitori-test-'));
    const file = (name: string) => join(folder, name);
    for (const name of ['forecast.onnx', 'data.npy', 'held.npy'])
      await writeFile(file(name), await read(name));
    const held = await readSeries(file('held.npy'));
    const foreign = await openForeign(await read('forecast.onnx'), 'forecast.onnx');
    const [feed] = seriesFeeds(foreign, { dims: [600, 3], data: held.data }, 'held');
    if (feed === undefined) throw new Error('no feed');
    const steps = feed['x']?.dims[1] ?? 0;

    /** Mean squared error of the forecast on a held-out series. */
    const errorOf = async (path: string) => {
      const runner = await Runner.open(await readFile(path));
      const out = (await runner.run(feed)).get('next')?.data ?? new Float32Array(0);
      await runner.close();
      let sum = 0;
      for (let i = 0; i < 3 * (steps - 1); i++)
        sum += ((out[i] ?? NaN) - (held.data[i + 3] ?? 0)) ** 2;
      return sum / (3 * (steps - 1));
    };
    let printed = '';
    const io = {
      stdout: { write: (s: string) => (printed += s) },
      stderr: { write: () => undefined },
      env: {},
    };
    const compress = async (...argv: string[]) => {
      printed = '';
      const status = await main(
        ['model', 'compress', file('forecast.onnx'), '--json', ...argv],
        io,
      );
      return { status, facts: (status === 0 ? JSON.parse(printed) : {}) as Record<string, number> };
    };
    const dense = await errorOf(file('forecast.onnx'));
    const calibration = ['--calibration', file('data.npy')];
    const rows: string[] = [];
    for (const params of [3000, 2000, 1200]) {
      const aware = await compress(
        '--out',
        file('aware.onnx'),
        '--params',
        `${params}`,
        '--multiple',
        '2',
        ...calibration,
      );
      t.equal(aware.status, 0);
      t.ok((aware.facts['parameters'] ?? Infinity) <= params);
      const ours = await errorOf(file('aware.onnx'));
      const paper = await compress(
        '--out',
        file('paper.onnx'),
        '--method',
        'paper',
        '--params',
        `${params}`,
        ...calibration,
      );
      const theirs = await errorOf(file('paper.onnx'));
      t.ok(
        (aware.facts['measuredLoss'] ?? NaN) < (paper.facts['measuredLoss'] ?? NaN),
        `loss at ${params}`,
      );
      rows.push(`${params} parameters: data-aware ${ours.toFixed(4)}, paper ${theirs.toFixed(4)}`);
    }
    t.comment(
      `dense ${dense.toFixed(4)} with ${foreign.layers.map((l) => l.cells).join(' x ')}; ${rows.join('; ')}`,
    );
    const within = await compress(
      '--out',
      file('aware.onnx'),
      '--max-loss',
      '0.01',
      '--multiple',
      '2',
      ...calibration,
    );
    t.ok((within.facts['measuredLoss'] ?? NaN) <= 0.01);
    const checkpoint = await readNetwork(file('aware.safetensors'));
    t.same([checkpoint.kind, checkpoint.layers, checkpoint.inputs], ['lstmp', [24, 24], 3]);
    t.equal(checkpoint.features, undefined);

    const before = await readdir(folder);
    for (const argv of [
      ['--out', file('no.onnx'), '--params', '10', ...calibration],
      ['--out', file('no.onnx'), '--ranks', '25,4', ...calibration],
      ['--out', file('no.onnx'), '--params', '2000'],
      ['--out', file('no.onnx'), '--params', '2000', '--calibration', file('forecast.onnx')],
      ['--out', file('no.onnx'), '--params', '2000', '--tau', '0.5', ...calibration],
      ['--out', file('no.safetensors'), '--params', '2000', ...calibration],
    ]) {
      t.not((await compress(...argv)).status, 0, argv.slice(2).join(' '));
    }
    t.same(await readdir(folder), before, 'nothing was left behind');
  },
);
