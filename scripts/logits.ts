/**
 * Logits and states of random networks and of bundles, as raw float32 files: run on two processors,
 * compare. For scripts/arm-test.
 *   logits.js FOLDER [BUNDLE...]
 *   logits.js --compare FOLDER FOLDER...
 */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Bundle } from '../src/bundle/index.js';
import { tensorShapes, type NetworkCheckpoint, type Tensor } from '../src/compress/checkpoint.js';
import { randomFrom } from '../src/measure/evaluate/statistics.js';
import { floatArithmetic } from '../src/compress/graph/arithmetic.js';
import { networkGraph } from '../src/compress/graph/network.js';
import { GraphSession } from '../src/compress/graph/session.js';
import { byteArithmetic } from '../src/compress/quantize/byte-arithmetic.js';
import { activationNames, ActivationScales } from '../src/compress/quantize/scales.js';

const steps = 100;

function randomNetwork(ranks: readonly number[], inputRank: number): NetworkCheckpoint {
  const random = randomFrom(1);
  const shape = {
    kind: ranks.length > 0 ? ('lstmp' as const) : ('lstm' as const),
    layers: [160, 160, 160],
    ranks,
    inputRank,
    inputs: 320,
    outputs: 40,
  };
  const tensors = new Map<string, Tensor>();
  for (const [name, dims] of tensorShapes(shape)) {
    const size = 3 / Math.sqrt(dims[1] ?? 40);
    const data = Float32Array.from(
      { length: dims.reduce((a, b) => a * b, 1) },
      () => size * (random() - 0.5),
    );
    tensors.set(name, { shape: dims, data });
  }
  return { ...shape, tensors, training: {} };
}

function signal(inputs: number): Float32Array {
  const random = randomFrom(2);
  return Float32Array.from({ length: inputs * steps }, () => 4 * (random() - 0.5));
}

async function write(folder: string, bundles: readonly string[]): Promise<void> {
  const graphs = new Map<string, { onnx: Uint8Array; inputs: number }>();
  const networks = { factored: randomNetwork([48, 32, 40], 32), dense: randomNetwork([], 0) };
  for (const [name, network] of Object.entries(networks)) {
    const named = Object.fromEntries(
      activationNames(network)
        .filter((n) => !n.startsWith('h.'))
        .map((n) => [n, n === 'input' ? 2 / 127 : 1.5 / 127]),
    );
    const bytes = byteArithmetic(ActivationScales.from(network, named, name));
    graphs.set(`8-bit ${name}`, { onnx: networkGraph(network, bytes), inputs: 320 });
    graphs.set(`float ${name}`, {
      onnx: networkGraph(network, floatArithmetic('float32')),
      inputs: 320,
    });
  }
  for (const path of bundles) {
    const bundle = await Bundle.open(path);
    const { features, selftest } = bundle.manifest;
    // Of 4-bit weights too the products are those of 8 bits.
    const kind = selftest.logits !== undefined ? '8-bit' : 'float';
    graphs.set(`${kind} ${basename(path)}`, {
      onnx: bundle.file('model.onnx'),
      inputs: features.stack * features.melBins,
    });
  }
  for (const [name, { onnx, inputs }] of graphs) {
    const session = await GraphSession.open(onnx, inputs);
    for (const [output, values] of await session.run(signal(inputs), [4]))
      await writeFile(join(folder, `${name} ${output}`), new Uint8Array(values.buffer));
  }
}

/** Says how far apart; true when every logit of the 8-bit graphs has the same bits. */
async function compare(here: string, others: readonly string[]): Promise<boolean> {
  let same = true;
  for (const other of others) {
    for (const name of (await readdir(here)).sort()) {
      const [a, b] = await Promise.all(
        [here, other].map(async (f) => floats(await readFile(join(f, name)))),
      );
      if (a === undefined || b === undefined) continue;
      let [largest, different] = [0, 0];
      a.forEach((v, i) => {
        largest = Math.max(largest, Math.abs(v - (b[i] ?? NaN)));
        if (!Object.is(v, b[i])) different++;
      });
      const equal = different === 0 && a.length === b.length;
      if (!equal && name.startsWith('8-bit') && name.endsWith('logits')) same = false;
      if (equal && !name.endsWith('logits')) continue;
      const said = equal
        ? 'same bits'
        : `${different} of ${a.length} differ, at most ${largest.toExponential(1)}`;
      process.stdout.write(`${basename(other).padEnd(11)} ${name.padEnd(28)} ${said}\n`);
    }
  }
  return same;
}

const floats = (bytes: Buffer) => new Float32Array(new Uint8Array(bytes).buffer);

const [first = '', ...rest] = process.argv.slice(2);
if (first === '--compare') {
  const [here = '', ...others] = rest;
  process.exitCode = (await compare(here, others)) ? 0 : 1;
} else {
  await write(first, rest);
}
