import { readCheckpoint, writeCheckpoint, type Checkpoint } from '../../compress/checkpoint.js';
import { buildGraph } from '../../compress/graph/build.js';
import { chooseScales, observe, type ScaleRule } from '../../compress/quantize/calibrate.js';
import { answersOf } from '../../compress/quantize/answers.js';
import { distance, type Distance } from '../../compress/quantize/compare.js';
import { isRounding, onNearest, roundNetwork } from '../../compress/quantize/least-squares.js';
import type { IntegerFormat } from '../../compress/quantize/formats.js';
import { mixedToFit, type Mixed } from '../../compress/quantize/mixed.js';
import { activationNames, namedScale } from '../../compress/quantize/scales.js';
import { recordedClips, type RecordedClip } from '../../compress/recordings.js';
import { remaining } from '../../runtime/progress.js';
import { jsonLine, numberOption, parse, usageError, type CommandRun } from '../shared/command.js';
import { callOptions } from './foreign-calls.js';
import { quantizeOnnx } from './quantize-onnx.js';

export const usage =
  'kikitori model quantize CHECKPOINT --calibration DIR|FILE... --out FILE.safetensors [--rule mse|max|SHARE] [--seconds N] [--weight-bits 8|4 [--rounding least-squares|nearest] [--stored-bytes N]] [--json]\n       kikitori model quantize FILE.onnx --calibration FILE.npy|FILE.csv|DIR --out FILE.onnx [--rule mse|max] [--keep NODE,...] [options of model compress for calls] [--json]';

export const help = `usage: ${usage}

Gives a trained network, dense or factored, what it needs to run in 8 bits: a static scale for every
activation, chosen from recordings (docs/quantization.md). The output is the checkpoint with these
scales in it; "kikitori model pack" makes the 8-bit graph of it. Scales that a trainer wrote are kept.

  --calibration  recordings like what will be heard, a folder or a file; may be given several times
  --seconds      how much of them is used (default 120), spread evenly over all files
  --rule         mse: least squared error (default); max: the largest value seen; or a share of all
                 values that must not saturate, such as 0.9999
  --weight-bits  of the weights: 8, or 4 in groups of 32, but for the outputs' matrix. Absent: what the
                 trainer wrote, else 8. A network that was trained in 4 bits keeps its weights
  --rounding     to 4 bits, where the trainer did not: least-squares on what each matrix reads in the
                 recordings (default), or nearest. Both cost more than training (docs/quantization.md)
  --stored-bytes so many bytes a bundle may store of the network: only those matrices go to 4 bits that
                 make it small enough at the least cost, each measured
  --out          where the checkpoint goes, always in F32: half precision would move the weights

Every other recording is kept out of the choice, and the distance between float and 8 bits is
measured on it.

Of an ONNX file, what "model compress" wrote or any other, the products with constant matrices become
products of integers, wherever they stand; kernels of convolutions are stored in bytes.

  --calibration  a series of its inputs, or with --audio NAME a folder of recordings
  --keep         nodes that stay in float, by name
  --audio, --window, --context, --rate, --input, --carry, --calibration-seconds
                 as in "model compress": how the network is called
`;

