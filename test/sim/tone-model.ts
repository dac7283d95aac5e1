/**
 * A network made by hand that hears tones: unit u is the tone in the middle of mel band u. So a test can
 * say any sentence of the lexicon, and the whole path must answer exactly, without a trained model.
 */
import { parseCheckpoint, type Checkpoint } from '../../src/compress/checkpoint.js';
import { randomFrom } from '../../src/measure/evaluate/statistics.js';
import type { Lexicon } from '../../src/recognizer/index.js';
import { features, safetensors, tinyBundle, tinyLexicon, units } from './tiny-checkpoint.js';

const rateHz = features.sampleRateHz;
const toneMs = 100;
const pauseMs = 50;
const amplitude = 0.3;
/** Of the stacked frames, the one that is looked at. */
const frameOfStack = 4;
/** Share of a normalised log energy that the cell sees: keeps tanh in its straight part. */
const inputScale = 0.2;
const outputScale = 60;
/** A band with less normalised log energy than this is quiet. */
const quietLevel = 0.3;

const mel = (hz: number) => 1127 * Math.log(1 + hz / 700);
const hertz = (m: number) => 700 * (Math.exp(m / 1127) - 1);

/** The tone of a unit, at the peak of its mel band. */
export function toneHz(unit: number): number {
  const low = mel(features.lowHz);
  const spacing = (mel(features.highHz) - low) / (features.melBins + 1);
  return hertz(low + (unit + 1) * spacing);
}

/** One LSTM layer whose cell b answers to band b alone and forgets at once; unit u listens to cell u. */
export function toneCheckpoint(): Checkpoint {
  const cells = features.melBins;
  const dim = features.stack * features.melBins;
  const tensor = (...shape: number[]) => ({
    shape,
    data: new Float32Array(shape.reduce((a, b) => a * b, 1)),
  });
  const weightIh = tensor(4 * cells, dim);
  const bias = tensor(4 * cells);
  const open = 12;
  for (let c = 0; c < cells; c++) {
    // Gates in the order i, f, g, o.
    bias.data[c] = open;
    bias.data[cells + c] = -open;
    bias.data[3 * cells + c] = open;
    weightIh.data[(2 * cells + c) * dim + frameOfStack * features.melBins + c] = inputScale;
  }
  const output = tensor(units.length, cells);
  const outputBias = tensor(units.length);
  for (let u = 1; u < units.length; u++) output.data[u * cells + u] = outputScale;
  outputBias.data[0] = outputScale * Math.tanh(Math.tanh(inputScale * quietLevel));
  const bytes = safetensors(
    new Map([
      ['lstm.0.weight_ih', weightIh],
      ['lstm.0.weight_hh', tensor(4 * cells, cells)],
      ['lstm.0.bias', bias],
      ['output.weight', output],
      ['output.bias', outputBias],
    ]),
    { format: 1, features, units, network: { kind: 'lstm', layers: [cells] }, training: {} },
  );
  return parseCheckpoint(bytes, 'tones');
}

/** A bundle that hears tones. */
export const toneBundle = (name = 'tones') =>
  tinyBundle(name, toneCheckpoint(), {
    bias: 3,
    weights: { llrMean: 1, llrWorstWord: 0.5, outside: -6 },
    threshold: 0.5,
  });

/** Words as tones, with `beforeMs` and `afterMs` of faint noise around them. */
export function speak(
  text: string,
  { beforeMs = 0, afterMs = 0, seed = 1 } = {},
  lexicon: Lexicon = tinyLexicon(),
): Float32Array {
  const random = randomFrom(seed);
  const noise = () => (random() - 0.5) * 2e-4;
  const silence = (ms: number) => Float32Array.from({ length: (ms * rateHz) / 1000 }, noise);
  const parts: Float32Array[] = [silence(beforeMs)];
  for (const word of text.split(' ').filter((w) => w !== '')) {
    const [first] = lexicon.lookup(word);
    if (first === undefined) throw new Error(`no pronunciation of ${word}`);
    for (const unit of first.phones) parts.push(tone(unit, noise), silence(pauseMs));
  }
  parts.push(silence(afterMs));
  const whole = new Float32Array(parts.reduce((sum, p) => sum + p.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function tone(unit: number, noise: () => number): Float32Array {
  const samples = (toneMs * rateHz) / 1000;
  const ramp = samples / 8;
  const step = (2 * Math.PI * toneHz(unit)) / rateHz;
  return Float32Array.from({ length: samples }, (_, i) => {
    const edge = Math.min(1, (i + 1) / ramp, (samples - i) / ramp);
    return amplitude * edge * Math.sin(step * i) + noise();
  });
}
