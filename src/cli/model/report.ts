import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { readAudioFile } from '../../audio/index.js';
import { Bundle } from '../../bundle/index.js';
import type { Bin } from '../../measure/calibrate/reliability.js';
import { readCheckpoint } from '../../compress/checkpoint.js';
import { reliabilityDiagram } from '../../measure/chart/charts.js';
import { parseLabels } from '../../measure/evaluate/labels.js';
import {
  bundleLike,
  curveSubjects,
  curveSvg,
  png,
  report,
  reportMarkdown,
  type Cost,
  type OrderSet,
  type Subject,
} from '../../compress/report/index.js';
import { readText } from '../../engine/engine.js';
import { atomicWrite } from '../../runtime/atomic-write.js';
import { KikitoriError, messageOf } from '../../runtime/errors.js';
import { jsonLine, numberOption, parse, usageError, type CommandRun } from '../shared/command.js';
import { packageFile } from '../shared/package-file.js';
import { promptsOf } from '../shared/prompts.js';
import { writeChart } from '../shared/write-chart.js';
import { freeSpeechOf } from './free-speech.js';
import { isAboutOnnx, reportOnnx } from './report-onnx.js';

const usage = 'kikitori model report --dense PATH --candidate NAME=PATH... --out DIR [options]';

const help = `usage: ${usage}

Measures candidates against the dense network they came from, with the device's own code, and writes
report.md, report.json and pictures, as SVG and, where @resvg/resvg-js is installed, as PNG. Finished
measurements are kept in DIR/partial: the same command goes on where it was cut off.

Of ONNX files without phones: --dense FILE.onnx --help.

Every PATH is a bundle or a checkpoint; a checkpoint is packed with the lexicon and thresholds of --like.

  --dense        the dense network
  --candidate    NAME=PATH; may be given several times, like the next three
  --before       NAME=PATH: the candidate of that name before fine-tuning
  --control      NAME=PATH: a network of the same size, trained from scratch, as that candidate's control
  --tuned        METHOD=PATH: a point of the curve after fine-tuning, such as data-aware=6x.safetensors
  --like         a bundle (default: the one that ships)
  --prompts      TSV of recordings with "file" and "text"; files are relative to it
  --set          sets of it to use (column "set"), such as reader; may be given several times; each is
                 a column of the report. Only files whose path begins with --only count
  --only         such as dev/ (default: all)
  --language-model
                 FILE of "kikitori lm": the prompts as dictation too, and what compressing costs in words. Intervals are
                 over people, by the column "speaker"
  --limit        clips of each set, and orders, evenly spread (default: all)
  --orders       a folder of spoken orders, with --labels FILE.json and --grammar FILE
  --noise        a recording that is mixed into the orders at each --snr; may be given several times: each
                 order is then heard in each of them, and all of them are one rate of that level
  --snr          dB, may be given several times
  --cost-clips   orders heard in a process of its own for real-time factor and memory (default 40)
  --curve        both methods before fine-tuning, at --ratios times fewer parameters (default
                 1.5,2,3,4,6,8,10,15,20) and at the published rule's ranks of --tau (default 0.6); with
                 --dense a checkpoint, and --calibration DIR, --calibration-seconds (default 600)
  --reliability  calibration.json of "model calibrate": adds the diagram of the confidence
  --json         the report on standard output
`;

