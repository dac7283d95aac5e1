/**
 * Silero VAD (npm `@ricky0123/vad-web`, its `dist` folder) factored at full rank against itself:
 * `node dist/bench/silero.js MODELS RECORDINGS [--seconds 3600] [--rate 16000]`. Both networks hear the same
 * recordings, each with its own state from frame to frame; the largest difference of each output is printed, and
 * beside it the largest value that this output took. Status 1 unless every score is within 1e-4.
 * `--only v5 --small FILE.onnx` takes a compressed file instead of full rank; frames that it judges otherwise at 0.5
 * are counted.
 */
import { basename, join } from 'node:path';
import { randomFrom } from '../src/measure/evaluate/statistics.js';
import { analyseByRecurrent, cutAt, recordings } from '../src/compress/factorize/index.js';
import {
  parametersOf,
  readOnnx,
  rewrite,
  Runner,
  takeForeign,
  type Feed,
  type Value,
} from '../src/compress/import/index.js';
import { numberArgument } from './lib/report.js';
import { sileroVersions } from './lib/silero.js';

const [models = '', folder = ''] = process.argv.slice(2);
const seconds = numberArgument('seconds', 3600);
const rate = numberArgument('rate', 16000);
const part = rate / 16000;
const argument = (name: string) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? undefined : process.argv[at + 1];
};
const only = argument('only');
const small = argument('small');

const versions = sileroVersions.map((v) => ({
  ...v,
  frame: v.frame * part,
  context: v.context * part,
}));
type Version = (typeof versions)[number];

/** A detector with its state. */
class Detector {
  private state: Feed = {};
  private before = new Float32Array(0);

  constructor(
    private readonly runner: Runner,
    private readonly version: Version,
  ) {
    this.reset();
  }

  reset(): void {
    const { state, context } = this.version;
    this.state = Object.fromEntries(
      Object.entries(state).map(([name, dims]) => [
        name,
        { dims, data: new Float32Array(dims.reduce((a, b) => a * b, 1)) },
      ]),
    );
    this.before = new Float32Array(context);
  }

  async hear(samples: Float32Array): Promise<ReadonlyMap<string, Value>> {
    const { context, next } = this.version;
    const data = new Float32Array(context + samples.length);
    data.set(this.before);
    data.set(samples, context);
    this.before = data.slice(data.length - context);
    const input = { dims: [1, data.length], data };
    const sr = { dims: [], data: Float32Array.of(rate) };
    const out = await this.runner.run({ ...this.state, input, sr });
    this.state = Object.fromEntries(
      Object.entries(next).map(([from, to]) => [to, out.get(from) ?? input]),
    );
    return out;
  }
}

const heard = await recordings(folder, { seconds, rateHz: rate, random: randomFrom(1) });
const total = heard.reduce((sum, s) => sum + s.length / rate, 0);
let worst = 0;
for (const version of versions.filter((v) => v.file.includes(only ?? ''))) {
  const path = join(models, version.file);
  const foreign = await takeForeign(await readOnnx(path), path);
  const { plan } = foreign;
  const full = plan.vectors.map((v) => (v.input ? 0 : v.size));
  const bytes =
    small === undefined
      ? rewrite(foreign, cutAt(analyseByRecurrent(plan), full))
      : await readOnnx(small);
  const runners = [await Runner.open(foreign.model.bytes), await Runner.open(bytes)] as const;
  const [dense, factored] = runners.map((r) => new Detector(r, version));
  if (dense === undefined || factored === undefined) throw new Error('two detectors');
  /** Of each output: the largest difference, and the largest value. */
  const most = new Map<string, { difference: number; value: number }>();
  let frames = 0;
  let otherwise = 0;
  for (const samples of heard) {
    dense.reset();
    factored.reset();
    for (let at = 0; at + version.frame <= samples.length; at += version.frame) {
      const frame = samples.subarray(at, at + version.frame);
      const wanted = await dense.hear(frame);
      const got = await factored.hear(frame);
      frames++;
      const [a = NaN, b = NaN] = [wanted, got].map((o) => o.get('output')?.data[0]);
      if (a > 0.5 !== b > 0.5) otherwise++;
      for (const [name, { data }] of wanted) {
        const other = got.get(name)?.data;
        const known = most.get(name) ?? { difference: 0, value: 0 };
        data.forEach((v, i) => {
          const difference = Math.abs(v - (other?.[i] ?? NaN));
          if (!(difference <= known.difference)) known.difference = difference;
          known.value = Math.max(known.value, Math.abs(v));
        });
        most.set(name, known);
      }
    }
  }
  for (const runner of runners) await runner.close();
  const score = most.get('output')?.difference ?? NaN;
  if (!(score <= worst)) worst = score;
  const parameters = foreign.layers.reduce((sum, layer) => sum + parametersOf(layer), 0);
  const said = [...most].map(
    ([name, { difference, value }]) =>
      `${name} ${difference.toExponential(1)} (values to ${value.toPrecision(3)})`,
  );
  process.stdout.write(
    `${basename(path)}: ${foreign.layers.length} layers of ${parameters.toLocaleString('en')} parameters at ${foreign.layers.reduce((s, l) => s + l.sites.length, 0)} places, ${frames.toLocaleString('en')} frames of ${(total / 60).toFixed(1)} minutes at ${rate} Hz: largest differences ${said.join(', ')}; ${otherwise.toLocaleString('en')} frames judged otherwise\n`,
  );
}
process.exitCode = worst < 1e-4 ? 0 : 1;
