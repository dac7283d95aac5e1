import { parseWav } from '../audio/index.js';
import { Bundle, type Manifest } from '../bundle/index.js';
import { Engine, hearClip } from '../engine.js';
import { compileGrammar } from '../recognizer/index.js';
import { defaultModelPath } from '../runtime/paths.js';
import { jsonLine, parse, type CommandRun } from './command.js';

const options = { json: { type: 'boolean', default: false } } as const;

/** What a bundle is, from its checked manifest, or a checkpoint, from its tensors. */
export const inspect: CommandRun = async (argv, io) => {
  const { values, positionals } = parse(argv, options, 'kikitori model inspect [--json] DIR|FILE');
  if (positionals[0]?.endsWith('.safetensors') === true) {
    const { inspectCheckpoint } = await import('./inspect-checkpoint.js');
    await inspectCheckpoint(positionals[0], values.json === true, io);
    return 0;
  }
  const bundle = await Bundle.open(positionals[0] ?? defaultModelPath);
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
    ([name, { bytes }]) => `${name} ${(bytes / 1e6).toFixed(2)} MB`,
  );
  const f = m.features;
  io.stdout.write(
    [
      `${m.name} ${m.version}  (${bundle.path})`,
      `  sha256      ${bundle.sha256}`,
      `  network     ${networkText(m)}, ${m.network.parameters.toLocaleString('en')} parameters`,
      `  arithmetic  weights ${m.quantization.weights}, activations ${m.quantization.activations ?? 'float32'}${m.selftest.logits === undefined ? '' : ', logits recorded bit for bit'}`,
      `  files       ${files.join(', ')}`,
      `  features    ${f.melBins} log-mel at ${f.sampleRateHz} Hz, ${f.windowMs} ms each ${f.hopMs} ms, ${f.stack} stacked every ${f.stride}`,
      `  units       ${m.units.length}`,
      `  refuses     below a confidence of ${m.confidence.threshold}`,
      `  licence     ${m.licence}`,
      `  trained on  ${m.trainingData.map((d) => String(d['name'])).join(', ')}`,
      `  measured    ${JSON.stringify(m.measured)}`,
      '',
    ].join('\n'),
  );
  return 0;
};

function networkText({ network: { kind, layers, ranks, inputRank = 0 } }: Manifest): string {
  const cells = `${kind} ${layers.join(' x ')}`;
  if (ranks === undefined) return cells;
  return `${cells}, ranks ${[...(inputRank > 0 ? [inputRank] : []), ...ranks].join(', ')}`;
}

/** Loads a bundle and recognises the clip that it carries: right phrase, or status 1. */
export const selftest: CommandRun = async (argv, io) => {
  const { values, positionals } = parse(argv, options, 'kikitori model selftest [--json] DIR|FILE');
  const engine = await Engine.open({ modelPath: positionals[0] ?? defaultModelPath });
  const { selftest: wanted } = engine.bundle.manifest;
  const grammar = compileGrammar(JSON.stringify(wanted.grammar), {
    file: 'selftest',
    lexicon: engine.lexicon,
  });
  const wav = parseWav(engine.bundle.file('selftest.wav'), 'selftest.wav');
  const begin = performance.now();
  const heard = await hearClip(
    engine,
    engine.recognizer(grammar),
    wav.channels[0] ?? new Float32Array(0),
  );
  const realTimeFactor =
    (performance.now() - begin) / 1000 / ((wav.channels[0]?.length ?? 1) / wav.rateHz);
  const passed = heard.text === wanted.text;
  const result = {
    passed,
    wanted: wanted.text,
    heard: heard.text,
    confidence: heard.confidence,
    realTimeFactor,
  };
  if (values.json === true) jsonLine(io, result);
  else
    io.stdout.write(
      `${passed ? 'passed' : 'FAILED'}: wanted "${wanted.text}", heard "${heard.text}", ${realTimeFactor.toFixed(4)} of real time\n`,
    );
  return passed ? 0 : 1;
};
