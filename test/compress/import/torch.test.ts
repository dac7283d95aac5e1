import t from 'tap';
import { randomFrom } from '../../../src/measure/evaluate/statistics.js';
import { collect } from '../../../src/compress/factorize/collect.js';
import {
  analyseByReaders,
  analyseByRecurrent,
  cutAt,
} from '../../../src/compress/factorize/plan.js';
import {
  chainOf,
  rewrite,
  takeForeign,
  Runner,
  type Feed,
} from '../../../src/compress/import/index.js';
import { noTorch, runTorch } from '../../sim/torch.js';

/** Stacks of nn.LSTM as PyTorch's ordinary exporter writes them, with a stacked head. */
const source = `
import sys, torch
torch.manual_seed(3)
class Net(torch.nn.Module):
    def __init__(self, batch_first, bias, layers):
        super().__init__()
        self.lstm = torch.nn.LSTM(5, 8, layers, batch_first=batch_first, bias=bias)
        self.a = torch.nn.Linear(8, 3)
        self.b = torch.nn.Linear(8, 2, bias=False)
        self.batch_first = batch_first
    def forward(self, x, state=None):
        y, (h, c) = self.lstm(x, state)
        last = y[:, -1] if self.batch_first else y[-1]
        return self.a(y), self.b(y), torch.sigmoid(last), h, c
for name, batch_first, bias, layers, opset in [("first", True, True, 2, 14), ("time", False, False, 3, 11), ("one", False, True, 1, 13)]:
    net = Net(batch_first, bias, layers).eval()
    x = torch.zeros(4, 2, 5)
    axes = {"x": {0: "a", 1: "b"}}
    torch.onnx.export(net, x, f"{sys.argv[1]}/{name}.onnx", input_names=["x"], output_names=["a", "b", "last", "h", "c"], dynamic_axes=axes, opset_version=opset)
state = (torch.zeros(2, 2, 8), torch.zeros(2, 2, 8))
net = Net(False, True, 2).eval()
torch.onnx.export(net, (torch.zeros(4, 2, 5), state), f"{sys.argv[1]}/stateful.onnx", input_names=["x", "h0", "c0"], output_names=["a", "b", "last", "h", "c"], dynamic_axes={"x": {0: "T"}}, do_constant_folding=False)
class Stack(torch.nn.Module):
    def __init__(self, rnn, head):
        super().__init__()
        self.rnn = rnn; self.head = torch.nn.Linear(head, 4)
    def forward(self, x):
        return self.head(self.rnn(x)[0])
both = Stack(torch.nn.LSTM(5, 8, 3, bidirectional=True), 16).eval()
torch.onnx.export(both, torch.zeros(4, 2, 5), f"{sys.argv[1]}/both.onnx", input_names=["x"], dynamic_axes=axes)
gru = Stack(torch.nn.GRU(5, 8, 2), 8).eval()
torch.onnx.export(gru, torch.zeros(4, 2, 5), f"{sys.argv[1]}/gru.onnx", input_names=["x"], dynamic_axes=axes)
`;

function made(name: string, seed: number): Feed {
  const random = randomFrom(seed);
  const value = (...dims: number[]) => ({
    dims,
    data: Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => 2 * random() - 1),
  });
  const x = value(9, 2, 5);
  return name === 'stateful' ? { x, h0: value(2, 2, 8), c0: value(2, 2, 8) } : { x };
}

async function difference(a: Uint8Array, b: Uint8Array, feed: Feed): Promise<number> {
  const [one, two] = [await Runner.open(a), await Runner.open(b)];
  const [wanted, got] = [await one.run(feed), await two.run(feed)];
  await one.close();
  await two.close();
  let most = 0;
  for (const [name, { dims, data }] of wanted) {
    const other = got.get(name);
    if (other?.dims.join() !== dims.join()) return Infinity;
    data.forEach((v, i) => (most = Math.max(most, Math.abs(v - (other.data[i] ?? NaN)))));
  }
  return most;
}

void t.test(
  'networks of PyTorch: equal at full rank, worse with less',
  { skip: noTorch() },
  async (t) => {
    const read = await runTorch(source);
    for (const name of ['first', 'time', 'one', 'stateful']) {
      const bytes = await read(`${name}.onnx`);
      const foreign = await takeForeign(bytes, name);
      t.equal(foreign.heads.length, 2, `${name}: both heads were found`);
      const network = chainOf(foreign);
      t.equal(network?.outputs, 5);
      const { plan } = foreign;
      const feeds = Array.from({ length: 20 }, (_, i) => made(name, i + 1));
      const { moments, steps } = await collect(foreign, feeds);
      t.equal(steps, 20 * 18);
      for (const analysis of [analyseByRecurrent(plan), analyseByReaders(plan, { moments })]) {
        const full = cutAt(
          analysis,
          plan.vectors.map((v) => v.size),
        );
        const error = await difference(bytes, rewrite(foreign, full), made(name, 99));
        t.ok(error < 2e-5, `${name}, ${analysis.method}: ${error} at full rank`);
        const errors: number[] = [];
        for (const rank of [6, 4, 2]) {
          const less = cutAt(
            analysis,
            plan.vectors.map((v) => (v.input ? 0 : rank)),
          );
          errors.push(await difference(bytes, rewrite(foreign, less), made(name, 99)));
        }
        t.comment(
          `${name}, ${analysis.method}: error at ranks 6, 4, 2: ${errors.map((e) => e.toFixed(4)).join(', ')}`,
        );
        t.ok(errors.every((e) => Number.isFinite(e) && e > 0));
      }
    }
    for (const [name, directions] of [
      ['both', 2],
      ['gru', 1],
    ] as const) {
      const bytes = await read(`${name}.onnx`);
      const foreign = await takeForeign(bytes, name);
      const layers = foreign.layers.length;
      t.same([layers, foreign.layers[0]?.directions.length], [layers, directions]);
      const full = cutAt(
        analyseByRecurrent(foreign.plan),
        foreign.plan.vectors.map((v) => v.size),
      );
      const error = await difference(bytes, rewrite(foreign, full), made(name, 98));
      t.ok(error < 2e-5, `${name}: ${error}`);
    }
  },
);
