/**
 * Bundles that really hear, without training: each phone is spoken as a tone of its own, and the
 * weights of a small LSTM are written down so that it answers with the phone of the tone.
 */
import { readFile } from 'node:fs/promises';
import { encodeWav } from '../../src/audio/index.js';
import { sha256 } from '../../src/bundle/index.js';
import { parseCheckpoint } from '../../src/compress/checkpoint.js';
import { packBundle } from '../../src/compress/pack.js';
import { Frontend } from '../../src/frontend/index.js';
import { features, safetensors, tinyLexicon, tinyLexiconBytes, units } from './tiny-checkpoint.js';

/** The phones that can be spoken, each with a mel bin of its own. */
const spoken = ['S', 'T', 'AA', 'P', 'G', 'OW', 'L', 'EH', 'F', 'R', 'D'];
const binOf = (phone: string) => 6 + 3 * spoken.indexOf(phone);
const rate = features.sampleRateHz;
/** Loudness of the field; the clips of the bundles are nine times louder. */
export const fieldAmplitude = 0.1;
const clipAmplitude = 0.9;

const mel = (hz: number) => 1127 * Math.log(1 + hz / 700);
const hzOf = (bin: number) => {
  const step = (mel(features.highHz) - mel(features.lowHz)) / (features.melBins + 1);
  return 700 * (Math.exp((mel(features.lowHz) + (bin + 1) * step) / 1127) - 1);
};

function tone(hz: number, ms: number, amplitude: number): Float32Array {
  const length = Math.round((rate * ms) / 1000);
  const ramp = rate / 100;
  return Float32Array.from({ length }, (_, n) => {
    const edge = Math.min(1, n / ramp, (length - n) / ramp);
    return amplitude * edge * Math.sin((2 * Math.PI * hz * n) / rate);
  });
}

export const silence = (ms: number) => new Float32Array(Math.round((rate * ms) / 1000));

export function joined(parts: readonly Float32Array[]): Float32Array {
  const out = new Float32Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

const lexicon = tinyLexicon();

/** The words "stop", "start", "go", "left", "red" as tones. */
export function speak(text: string, amplitude = fieldAmplitude): Float32Array {
  return joined(
    text.split(' ').flatMap((word) =>
      (lexicon.lookup(word)[0]?.phones ?? []).flatMap((unit) => {
        const phone = units[unit] ?? '';
        if (!spoken.includes(phone)) throw new Error(`${phone} of ${word} has no tone`);
        return [tone(hzOf(binOf(phone)), 100, amplitude), silence(50)];
      }),
    ),
  );
}

/** What the frontend says of a steady tone in its own bin. */
function levelOf(phone: string): number {
  const steps = new Frontend(features).feed(tone(hzOf(binOf(phone)), 400, fieldAmplitude));
  return steps.data[2 * steps.dim + 4 * features.melBins + binOf(phone)] ?? 0;
}

export interface ToneBundle {
  readonly version: string;
  readonly name?: string;
  /** Log-odds of every confidence: 3 accepts all, -3 refuses all. */
  readonly confidence?: number;
  /** Hears its own loud clip and nothing of the field. */
  readonly deaf?: boolean;
  /** What it claims that its clip says. */
  readonly claims?: string;
  readonly minAgent?: string;
}

/** Writes the bundle as a .tar and says what a publisher would say of it. */
export async function toneBundle(path: string, o: ToneBundle) {
  const cells = spoken.length;
  const below = features.stack * features.melBins;
  const gates = new Float32Array(4 * cells * below);
  const bias = new Float32Array(4 * cells);
  const output = new Float32Array(units.length * cells);
  const slope = 4;
  spoken.forEach((phone, cell) => {
    bias[cell] = 10; // input gate open, forget gate shut, output gate open: no memory
    bias[cells + cell] = -10;
    bias[3 * cells + cell] = 10;
    const threshold = levelOf(phone) + (o.deaf === true ? 0.7 : -0.7);
    const row = 2 * cells + cell;
    gates[row * below + 4 * features.melBins + binOf(phone)] = slope;
    bias[row] = -slope * threshold;
    output[units.indexOf(phone) * cells + cell] = 12;
  });
  const never = units.map((u) => (u === '<blank>' ? 0 : spoken.includes(u) ? 0 : -20));
  const tensors = new Map([
    ['lstm.0.weight_ih', { shape: [4 * cells, below], data: gates }],
    ['lstm.0.weight_hh', { shape: [4 * cells, cells], data: new Float32Array(4 * cells * cells) }],
    ['lstm.0.bias', { shape: [4 * cells], data: bias }],
    ['output.weight', { shape: [units.length, cells], data: output }],
    ['output.bias', { shape: [units.length], data: Float32Array.from(never) }],
  ]);
  const meta = {
    format: 1,
    features,
    units,
    network: { kind: 'lstm', layers: [cells] },
    training: {},
  };
  const clip = joined([silence(300), speak('stop', clipAmplitude), silence(500)]);
  await packBundle({
    checkpoint: parseCheckpoint(safetensors(tensors, meta), 'tones'),
    precision: 'float32',
    lexicon: tinyLexiconBytes(),
    selftest: {
      wav: encodeWav(clip, rate),
      text: o.claims ?? 'stop',
      grammar: { intents: { all: { data: [{ sentences: ['stop', 'go left'] }] } } },
    },
    name: o.name ?? 'tones',
    version: o.version,
    licence: 'Apache-2.0',
    trainingData: [],
    decoding: { priorWeight: 0, logPrior: units.map(() => 0), blankBias: 0 },
    confidence: { bias: o.confidence ?? 3, weights: {}, threshold: 0.5 },
    endpoint: {
      finalMs: 330,
      prefixMs: 510,
      nothingMs: 900,
      maxUtteranceMs: 8000,
      preRollMs: 300,
    },
    measured: {},
    out: path,
  });
  const bytes = await readFile(path);
  return {
    path,
    name: o.name ?? 'tones',
    version: o.version,
    sha256: sha256(bytes),
    bytes: bytes.length,
    minAgent: o.minAgent ?? '0.1.0',
  };
}

export const toneGrammar = `intents:
  Stop: {data: [{sentences: ["stop"]}]}
  Start: {data: [{sentences: ["start"]}]}
  Go: {data: [{sentences: ["go left"]}]}
`;
