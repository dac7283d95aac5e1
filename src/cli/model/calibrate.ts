import { mkdir, readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { mixAtSnr, readAudioFile } from '../../audio/index.js';
import { Bundle } from '../../bundle/index.js';
import { calibrate, type Calibration, type SpokenClip } from '../../measure/calibrate/calibrate.js';
import { commandSentence } from '../../measure/calibrate/commands.js';
import { reliabilityDiagram } from '../../measure/chart/charts.js';
import { parseLabels, type Label } from '../../measure/evaluate/labels.js';
import { machineNoise } from '../../measure/evaluate/machine-noise.js';
import { otherLooks } from '../../measure/calibrate/decoding.js';
import { withLooks } from '../../measure/evaluate/network.js';
import { randomFrom } from '../../measure/evaluate/statistics.js';
import { installedVoices, padded, speak } from '../../measure/evaluate/synthesis.js';
import { rewriteManifest } from '../../compress/pack.js';
import { Engine, readText } from '../../engine/engine.js';
import { atomicWrite } from '../../runtime/atomic-write.js';
import { KikitoriError } from '../../runtime/errors.js';
import { agentVersion } from '../../runtime/version.js';
import { numberOption, parse, usageError, type CommandRun, type Io } from '../shared/command.js';
import { writeChart } from '../shared/write-chart.js';

const usage = `kikitori model calibrate --model DIR|FILE --labels FILE.tsv [--match REGEX] [--out DIR] [--write] [--card FILE.json] [--noise FILE...] [--limit N] [--synthetic N] [--seed N]

Fits label priors, blank weight, confidence, threshold and endpoint times on held-out clips: a table with "file" and
"text" (files relative to it; an empty text is something to refuse), those whose path matches --match.
Of each folder as many, --limit in all. Adds --synthetic commands spoken by the installed voices, and noise: machines,
and each --noise. Half of the clips are warped into other voices, half get noise. --out gets calibration.json,
examples.jsonl and reliability.svg; --write puts the result into the bundle, which then needs this kikitori or a newer
one (minAgent), --card into the card that \`model pack\` reads.`;

/** Half of the clips get noise, at levels that a factory has. */
const snrsDb = [20, 15, 12, 9, 6, 3, 0];
const noisyShare = 0.5;
/** Half of the clips sound like somebody with another vocal tract: few of the voices are strangers to the model. */
const warpedShare = 0.5;
const [warpMin, warpMax] = [0.86, 1.16];
const noiseSeconds = 4;
/** Noise alone, to be refused, for each hundred clips. */
const noiseShare = 1;

export const run: CommandRun = async (argv, io) => {
  const { values } = parse(
    argv,
    {
      model: { type: 'string' },
      labels: { type: 'string' },
      match: { type: 'string', default: '' },
      noise: { type: 'string', multiple: true, default: [] },
      limit: { type: 'string', default: '300' },
      synthetic: { type: 'string', default: '100' },
      seed: { type: 'string', default: '1' },
      out: { type: 'string' },
      card: { type: 'string' },
      write: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
    usage.split('\n')[0] ?? '',
  );
  if (values.help === true) {
    io.stdout.write(`usage: ${usage}\n`);
    return 0;
  }
  const { model, labels, out, card } = values;
  if (typeof model !== 'string' || typeof labels !== 'string')
    throw usageError('something is missing', usage.split('\n')[0] ?? '');
  if (out === undefined && values.write !== true && card === undefined)
    throw usageError('nowhere to write: --out, --write or --card', usage.split('\n')[0] ?? '');
  const random = randomFrom(numberOption('seed', values.seed) ?? 1);
  const engine = await Engine.open({ modelPath: model });
  const { sampleRateHz } = engine.bundle.manifest.features;
  const recorded = await Promise.all(
    values.noise.map(async (path) => (await readAudioFile(path, { rateHz: sampleRateHz })).samples),
  );
  const noiseOf = () =>
    recorded.length > 0 && random() < 0.5
      ? (recorded[Math.floor(random() * recorded.length)] ?? new Float32Array(1))
      : machineNoise(noiseSeconds, sampleRateHz, random);
  const sounds = [
    ...(await readClips(labels, values.match, numberOption('limit', values.limit) ?? 0, {
      random,
      sampleRateHz,
    })),
    ...(await synthetic(numberOption('synthetic', values.synthetic) ?? 0, {
      random,
      sampleRateHz,
      io,
    })),
  ];
  const piece = (noise: Float32Array) => {
    const length = noiseSeconds * sampleRateHz;
    const from = Math.floor(random() * Math.max(1, noise.length - length));
    return noise.subarray(from, from + length);
  };
  const clips: SpokenClip[] = [];
  for (const { text, samples } of sounds) {
    const warp = random() < warpedShare ? warpMin + (warpMax - warpMin) * random() : undefined;
    const snrDb = snrsDb[Math.floor(random() * snrsDb.length)] ?? 10;
    const noise = noiseOf();
    const noisy =
      random() < noisyShare
        ? mixAtSnr(samples, noise, snrDb, Math.floor(random() * noise.length))
        : samples;
    clips.push({ text, clip: await withLooks(engine, noisy, warp, otherLooks) });
  }
  for (let i = 0; i < noiseShare * sounds.length; i++)
    clips.push({
      text: '',
      clip: await withLooks(engine, piece(noiseOf()), undefined, otherLooks),
    });
  const usable = clips.filter((c) => c.clip.steps > 0);
  io.stderr.write(`${usable.length} clips through the network\n`);
  const result = await calibrate(engine.bundle.manifest, usable, engine.lexicon, random, (line) =>
    io.stderr.write(`${line}\n`),
  );
  say(io, result);
  await write(io, result, { out, card, bundle: values.write === true ? model : undefined });
  return 0;
};

interface Sound {
  readonly text: string;
  readonly samples: Float32Array;
}

async function readClips(
  path: string,
  match: string,
  limit: number,
  { random, sampleRateHz }: { random: () => number; sampleRateHz: number },
): Promise<Sound[]> {
  let pattern: RegExp;
  try {
    pattern = new RegExp(match);
  } catch (error) {
    throw usageError(`--match is no regular expression: ${String(error)}`, usage);
  }
  const rows = parseLabels(await readText(path, 'a table of clips'), path).filter(
    ({ file, text }) => pattern.test(file) && text !== undefined && text !== '?',
  );
  const sounds: Sound[] = [];
  for (const row of ofEachFolder(rows, limit, random)) {
    const { samples } = await readAudioFile(resolve(dirname(path), row.file), {
      rateHz: sampleRateHz,
    });
    sounds.push({ text: row.text ?? '', samples });
  }
  if (sounds.length === 0)
    throw new KikitoriError('no clip with a text was found', {
      kind: 'input',
      where: path,
      expected: `rows whose file matches "${match}"`,
    });
  return sounds;
}

/** By chance, but as many of each folder as it has: a large one must not stand for all. */
function ofEachFolder(rows: readonly Label[], limit: number, random: () => number): Label[] {
  const folders = new Map<string, { row: Label; key: number }[]>();
  for (const row of rows) {
    const folder = dirname(row.file);
    folders.set(folder, [...(folders.get(folder) ?? []), { row, key: random() }]);
  }
  return [...folders.values()]
    .flatMap((all) =>
      all.sort((a, b) => a.key - b.key).map(({ row, key }, turn) => ({ row, turn, key })),
    )
    .sort((a, b) => a.turn - b.turn || a.key - b.key)
    .slice(0, limit)
    .map(({ row }) => row);
}

async function synthetic(
  count: number,
  { random, sampleRateHz, io }: { random: () => number; sampleRateHz: number; io: Io },
): Promise<Sound[]> {
  const voices = count === 0 ? [] : await installedVoices();
  if (count > 0 && voices.length === 0)
    io.stderr.write(
      'no synthetic voices are installed (espeak-ng, flite, festival): going without\n',
    );
  const sounds: Sound[] = [];
  for (let i = 0; i < count && voices.length > 0; i++) {
    const voice = voices[i % voices.length];
    if (voice === undefined) break;
    const text = commandSentence(random);
    const wordsPerMinute = 140 + 60 * random();
    const samples = await speak(voice, text, { rateHz: sampleRateHz, wordsPerMinute });
    sounds.push({ text, samples: padded(samples, sampleRateHz, random) });
  }
  return sounds;
}

function say(io: Io, { decoding, confidence, endpoint, report }: Calibration): void {
  const { heldOut, threshold } = report;
  const share = (v: number) => `${(100 * v).toFixed(1)} %`;
  io.stderr.write(
    `prior ${decoding.priorWeight}, blank ${decoding.blankBias}
ends after ${endpoint.finalMs} ms, ${endpoint.openMs ?? 0} ms where it could go on, ${endpoint.prefixMs} ms inside
calibration error ${share(heldOut.calibrationError)}, area under curve ${heldOut.areaUnderCurve.toFixed(4)} on held-out clips
threshold ${confidence.threshold}: ${threshold.point}
right answers accepted ${share(threshold.rightAccepted)}; accepted of ${Object.entries(
      threshold.acceptedOf,
    )
      .map(([kind, v]) => `${kind} ${share(v)}`)
      .join(', ')}
`,
  );
}

/** What a report draws the diagram from: ten bins of confidence, on examples that nothing was fitted on. */
function reliabilityData({ heldOut, examples }: Calibration['report']) {
  const three = (v: number) => Number(v.toFixed(3));
  return {
    examples: Object.values(examples).reduce((a, b) => a + b, 0),
    calibrationError: Number(heldOut.calibrationError.toFixed(4)),
    bins: heldOut.bins.map(({ confidence, right, weight, count }) => ({
      predicted: three(confidence),
      observed: three(right),
      count,
      share: three(weight),
    })),
  };
}

async function write(
  io: Io,
  { decoding, confidence, endpoint, judged, report }: Calibration,
  to: { out: string | undefined; card: string | undefined; bundle: string | undefined },
): Promise<void> {
  const text = (value: unknown) => `${JSON.stringify(value, null, 1)}\n`;
  if (to.out !== undefined) {
    await mkdir(to.out, { recursive: true });
    await atomicWrite(
      join(to.out, 'calibration.json'),
      text({ decoding, confidence, endpoint, report }),
      0o644,
    );
    const lines = judged.map((e) => JSON.stringify(e)).join('\n');
    await atomicWrite(join(to.out, 'examples.jsonl'), `${lines}\n`, 0o644);
    const title = `${(100 * report.heldOut.calibrationError).toFixed(1)} % expected calibration error, held-out`;
    const svg = await reliabilityDiagram(report.heldOut.bins, title);
    await writeChart(io, join(to.out, 'reliability.svg'), svg);
  }
  const reliability = reliabilityData(report);
  if (to.bundle !== undefined) {
    const { measured } = (await Bundle.open(to.bundle)).manifest;
    await rewriteManifest(to.bundle, {
      // An older one would judge without the evidence that it does not know.
      minAgent: agentVersion,
      decoding,
      confidence,
      endpoint,
      measured: { ...measured, reliability },
    });
  }
  if (to.card !== undefined) {
    const card = JSON.parse(await readFile(to.card, 'utf8')) as Record<string, unknown>;
    const measured = { ...(card['measured'] as Record<string, unknown> | undefined), reliability };
    await atomicWrite(to.card, text({ ...card, decoding, confidence, endpoint, measured }), 0o644);
  }
  if (to.bundle !== undefined) await Bundle.open(to.bundle);
}
