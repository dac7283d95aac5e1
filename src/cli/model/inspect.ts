import { Bundle, storedDigest, type Manifest } from '../../bundle/index.js';
import { defaultModelPath } from '../../runtime/paths.js';
import { confinedName } from '../../runtime/confine.js';
import { readFreeWords } from '../../engine/free-words.js';
import { selfTest, selfTestFault, type SelfTestResult } from '../../engine/selftest.js';
import { jsonLine, parse, usageError, type CommandRun } from '../shared/command.js';

const options = {
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

/** What a bundle is, from its checked manifest, or a checkpoint, from its tensors. */
export const inspect: CommandRun = async (argv, io) => {
  const { values, positionals } = parse(argv, options, 'kikitori model inspect [--json] DIR|FILE', {
    most: 1,
  });
  if (values.help) {
    io.stdout.write(`usage: kikitori model inspect [--json] DIR|FILE

Says what a bundle, a checkpoint or an ONNX file is: network, ranks, arithmetic, files, features, licence, figures;
of an ONNX file its recurrent nodes wherever they stand, and what of them can be compressed.
Every file of a bundle is checked against its manifest first.
`);
    return 0;
  }
  if (positionals[0]?.endsWith('.safetensors') === true) {
    const { inspectCheckpoint } = await import('./inspect-checkpoint.js');
    await inspectCheckpoint(positionals[0], values.json === true, io);
    return 0;
  }
  const { inspectOnnx, isOnnx } = await import('./inspect-onnx.js');
  const [path] = positionals;
  if (path !== undefined && (path.endsWith('.onnx') || (await isOnnx(path)))) {
    await inspectOnnx(path, values.json === true, io);
    return 0;
  }
  const bundle = await Bundle.open(path ?? defaultModelPath);
  const { manifest: m } = bundle;
  if (values.json === true) {
    jsonLine(io, {
      path: bundle.path,
      sha256: bundle.sha256,
      ...m,
      features: { ...m.features, mean: undefined, std: undefined },
    });
    return 0;
  }
  const files = Object.entries(m.files).map(
    ([name, { bytes, packed }]) =>
      `${name} ${(bytes / 1e6).toFixed(2)} MB` +
      (packed === undefined
        ? ''
        : ` (${(packed.bytes / 1e6).toFixed(2)} MB packed${packed.filter === undefined ? '' : ' by its 4-bit weights'})`),
  );
  const f = m.features;
  io.stdout.write(
    [
      `${m.name} ${m.version}  (${bundle.path})`,
      `  sha256      ${bundle.sha256}`,
      `  network     ${networkText(m)}, ${m.network.parameters.toLocaleString('en')} parameters`,
      `  arithmetic  weights ${weightsText(m)}, activations ${m.quantization.activations ?? 'float32'}${m.selftest.logits === undefined ? '' : ', logits recorded bit for bit'}`,
      `  files       ${files.join(', ')}`,
      `  features    ${f.melBins} log-mel at ${f.sampleRateHz} Hz, ${f.windowMs} ms each ${f.hopMs} ms, ${f.stack} stacked every ${f.stride}`,
      `  units       ${m.units.length}`,
      `  refuses     below a confidence of ${m.confidence.threshold}`,
      `  licence     ${m.licence}`,
      ...(m.languageModel === undefined
        ? []
        : [`  free words  by ${m.languageModel.name} ${m.languageModel.minVersion} or newer`]),
      `  trained on  ${m.trainingData.map(nameOfSet).join(', ')}`,
      `  measured    ${JSON.stringify(m.measured)}`,
      '',
    ].join('\n'),
  );
  return 0;
};

/** What they are stored as, and what a parameter takes on flash. */
function weightsText({ quantization: { weights }, network, files }: Manifest): string {
  const file = files['model.onnx'];
  const bits = (8 * (file === undefined ? 0 : storedDigest(file).bytes)) / network.parameters;
  return `${weights} (${bits.toFixed(2)} bits a parameter as stored)`;
}

function networkText({ network: { kind, layers, ranks, inputRank = 0 } }: Manifest): string {
  const cells = `${kind} ${layers.join(' x ')}`;
  if (ranks === undefined) return cells;
  return `${cells}, ranks ${[...(inputRank > 0 ? [inputRank] : []), ...ranks].join(', ')}`;
}

const selftestUsage =
  'kikitori model selftest [--json] [--grammar FILE] [--words FILE] [--language-model FILE [--boost FILE] [--dictation]] [--threads N] DIR|FILE';

/** Loads a bundle and recognises the clip that it carries: right phrase, and logits bit for bit if it says them, or status 1. */
export const selftest: CommandRun = async (argv, io) => {
  const { values, positionals } = parse(
    argv,
    {
      ...options,
      grammar: { type: 'string' },
      words: { type: 'string' },
      'language-model': { type: 'string' },
      boost: { type: 'string' },
      dictation: { type: 'boolean', default: false },
      threads: { type: 'string', default: '1' },
    },
    selftestUsage,
    { most: 1 },
  );
  if (values.help) {
    io.stdout.write(`usage: ${selftestUsage}

Opens a bundle as the daemon would and hears the clip that it carries. Status 1 unless the phrase is the
one it names and, for an 8-bit network, the logits are those it was packed with, bit for bit. Also says
the real-time factor and the memory. --grammar and --words: a site's own must compile with it.
--language-model: sentences may have slots for any words, which are then listened for; with --dictation they are
even if there is no such slot.
`);
    return 0;
  }
  const threads = Number(values.threads);
  if (!Number.isInteger(threads) || threads < 1)
    throw usageError('--threads is no number from 1', selftestUsage);
  const languageModelPath = values['language-model'];
  const { boost: boostPath, dictation } = values;
  if (languageModelPath === undefined && (boostPath !== undefined || dictation))
    throw usageError('--boost and --dictation need --language-model FILE', selftestUsage);
  let result: SelfTestResult;
  try {
    result = await selfTest({
      modelPath: positionals[0] ?? defaultModelPath,
      threads,
      ...(values.grammar === undefined ? {} : { grammarPath: values.grammar }),
      ...(values.words === undefined ? {} : { wordsPath: values.words }),
      ...(languageModelPath === undefined
        ? {}
        : { freeWords: (lexicon) => readFreeWords(lexicon, { languageModelPath, boostPath }) }),
      dictation,
    });
  } catch (error) {
    if (values.json === true) jsonLine(io, selfTestFault(error));
    throw error;
  }
  const { passed, wanted, heard, logits, realTimeFactor, openMs, peakRssMb } = result;
  if (values.json === true) jsonLine(io, { ...result, confined: io.env[confinedName] ?? '' });
  else
    io.stdout.write(
      `${passed ? 'passed' : 'FAILED'}: wanted "${wanted}", heard "${heard}", logits ${logits}, ${realTimeFactor.toFixed(4)} of real time, opened in ${openMs.toFixed(0)} ms, ${peakRssMb.toFixed(0)} MB\n`,
    );
  return passed ? 0 : 1;
};

/** A set of the training data, by whichever key the card gives its name. */
function nameOfSet(data: Readonly<Record<string, unknown>>): string {
  const name = data['set'] ?? data['name'];
  return typeof name === 'string' ? name : '?';
}
