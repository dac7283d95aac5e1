/**
 * A dense network taken apart and cut to a sixth: `node dist/bench/factorize.js [--cells 500] [--layers 5]
 * [--calls 20]`. Random weights, and for the data-aware method calls of 100 made-up steps each, through the
 * network, its gradient and all decompositions. CPU time of all threads, so that what runs beside it counts
 * little; each method in a process of its own, so that its memory is its own.
 */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import {
  parameterCount,
  tensorShapes,
  type NetworkCheckpoint,
  type Tensor,
} from '../src/compress/checkpoint.js';
import { randomFrom } from '../src/measure/evaluate/statistics.js';
import {
  analysisOf,
  factorize,
  parameters,
  prepare,
  withinBudget,
} from '../src/compress/factorize/index.js';
import { denseGraph } from '../src/compress/graph/dense.js';
import { takeForeign, type Feed } from '../src/compress/import/index.js';
import { cpuMsOf, numberArgument, report, type Row } from './lib/report.js';

const layers = Array.from({ length: numberArgument('layers', 5) }, () =>
  numberArgument('cells', 500),
);
const calls = numberArgument('calls', 20);
const [inputs, stepsEach] = [320, 100];
const methods = ['paper', 'data-aware'] as const;
const random = randomFrom(1);

function randomNetwork(): NetworkCheckpoint {
  const shape = { kind: 'lstm' as const, layers, ranks: [], inputRank: 0, inputs, outputs: 40 };
  const tensors = new Map<string, Tensor>();
  for (const [name, dims] of tensorShapes(shape)) {
    const length = dims.reduce((a, b) => a * b, 1);
    const data = Float32Array.from({ length }, () => 0.2 * (random() - 0.5));
    tensors.set(name, { shape: dims, data });
  }
  return { ...shape, tensors, training: {} };
}

const zeros = (...dims: number[]) => ({
  dims,
  data: new Float32Array(dims.reduce((a, b) => a * b, 1)),
});

function madeCall(): Feed {
  const features = zeros(stepsEach, 1, inputs);
  features.data.forEach((_, i) => (features.data[i] = 2 * random() - 1));
  const states = layers.flatMap((cells, l) =>
    ['h', 'c'].map((n) => [`${n}${l}`, zeros(1, 1, cells)]),
  );
  return { features, ...(Object.fromEntries(states) as Feed) };
}

async function measure(method: (typeof methods)[number]): Promise<void> {
  const network = randomNetwork();
  const foreign = await takeForeign(denseGraph(network, 'float32'), 'random');
  const chain = { foreign, network };
  const feeds = Array.from({ length: calls }, madeCall);
  const budget = { price: parameters, limit: parameterCount(network) / 6, multiple: 8 };
  const ms = await cpuMsOf(async () => {
    const prepared = await prepare(chain, { method, feeds, loss: 'softmax', outputs: ['logits'] });
    const analysis = analysisOf(network, prepared.analysis);
    factorize(analysis, withinBudget(analysis, budget).ranks);
  });
  const peakMb = process.resourceUsage().maxRSS / 1024;
  process.stdout.write(JSON.stringify({ seconds: ms / 1000, peakMb }));
}

const own = methods.find((m) => process.argv.includes(`--only=${m}`));
if (own !== undefined) await measure(own);
else {
  const rows: Row[] = methods.flatMap((method) => {
    const argv = [fileURLToPath(import.meta.url), ...process.argv.slice(2), `--only=${method}`];
    const text = execFileSync(process.execPath, argv, { encoding: 'utf8' });
    const { seconds, peakMb } = JSON.parse(text) as { seconds: number; peakMb: number };
    return [
      { name: `${method}, to a sixth`, unit: 's CPU', values: [seconds], aim: '60' },
      { name: `${method}, peak memory`, unit: 'MB', values: [peakMb] },
    ];
  });
  report('factorize', rows, { layers, inputs, calls, stepsEach });
}
