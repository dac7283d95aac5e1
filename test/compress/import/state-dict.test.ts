import { mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { main } from '../../../src/cli/main.js';
import { randomFrom } from '../../../src/measure/evaluate/statistics.js';
import { readStateDict, Runner, stateDictOnnx } from '../../../src/compress/import/index.js';
import {
  encodeSafetensors,
  parseSafetensors,
  readSafetensors,
  type Safetensors,
  type Tensor,
} from '../../../src/compress/safetensors.js';
import { noTorch, runTorch } from '../../sim/torch.js';

interface Shape {
  readonly gates: 3 | 4;
  readonly cells: number;
  readonly inputs: number;
  readonly layers: number;
  readonly two: boolean;
  readonly projection?: number;
  readonly head?: number;
}

/** Tensors as PyTorch names them, of random values. */
function made({ gates, cells, inputs, layers, two, projection, head }: Shape): Safetensors {
  const random = randomFrom(4);
  const tensors = new Map<string, Tensor>();
  const add = (name: string, ...shape: number[]) =>
    tensors.set(name, {
      shape,
      data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random() - 0.5),
    });
  const carried = projection ?? cells;
  const rows = gates * cells;
  for (let l = 0; l < layers; l++) {
    for (const direction of two ? ['', '_reverse'] : ['']) {
      add(`rnn.weight_ih_l${l}${direction}`, rows, l === 0 ? inputs : carried * (two ? 2 : 1));
      add(`rnn.weight_hh_l${l}${direction}`, rows, carried);
      add(`rnn.bias_ih_l${l}${direction}`, rows);
      add(`rnn.bias_hh_l${l}${direction}`, rows);
      if (projection !== undefined) add(`rnn.weight_hr_l${l}${direction}`, projection, cells);
    }
  }
  if (head !== undefined) {
    add('fc.weight', head, carried * (two ? 2 : 1));
    add('fc.bias', head);
  }
  add('other.scale', 3);
  return { tensors, metadata: { format: 'pt' } };
}

async function cli(...argv: string[]) {
  const err: string[] = [];
  const out: string[] = [];
  const status = await main(argv, {
    stdout: { write: (s: string) => (out.push(s), true) },
    stderr: { write: (s: string) => (err.push(s), true) },
  });
  return { status, err: err.join(''), out: out.join('') };
}

/** What the layers and the matrix over them give, without its bias. */
async function outputsOf(
  file: Safetensors,
  x: Float32Array,
  inputs: number,
): Promise<Float32Array> {
  const runner = await Runner.open(stateDictOnnx(readStateDict(file, 'file')));
  const out = await runner.run({ x: { dims: [x.length / inputs, 1, inputs], data: x } });
  await runner.close();
  return out.get('output')?.data ?? new Float32Array(0);
}

const shapes: readonly (readonly [string, Shape])[] = [
  ['LSTM', { gates: 4, cells: 12, inputs: 5, layers: 2, two: false, projection: 4, head: 3 }],
  [
    'bidirectional LSTM',
    { gates: 4, cells: 10, inputs: 5, layers: 3, two: true, projection: 4, head: 3 },
  ],
  ['GRU', { gates: 3, cells: 12, inputs: 5, layers: 2, two: true, projection: 4, head: 2 }],
  ['GRU without a matrix over it', { gates: 3, cells: 12, inputs: 5, layers: 1, two: false }],
];

for (const [name, shape] of shapes) {
  void t.test(`a state_dict, ${name}: in, factored, out and in again`, async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'kikitori-test-'));
    const [from, to] = [join(folder, 'net.safetensors'), join(folder, 'small.safetensors')];
    const series = join(folder, 'x.csv');
    const random = randomFrom(9);
    const x = Float32Array.from({ length: 40 * shape.inputs }, () => 2 * random() - 1);
    const long = Array.from({ length: 400 }, () =>
      Array.from({ length: shape.inputs }, () => (2 * random() - 1).toFixed(4)).join(','),
    );
    await writeFile(series, long.join('\n'));
    const file = made(shape);
    await writeFile(from, encodeSafetensors(file));
    const rank = shape.projection ?? shape.cells - 1;
    for (const how of [
      ['--method', 'paper'],
      ['--calibration', series],
    ]) {
      const { status, err } = await cli(
        ...['model', 'compress', from, '--out', to, '--ranks', `${rank}`, ...how],
      );
      t.equal(status, 0, err);
      const small = await readSafetensors(to);
      const [wanted, got] = [
        await outputsOf(file, x, shape.inputs),
        await outputsOf(small, x, shape.inputs),
      ];
      // The bias over the layers holds what was left out on average; it is no part of these outputs.
      const shift = new Float32Array(got.length);
      const [before, after] = [file, small].map((f) => f.tensors.get('fc.bias')?.data);
      shift.forEach((_, i) => {
        const at = i % (after?.length ?? 1);
        shift[i] = (after?.[at] ?? 0) - (before?.[at] ?? 0);
      });
      const most = Math.max(
        ...wanted.map((v, i) => Math.abs(v - (got[i] ?? NaN) - (shift[i] ?? 0))),
      );
      // As it was made with that rank, nothing is lost; without a projection one direction of twelve is.
      t.ok(most < (shape.projection === undefined ? 0.5 : 1e-4), `${how.join(' ')}: ${most}`);
      t.same(small.tensors.get('other.scale'), file.tensors.get('other.scale'));
      t.equal(small.metadata['format'], 'pt');
      const p = small.tensors.get('rnn.weight_hr_l0');
      t.same(p?.shape, [rank, shape.cells]);
    }
    const params = await cli(
      ...['model', 'compress', from, '--out', to, '--params', '700', '--method', 'paper', '--json'],
    );
    const facts = JSON.parse(params.out || '{}') as { parameters?: number };
    if (params.status === 0) t.ok((facts.parameters ?? NaN) <= 700, `${facts.parameters ?? ''}`);
    else t.match(params.err, /no rank has 700 parameters; expected at least/);
  });
}

