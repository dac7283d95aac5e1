/**
 * onnx's own backend cases of LSTM, GRU and RNN, factored at full rank: each gives what its data say, or is
 * refused by name. `node dist/bench/onnx-cases.js PYTHON`, where PYTHON is one that has `onnx` of PyPI.
 *
 * The weights are inputs there; they become constants first, as in a trained network.
 */
import { execFileSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import onnxProto from 'onnx-proto';
import { analyseByRecurrent, cutAt } from '../src/compress/factorize/index.js';
import {
  rewrite,
  Runner,
  takeForeign,
  tensorValues,
  type Value,
} from '../src/compress/import/index.js';
import { messageOf } from '../src/runtime/errors.js';

const { ModelProto, TensorProto } = onnxProto.onnx;
const folder = await mkdtemp(join(tmpdir(), 'kikitori-onnx-'));
const source = `
import os, sys
from onnx import numpy_helper
from onnx.backend.test.case.node import collect_testcases
for case in collect_testcases(sys.argv[2]):
    data = os.path.join(sys.argv[1], case.name, 'test_data_set_0'); os.makedirs(data)
    open(os.path.join(data, '..', 'model.onnx'), 'wb').write(case.model.SerializeToString())
    for kind, values in zip(('input', 'output'), case.data_sets[0]):
        for i, value in enumerate(values):
            open(os.path.join(data, f'{kind}_{i}.pb'), 'wb').write(numpy_helper.from_array(value).SerializeToString())
`;
// The package makes cases of one operator a process.
for (const operator of ['LSTM', 'GRU', 'RNN'])
  execFileSync(process.argv[2] ?? 'python3', ['-W', 'ignore', '-c', source, folder, operator]);
/** Inputs of a recurrent node that training makes: W, R, B, and P of an LSTM. */
const trained = [1, 2, 3, 7];

async function tensors(path: string, kind: 'input' | 'output') {
  const names = (await readdir(path)).filter((n) => n.startsWith(`${kind}_`)).sort();
  return Promise.all(
    names.map(async (name) => TensorProto.decode(await readFile(join(path, name)))),
  );
}

/** What a case says after factoring: the largest difference from its data. */
async function tried(name: string): Promise<number> {
  const model = ModelProto.decode(await readFile(join(folder, name, 'model.onnx')));
  const { graph } = model;
  const [node] = graph?.node ?? [];
  if (!graph || !node) throw new Error('a case has a node');
  const data = join(folder, name, 'test_data_set_0');
  const given = await tensors(data, 'input');
  const weights = new Set(trained.map((i) => node.input?.[i] ?? '').filter((n) => n !== ''));
  const inputs = (graph.input ?? []).map(({ name }, i) => ({ name: name ?? '', tensor: given[i] }));
  graph.initializer = inputs.flatMap(({ name, tensor }) =>
    tensor !== undefined && weights.has(name) ? [{ ...tensor, name }] : [],
  );
  graph.input = (graph.input ?? []).filter((i) => !weights.has(i.name ?? ''));
  const foreign = await takeForeign(ModelProto.encode(model).finish(), name);
  const { plan } = foreign;
  const full = plan.vectors.map((v) => (v.input ? 0 : v.size));
  const runner = await Runner.open(rewrite(foreign, cutAt(analyseByRecurrent(plan), full)));
  const feed = Object.fromEntries(
    inputs.flatMap(({ name, tensor }): [string, Value][] =>
      tensor === undefined || weights.has(name) ? [] : [[name, tensorValues(tensor, name, name)]],
    ),
  );
  const out = await runner.run(feed);
  await runner.close();
  let most = 0;
  const wanted = await tensors(data, 'output');
  (graph.output ?? []).forEach(({ name }, o) => {
    const right = tensorValues(wanted[o] ?? {}, name ?? '', data).data;
    const got = out.get(name ?? '')?.data;
    if (got?.length !== right.length) most = Infinity;
    right.forEach((v, i) => {
      const difference = Math.abs(v - (got?.[i] ?? NaN));
      if (!(difference <= most)) most = difference;
    });
  });
  return most;
}

let wrong = 0;
for (const name of (await readdir(folder)).sort()) {
  let said: string;
  try {
    const difference = await tried(name);
    if (!(difference < 1e-4)) wrong++;
    said = `${difference < 1e-4 ? 'passes' : 'FAILS'}, largest difference ${difference.toExponential(1)}`;
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'KikitoriError') throw error;
    said = `refused: ${messageOf(error)}`;
  }
  process.stdout.write(`${name.padEnd(44)} ${said}\n`);
}
await rm(folder, { recursive: true });
process.exitCode = wrong === 0 ? 0 : 1;