export const run: CommandRun = async (argv, io) => {
  if (isAboutOnnx(argv)) return reportOnnx(argv, io);
  const { values, positionals } = parse(
    argv,
    {
      dense: { type: 'string' },
      candidate: { type: 'string', multiple: true, default: [] },
      before: { type: 'string', multiple: true, default: [] },
      control: { type: 'string', multiple: true, default: [] },
      tuned: { type: 'string', multiple: true, default: [] },
      like: { type: 'string' },
      out: { type: 'string' },
      prompts: { type: 'string' },
      set: { type: 'string', multiple: true, default: [] },
      only: { type: 'string', default: '' },
      limit: { type: 'string' },
      'language-model': { type: 'string' },
      orders: { type: 'string' },
      labels: { type: 'string' },
      grammar: { type: 'string' },
      noise: { type: 'string', multiple: true, default: [] },
      snr: { type: 'string', multiple: true, default: [] },
      'cost-clips': { type: 'string', default: '40' },
      curve: { type: 'boolean', default: false },
      calibration: { type: 'string' },
      'calibration-seconds': { type: 'string', default: '600' },
      ratios: { type: 'string', default: '1.5,2,3,4,6,8,10,15,20' },
      tau: { type: 'string', default: '0.6' },
      reliability: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
    usage,
  );
  if (values.help) {
    io.stdout.write(help);
    return 0;
  }
  const { dense, out } = values;
  if (positionals.length > 0 || dense === undefined || out === undefined)
    throw usageError('--dense and --out are needed', usage);
  if (values.prompts === undefined && values.orders === undefined)
    throw usageError('neither --prompts nor --orders: nothing to measure', usage);
  const languageModel = values['language-model'];
  if (languageModel !== undefined && values.prompts === undefined)
    throw usageError('--language-model goes with --prompts', usage);
  if ((values.noise.length === 0) !== (values.snr.length === 0))
    throw usageError('--noise and --snr go together', usage);
  const ratios = values.ratios.split(',').map((r) => numberOption('ratios', r) ?? NaN);
  if (!ratios.every((r) => r >= 1)) throw usageError('--ratios are at least 1', usage);
  const tau = numberOption('tau', values.tau) ?? NaN;
  if (!(tau > 0 && tau <= 1)) throw usageError('--tau is a share', usage);
  const costClips = numberOption('cost-clips', values['cost-clips']) ?? NaN;
  if (!(costClips >= 0)) throw usageError('--cost-clips is no count', usage);
  if (values.curve && (!dense.endsWith('.safetensors') || values.calibration === undefined))
    throw usageError('--curve goes with --calibration and a checkpoint as --dense', usage);
  const progress = (line: string) => void io.stderr.write(`${line}\n`);
  const prompts = await promptsOf(values, usage);
  const freeSpeech = languageModel === undefined ? undefined : await freeSpeechOf(languageModel);
  const orders = await ordersOf(values);
  const bins = values.reliability === undefined ? undefined : await binsOf(values.reliability);
  const like = await Bundle.open(values.like ?? packageFile('models/kikitori-en'));
  await mkdir(join(out, 'bundles'), { recursive: true });
  const maker = new Subjects(like, join(out, 'bundles'));
  const denseSubject = await maker.named('dense', dense);
  const candidates = await maker.all(values);
  if (values.curve)
    candidates.push(
      ...(await curveSubjects({
        bundle: like,
        checkpoint: await readCheckpoint(dense),
        calibration: values.calibration ?? '',
        seconds: numberOption('calibration-seconds', values['calibration-seconds']) ?? 600,
        ratios,
        tau,
        folder: join(out, 'bundles'),
        progress,
      })),
    );
  const result = await report({
    dense: denseSubject,
    candidates,
    prompts,
    ...(freeSpeech === undefined ? {} : { freeSpeech }),
    ...(orders === undefined ? {} : { orders }),
    folder: out,
    cost:
      orders === undefined || costClips === 0
        ? () => Promise.resolve(null)
        : await costOf(orders, costClips, out, progress),
    progress,
    nowMs: () => performance.now(),
  });
  let pictures = false;
  const draw = async (name: string, svg: string | undefined) => {
    if (!(await writeChart(io, join(out, `${name}.svg`), svg)) || svg === undefined) return;
    const image = await png(svg);
    if (image === undefined) return progress('no PNG: @resvg/resvg-js is not installed');
    await atomicWrite(join(out, `${name}.png`), image, 0o644);
    pictures = true;
  };
  if (prompts.length > 0) await draw('curve', await curveSvg(result));
  if (bins !== undefined) await draw('reliability', await reliabilityDiagram(bins, 'Confidence'));
  const markdown = reportMarkdown(result, { pictures, reliability: bins !== undefined });
  await atomicWrite(join(out, 'report.json'), `${JSON.stringify(result, null, 1)}\n`, 0o644);
  await atomicWrite(join(out, 'report.md'), markdown, 0o644);
  if (values.json) jsonLine(io, result);
  else io.stdout.write(markdown);
  return 0;
};

interface SubjectOptions {
  readonly candidate: readonly string[];
  readonly before: readonly string[];
  readonly control: readonly string[];
  readonly tuned: readonly string[];
}

/** What is measured, of options NAME=PATH; checkpoints become bundles in a folder. */
class Subjects {
  constructor(
    private readonly like: Bundle,
    private readonly folder: string,
  ) {}

  async all(o: SubjectOptions): Promise<Subject[]> {
    const candidates: Subject[] = [];
    for (const entry of o.candidate) {
      const [name, path] = pair(entry);
      candidates.push(await this.named(name, path));
    }
    const names = new Set(candidates.map((c) => c.name));
    if (names.size < candidates.length || names.has('dense'))
      throw usageError('two networks have the same name', usage);
    const subjects = [...candidates];
    for (const as of ['before', 'control'] as const) {
      for (const entry of o[as]) {
        const [candidate, path] = pair(entry);
        if (!names.has(candidate))
          throw usageError(`--${as}: no candidate is "${candidate}"`, usage);
        const at = subjects.findIndex((s) => s.name === candidate) + 1;
        const subject = await this.named(`${candidate}.${as}`, path);
        subjects.splice(at, 0, { ...subject, of: { candidate, as } });
      }
    }
    for (const [i, entry] of o.tuned.entries()) {
      const [method, path] = pair(entry);
      const subject = await this.named(`${method}.tuned-${i + 1}`, path);
      subjects.push({ ...subject, curve: { method, tuned: true } });
    }
    return subjects;
  }

  async named(name: string, path: string): Promise<Subject> {
    if (!path.endsWith('.safetensors')) return { name, path };
    if (!/^[\w.-]+$/.test(name)) throw usageError(`"${name}" is no name for a network`, usage);
    const packed = join(this.folder, name);
    await bundleLike(this.like, await readCheckpoint(path), name, packed);
    return { name, path: packed };
  }
}

function pair(entry: string): [string, string] {
  const at = entry.indexOf('=');
  return at < 0 ? [basename(entry), entry] : [entry.slice(0, at), entry.slice(at + 1)];
}

/** The bins of a calibration's held-out clips. */
async function binsOf(path: string): Promise<readonly Bin[]> {
  const text = await readText(path, 'calibration.json of "model calibrate"');
  try {
    const { report } = JSON.parse(text) as { report?: { heldOut?: { bins?: readonly Bin[] } } };
    const bins = report?.heldOut?.bins;
    if (bins?.every((b) => Number.isFinite(b.weight)) === true) return bins;
  } catch {
    // Said below.
  }
  throw new KikitoriError('there are no bins of held-out clips in it', {
    kind: 'input',
    where: path,
    expected: 'calibration.json of "model calibrate"',
  });
}

interface OrderOptions {
  readonly orders?: string;
  readonly labels?: string;
  readonly grammar?: string;
  readonly noise: readonly string[];
  readonly snr: readonly string[];
  readonly limit?: string;
}

async function ordersOf(o: OrderOptions): Promise<OrderSet | undefined> {
  if (o.orders === undefined) return undefined;
  if (o.labels === undefined || o.grammar === undefined)
    throw usageError('--orders goes with --labels and --grammar', usage);
  const labels = parseLabels(await readText(o.labels, 'labels'), o.labels);
  const noises = await Promise.all(
    o.noise.map(async (path) => ({
      name: basename(path),
      samples: (await readAudioFile(path)).samples,
    })),
  );
  const snrs = o.snr.flatMap((s) => s.split(',')).map((s) => numberOption('snr', s) ?? 0);
  const most = numberOption('limit', o.limit) ?? labels.length;
  const every = Math.max(1, labels.length / most);
  return {
    folder: o.orders,
    labels: labels.filter((_, i) => Math.floor(i / every) !== Math.floor((i - 1) / every)),
    grammarPath: o.grammar,
    conditions: [
      { name: 'clean' },
      ...(noises.length === 0
        ? []
        : snrs.map((snrDb) => ({ name: `${snrDb} dB`, mixed: { noises, snrDb } }))),
    ],
  };
}

/** `evaluate` on the first orders in a process of its own, so that memory is that of one network. */
async function costOf(
  orders: OrderSet,
  clips: number,
  folder: string,
  progress: (line: string) => void,
): Promise<Cost> {
  const labels = join(folder, 'bundles', 'cost-labels.tsv');
  const rows = orders.labels.slice(0, clips).map(({ file }) => `${file}\t?`);
  await atomicWrite(labels, `${['file\ttext', ...rows].join('\n')}\n`, 0o644);
  return async (path) => {
    const argv = ['evaluate', '--json', '--model', path, '--grammar', orders.grammarPath];
    try {
      const { stdout } = await promisify(execFile)(
        process.execPath,
        [packageFile('bin/kikitori.js'), ...argv, '--labels', labels, orders.folder],
        { timeout: 1_800_000, maxBuffer: 1 << 24 },
      );
      const line = JSON.parse(stdout.trim().split('\n')[0] ?? '') as {
        realTimeFactor: { median: number };
        peakMemoryMb: number;
      };
      return { realTimeFactor: line.realTimeFactor.median, peakMemoryMb: line.peakMemoryMb };
    } catch (error) {
      progress(`real time and memory of ${path} were not measured: ${messageOf(error)}`);
      return null;
    }
  };
}
