import { readFile } from 'node:fs/promises';
import { encodeWav, readAudioFile } from '../../audio/index.js';
import type {
  Confidence,
  Decoding,
  EndpointTimes,
  WantedLanguageModel,
} from '../../bundle/index.js';
import { readCheckpoint } from '../../compress/checkpoint.js';
import type { WeightFormat } from '../../compress/graph/build.js';
import { packBundle, repackLexicon } from '../../compress/pack.js';
import { readText } from '../../engine/engine.js';
import { buildLexicon } from '../../recognizer/index.js';
import { parse, usageError, type CommandRun } from '../shared/command.js';

const usage =
  'kikitori model pack --checkpoint FILE --card FILE.json --selftest FILE.wav --out DIR|FILE.tar [--precision uint8|float16|float32|int4|mixed]\n' +
  '       kikitori model pack --bundle DIR|FILE.tar --out DIR|FILE.tar';

const help = `usage: ${usage}

Makes a bundle, all that a device needs to hear, of a trained network: dense, factored, or quantised.

  --checkpoint  what the trainer, "model compress" or "model quantize" wrote
  --precision   how weights are stored: uint8, int4 or mixed (8-bit arithmetic, weights in 8 or 4 bits,
                or in 4 where they lie on that grid; what the checkpoint was quantised to is the
                default), float16 (the default of others; computes in float32), or float32. int4 of a
                network that is not on its grid rounds to nearest: let "model quantize --weight-bits 4"
                or the trainer do it
  --card        JSON with name, version, licence, trainingData, selftest {text, grammar}, and, from
                "model calibrate", decoding, confidence and endpoint; if you like languageModel
                {name, minVersion}, with which free words were measured
  --selftest    a recording of that text, which every device must recognise before it trusts the bundle.
                Of a quantised network the manifest also gets the SHA-256 of its logits: they are the same,
                bit for bit, on every board
  --out         a folder, or a .tar
  --bundle      instead of the rest: a bundle whose network, self-test and figures are kept as they are,
                and whose lexicon is built anew (a newer dictionary, or a newer format of the file)
`;

const precisions: readonly string[] = [
  'uint8',
  'float16',
  'float32',
  'int4',
  'mixed',
] satisfies WeightFormat[];
const isPrecision = (v: string): v is WeightFormat => precisions.includes(v);

/** What the card adds to a checkpoint: everything in a manifest that no computation gives. */
interface Card {
  readonly name: string;
  readonly version: string;
  readonly licence: string;
  readonly trainingData: readonly Readonly<Record<string, unknown>>[];
  readonly selftest: { readonly text: string; readonly grammar: unknown };
  readonly decoding?: Decoding;
  readonly confidence?: Confidence;
  readonly endpoint?: EndpointTimes;
  readonly measured?: Readonly<Record<string, unknown>>;
  readonly languageModel?: WantedLanguageModel;
}

/** Reasoned values, until `model calibrate` has measured some. */
export const uncalibrated = {
  confidence: {
    bias: 3.5,
    weights: { llrMean: 0.9, llrWorstWord: 0.5, llrWorstPhone: 0.1, margin: 0.08, outside: -6 },
    threshold: 0.5,
  },
  endpoint: { finalMs: 330, prefixMs: 810, nothingMs: 1500, maxUtteranceMs: 12000, preRollMs: 600 },
};

export const run: CommandRun = async (argv, io) => {
  const { values } = parse(
    argv,
    {
      checkpoint: { type: 'string' },
      card: { type: 'string' },
      selftest: { type: 'string' },
      precision: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
      out: { type: 'string' },
      bundle: { type: 'string' },
    },
    usage,
  );
  if (values.help === true) {
    io.stdout.write(help);
    return 0;
  }
  const { checkpoint: path, card: cardPath, selftest, out, precision } = values;
  const { default: dictionary } = await loadDictionary();
  if (typeof values.bundle === 'string') {
    const other = [path, cardPath, selftest, precision];
    if (typeof out !== 'string' || other.some((v) => v !== undefined))
      throw usageError('--bundle goes with --out and nothing else', usage);
    const lexicon = (units: readonly string[]) => buildLexicon(dictionary, units);
    const bytes = await repackLexicon(values.bundle, lexicon, out);
    io.stderr.write(`${out}: packed, a lexicon of ${bytes} bytes\n`);
    return 0;
  }
  if (
    typeof path !== 'string' ||
    typeof cardPath !== 'string' ||
    typeof selftest !== 'string' ||
    typeof out !== 'string'
  ) {
    throw usageError('something is missing', usage);
  }
  if (precision !== undefined && !isPrecision(precision))
    throw usageError(`--precision is "${precision}"`, usage);
  const card = JSON.parse(await readText(cardPath, 'a card in JSON')) as Card;
  const checkpoint = await readCheckpoint(path);
  const clip = await readAudioFile(selftest, { rateHz: checkpoint.features.sampleRateHz });
  const decoding = card.decoding ?? {
    priorWeight: 0,
    logPrior: checkpoint.units.map(() => 0),
    blankBias: 0,
  };
  await packBundle({
    checkpoint,
    precision,
    lexicon: buildLexicon(dictionary, checkpoint.units),
    selftest: {
      wav: selftest.endsWith('.wav')
        ? await readFile(selftest)
        : encodeWav(clip.samples, clip.rateHz),
      ...card.selftest,
    },
    name: card.name,
    version: card.version,
    licence: card.licence,
    trainingData: card.trainingData,
    decoding,
    confidence: card.confidence ?? uncalibrated.confidence,
    endpoint: card.endpoint ?? uncalibrated.endpoint,
    measured: card.measured ?? {},
    languageModel: card.languageModel,
    out,
  });
  io.stderr.write(`${out}: packed\n`);
  return 0;
};

async function loadDictionary(): Promise<{ default: Readonly<Record<string, string>> }> {
  const module = await import('cmu-pronouncing-dictionary');
  return { default: module.dictionary };
}