void t.test(
  'what is no whole state_dict is said, all of it at once, and nothing is written',
  async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'kikitori-test-'));
    const from = join(folder, 'net.safetensors');
    const shape: Shape = { gates: 4, cells: 6, inputs: 3, layers: 2, two: false };
    const changed = (change: (tensors: Map<string, Tensor>) => void) => {
      const { tensors, metadata } = made(shape);
      const copy = new Map(tensors);
      change(copy);
      return encodeSafetensors({ tensors: copy, metadata });
    };
    const one = { shape: [24, 5], data: new Float32Array(120) };
    for (const [bytes, why] of [
      [
        changed((m) => {
          m.delete('rnn.weight_hh_l1');
          m.set('rnn.weight_ih_l1', one);
        }),
        /rnn\.weight_ih_l1 is \[24,5\], expected \[24,6\]; rnn\.weight_hh_l1 is missing/,
      ],
      [
        changed((m) => m.set('second.weight_ih_l0', one)),
        /several stacks of layers: "rnn.", "second."/,
      ],
      [
        changed((m) => m.set('rnn.weight_ih_l0', { shape: [7, 3], data: new Float32Array(21) })),
        /has 7 rows for 6 cells; expected 4 a cell/,
      ],
    ] as const) {
      await writeFile(from, bytes);
      const out = join(folder, 'small.safetensors');
      const tried = await cli(
        'model',
        'compress',
        from,
        '--out',
        out,
        '--method',
        'paper',
        '--ranks',
        '2',
      );
      t.equal(tried.status, 1);
      t.match(tried.err, why);
      t.same(await readdir(folder), ['net.safetensors']);
    }
  },
);

/** PyTorch writes a network, and reads what was made of it. */
const source = `
import json, struct, sys, torch
torch.manual_seed(5)
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = torch.nn.LSTM(5, 12, 2, proj_size=4, bidirectional=True); self.fc = torch.nn.Linear(8, 3)
    def forward(self, x):
        return self.fc(self.rnn(x)[0])
def save(path, tensors):
    head, body = {}, b''
    for name, tensor in tensors.items():
        raw = tensor.detach().numpy().astype('<f4').tobytes()
        head[name] = {'dtype': 'F32', 'shape': list(tensor.shape), 'data_offsets': [len(body), len(body) + len(raw)]}; body += raw
    text = json.dumps(head).encode()
    open(path, 'wb').write(struct.pack('<Q', len(text)) + text + body)
def load(path):
    data = open(path, 'rb').read(); n = struct.unpack('<Q', data[:8])[0]; head = json.loads(data[8:8 + n]); body = bytearray(data[8 + n:])
    return {k: torch.frombuffer(body, dtype=torch.float32, offset=v['data_offsets'][0], count=(v['data_offsets'][1] - v['data_offsets'][0]) // 4).reshape(v['shape']) for k, v in head.items() if k != '__metadata__'}
x = torch.randn(30, 1, 5)
`;

void t.test('PyTorch loads what was made of its own state_dict', { skip: noTorch() }, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'kikitori-test-'));
  const read = await runTorch(
    `${source}\nsave(sys.argv[1] + '/net.safetensors', Net().state_dict())`,
  );
  const [from, to] = [join(folder, 'net.safetensors'), join(folder, 'small.safetensors')];
  await writeFile(from, await read('net.safetensors'));
  const how = ['--method', 'paper', '--ranks', '4'];
  const { status, err } = await cli('model', 'compress', from, '--out', to, ...how);
  t.equal(status, 0, err);
  const loaded = await runTorch(`${source}
net, small = Net(), Net()
net.load_state_dict(load(${JSON.stringify(from)})); small.load_state_dict(load(${JSON.stringify(to)}))
save(sys.argv[1] + '/out.safetensors', {'difference': (net(x) - small(x)).abs().max().reshape(1), 'largest': net(x).abs().max().reshape(1)})
`);
  const { tensors } = parseSafetensors(await loaded('out.safetensors'), 'out');
  const difference = tensors.get('difference')?.data[0] ?? NaN;
  t.ok(difference < 1e-4, `${difference} of ${tensors.get('largest')?.data[0] ?? NaN}`);
  t.same(
    [...parseSafetensors(await readFile(to), to).tensors.keys()].sort(),
    [...parseSafetensors(await readFile(from), from).tensors.keys()].sort(),
  );
});