export const run: CommandRun = async (argv, io) => {
  const { values, positionals } = parse(
    argv,
    {
      calibration: { type: 'string', multiple: true, default: [] },
      seconds: { type: 'string', default: '120' },
      rule: { type: 'string', default: 'mse' },
      'weight-bits': { type: 'string' },
      rounding: { type: 'string' },
      'stored-bytes': { type: 'string' },
      out: { type: 'string' },
      keep: { type: 'string' },
      'calibration-seconds': { type: 'string' },
      ...callOptions,
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
    usage,
    { most: 1 },
  );
  if (values.help === true) {
    io.stdout.write(help);
    return 0;
  }
  const [path, more] = positionals;
  const { out } = values;
  if (path === undefined || more !== undefined) throw usageError('name one checkpoint', usage);
  if (typeof out !== 'string') throw usageError('--out is missing', usage);
  const { 'weight-bits': bits, rounding } = values;
  if (path.endsWith('.onnx')) {
    if (bits !== undefined || rounding !== undefined)
      throw usageError('--weight-bits and --rounding are for checkpoints', usage);
    return quantizeOnnx(path, out, values, usage, io);
  }
  const others = ['keep', 'calibration-seconds', ...Object.keys(callOptions)] as const;
  const strange = others.filter((n) => Object.hasOwn(values, n));
  if (strange.length > 0) throw usageError(`--${strange.join(', --')}: for ONNX files`, usage);
  const rule = ruleOf(values.rule);
  const secondsMax = numberOption('seconds', values.seconds) ?? 120;
  if (secondsMax <= 0) throw usageError(`--seconds is ${secondsMax}`, usage);

  if (bits !== undefined && bits !== '8' && bits !== '4')
    throw usageError(`--weight-bits is ${bits}, not 8 or 4`, usage);
  if (rounding !== undefined && (bits !== '4' || !isRounding(rounding)))
    throw usageError('--rounding goes with --weight-bits 4: least-squares or nearest', usage);
  const storedBytesMax = numberOption('stored-bytes', values['stored-bytes']);
  if (storedBytesMax !== undefined && bits !== '4')
    throw usageError('--stored-bytes goes with --weight-bits 4', usage);

  const checkpoint = await readCheckpoint(path);
  const before = checkpoint.quantization?.weights ?? 'uint8';
  const toRound = bits === '4' && before !== 'int4';
  if (storedBytesMax !== undefined && !toRound)
    throw usageError(`${path} is in 4 bits already: --stored-bytes chooses what goes there`, usage);
  const named = checkpoint.quantization?.activations ?? {};
  const missing = activationNames(checkpoint).filter((n) => namedScale(named, n) === undefined);
  const wanted =
    missing.some((n) => !n.startsWith('h.')) ||
    (toRound && rounding !== 'nearest') ||
    storedBytesMax !== undefined;
  if (values.calibration.length === 0 && wanted)
    throw usageError('--calibration is missing', usage);
  const clips = await recordedClips(values.calibration, checkpoint.features, { secondsMax });
  const [chosenOn, measuredOn] = halves(clips);
  const seconds = Math.round(chosenOn.reduce((sum, c) => sum + c.seconds, 0));
  const pieces = chosenOn.map((c) => c.rows);
  const onGrid = !toRound
    ? checkpoint
    : rounding === 'nearest'
      ? onNearest(checkpoint)
      : await roundNetwork(checkpoint, pieces);
  const say = (line: string) => void io.stderr.write(`${line}\n`);
  const progress = remaining('measuring what 4 bits of each matrix cost', say, () =>
    performance.now(),
  );
  const mixed =
    storedBytesMax === undefined
      ? undefined
      : await mixedToFit(checkpoint, onGrid, pieces, { storedBytesMax, where: path, progress });
  const rounded = mixed?.network ?? onGrid;
  const weights =
    mixed === undefined
      ? { '8': 'uint8' as const, '4': 'int4' as const, '': before }[bits ?? '']
      : 'mixed';
  const activations =
    missing.length === 0 || chosenOn.length === 0
      ? named
      : chooseScales(await observe(rounded, pieces), rule, named);
  const quantized: Checkpoint = {
    ...rounded,
    quantization: {
      weights,
      activations,
      calibration:
        chosenOn.length === 0
          ? (checkpoint.quantization?.calibration ?? { rule: 'trainer' })
          : {
              ...{ rule, seconds, files: chosenOn.length },
              fromTrainer: Object.keys(named).length,
              ...(weights === 'uint8'
                ? {}
                : { rounding: toRound ? (rounding ?? 'least-squares') : 'trained' }),
            },
    },
  };
  const { onnx } = buildGraph(quantized);
  const rest = measuredOn.map((c) => c.rows);
  const measured =
    rest.length === 0
      ? undefined
      : distance(
          await answersOf(checkpoint, rest, 'float32'),
          await answersOf(quantized, rest),
          quantized.outputs,
        );
  await writeCheckpoint(out, quantized);
  if (values.json === true)
    jsonLine(io, {
      out,
      bytes: onnx.length,
      weights,
      mixed: shownMix(mixed),
      activations,
      seconds,
      measured,
    });
  else io.stdout.write(human(out, weights, onnx.length, activations, measured, shownMix(mixed)));
  return 0;
};

function ruleOf(text: string | undefined): ScaleRule {
  if (text === 'mse' || text === 'max') return text;
  const quantile = numberOption('rule', text) ?? NaN;
  if (quantile > 0.5 && quantile <= 1) return { quantile };
  throw usageError(`--rule is ${text}`, usage);
}

/** Every other clip for choosing, the rest for measuring; a single one does both. */
function halves(
  clips: readonly RecordedClip[],
): [readonly RecordedClip[], readonly RecordedClip[]] {
  if (clips.length < 2) return [clips, clips];
  return [clips.filter((_, i) => i % 2 === 0), clips.filter((_, i) => i % 2 === 1)];
}

/** Of a mixture what a reader wants: what is in 4 bits, what it cost alone, and what a bundle stores. */
function shownMix(mixed: Mixed<Checkpoint> | undefined) {
  if (mixed === undefined) return undefined;
  const { costs, inFourBits, storedBytes } = mixed;
  return {
    storedBytes,
    matrices: costs.map((c) => ({ ...c, bits: inFourBits.has(c.name) ? 4 : 8 })),
  };
}

function human(
  out: string,
  weights: IntegerFormat,
  bytes: number,
  scales: Readonly<Record<string, number>>,
  measured: Distance | undefined,
  mix: ReturnType<typeof shownMix>,
): string {
  const stored = {
    uint8: '',
    int4: ' in memory, its weights on the grid of 4 bits: half as large in a bundle',
    mixed: ` in memory, some of its weights on the grid of 4 bits${mix === undefined ? '' : `: ${mix.storedBytes} bytes in a bundle`}`,
  }[weights];
  const lines = [`${out}: 8-bit graph of ${(bytes / 1e6).toFixed(2)} MB${stored}`];
  for (const { name, bits, savedBytes, divergence } of mix?.matrices ?? [])
    lines.push(
      `  ${name.padEnd(18)} ${bits} bits; 4 cost ${divergence.toFixed(5)} nats a step and save ${savedBytes} bytes`,
    );
  for (const [name, scale] of Object.entries(scales))
    lines.push(`  ${name.padEnd(18)} up to ${(scale * 127).toPrecision(4)}`);
  if (measured !== undefined) {
    const { steps, sameBest, rms, divergence } = measured;
    lines.push(
      `  against float on ${steps} steps not used for the choice: best unit the same in ${(100 * sameBest).toFixed(2)} %, logits ${rms.toFixed(4)} apart (rms), divergence ${divergence.toFixed(5)} nats a step`,
    );
  }
  return `${lines.join('\n')}\n`;
}
