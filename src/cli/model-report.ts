import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { readAudioFile } from '../audio/index.js';
import { Bundle } from '../bundle/index.js';
import { readCheckpoint } from '../compress/checkpoint.js';
import { parseLabels } from '../compress/evaluate/labels.js';
import {
  bundleLike,
  curveSubjects,
  curveSvg,
  report,
  reportMarkdown,
  type Cost,
  type OrderSet,
  type Subject,
} from '../compress/report/index.js';
import { readText } from '../engine.js';
import { atomicWrite } from '../runtime/atomic-write.js';
import { jsonLine, numberOption, parse, usageError, type CommandRun } from './command.js';
import { packageFile } from './package-file.js';
import { promptsOf } from './prompts.js';

const usage = 'kikitori model report --dense BUNDLE --candidate NAME=PATH... --out DIR [options]';

const help = `usage: ${usage}

Measures candidates against the dense network they came from, with the device's own code, and writes
report.md, report.json and curve.svg. Finished measurements are kept in DIR/partial: the same command
goes on where it was cut off.

  --dense        the dense bundle
  --candidate    NAME=PATH, a bundle or a checkpoint (packed with the dense bundle's lexicon and
                 thresholds); may be given several times
  --prompts      TSV of recordings with "file" and "text"; files are relative to it
  --set          sets of it to use (column "set"), such as reader; may be given several times; each is
                 a column of the report. Only files whose path begins with --only count
  --only         such as dev/ (default: all)
  --limit        clips of each set, evenly spread (default: all)
  --orders       a folder of spoken orders, with --labels FILE.json and --grammar FILE
  --noise        a recording that is mixed into the orders at each --snr
  --snr          dB, may be given several times
  --checkpoint   the dense checkpoint: adds the curve of both methods before fine-tuning
  --calibration  recordings for it; --calibration-seconds (default 600)
  --ratios       how many times fewer parameters (default 1.5,2,3,4,6,8,10,15,20)
  --json         the report on standard output
`;

export const run: CommandRun = async (argv, io) => {
  const { values, positionals } = parse(
    argv,
    {
      dense: { type: 'string' },
      candidate: { type: 'string', multiple: true, default: [] },
      out: { type: 'string' },
      prompts: { type: 'string' },
      set: { type: 'string', multiple: true, default: [] },
      only: { type: 'string', default: '' },
      limit: { type: 'string' },
      orders: { type: 'string' },
      labels: { type: 'string' },
      grammar: { type: 'string' },
      noise: { type: 'string' },
      snr: { type: 'string', multiple: true, default: [] },
      checkpoint: { type: 'string' },
      calibration: { type: 'string' },
      'calibration-seconds': { type: 'string', default: '600' },
      ratios: { type: 'string', default: '1.5,2,3,4,6,8,10,15,20' },
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
  if ((values.noise === undefined) !== (values.snr.length === 0))
    throw usageError('--noise and --snr go together', usage);
  const ratios = values.ratios.split(',').map((r) => numberOption('ratios', r) ?? NaN);
  if (!ratios.every((r) => r >= 1)) throw usageError('--ratios are at least 1', usage);
  const progress = (line: string) => void io.stderr.write(`${line}\n`);
  const bundle = await Bundle.open(dense);
  await mkdir(join(out, 'bundles'), { recursive: true });
  const candidates: Subject[] = [];
  for (const entry of values.candidate) candidates.push(await subjectOf(entry, bundle, out));
  if (values.checkpoint !== undefined) {
    if (values.calibration === undefined)
      throw usageError('--checkpoint goes with --calibration', usage);
    const subjects = await curveSubjects({
      bundle,
      checkpoint: await readCheckpoint(values.checkpoint),
      calibration: values.calibration,
      seconds: numberOption('calibration-seconds', values['calibration-seconds']) ?? 600,
      ratios,
      folder: join(out, 'bundles'),
      progress,
    });
    candidates.push(...subjects);
  }
  const orders = await ordersOf(values);
  const result = await report({
    dense: { name: 'dense', path: dense },
    candidates,
    prompts: await promptsOf(values, usage),
    ...(orders === undefined ? {} : { orders }),
    folder: out,
    cost: orders === undefined ? () => Promise.resolve(null) : costOf(orders, values.labels ?? ''),
    progress,
    nowMs: () => performance.now(),
  });
  await atomicWrite(join(out, 'report.json'), `${JSON.stringify(result, null, 1)}\n`, 0o644);
  await atomicWrite(join(out, 'report.md'), reportMarkdown(result), 0o644);
  if (values.prompts !== undefined)
    await atomicWrite(join(out, 'curve.svg'), curveSvg(result), 0o644);
  if (values.json) jsonLine(io, result);
  else io.stdout.write(reportMarkdown(result));
  return 0;
};

async function subjectOf(entry: string, bundle: Bundle, out: string): Promise<Subject> {
  const at = entry.indexOf('=');
  const [name, path] =
    at < 0 ? [basename(entry), entry] : [entry.slice(0, at), entry.slice(at + 1)];
  if (!path.endsWith('.safetensors')) return { name, path };
  if (!/^[\w.-]+$/.test(name)) throw usageError(`"${name}" is no name for a candidate`, usage);
  const packed = join(out, 'bundles', name);
  await bundleLike(bundle, await readCheckpoint(path), name, packed);
  return { name, path: packed };
}

interface OrderOptions {
  readonly orders?: string;
  readonly labels?: string;
  readonly grammar?: string;
  readonly noise?: string;
  readonly snr: readonly string[];
  readonly limit?: string;
}

async function ordersOf(o: OrderOptions): Promise<OrderSet | undefined> {
  if (o.orders === undefined) return undefined;
  if (o.labels === undefined || o.grammar === undefined)
    throw usageError('--orders goes with --labels and --grammar', usage);
  const labels = parseLabels(await readText(o.labels, 'labels'), o.labels);
  const noise = o.noise === undefined ? undefined : (await readAudioFile(o.noise)).samples;
  const snrs = o.snr.flatMap((s) => s.split(',')).map((s) => numberOption('snr', s) ?? 0);
  const most = numberOption('limit', o.limit) ?? labels.length;
  return {
    folder: o.orders,
    labels: labels.slice(0, most),
    grammarPath: o.grammar,
    conditions: [
      { name: 'clean' },
      ...(noise === undefined ? [] : snrs.map((snrDb) => ({ name: `${snrDb} dB`, noise, snrDb }))),
    ],
  };
}

/** `evaluate` in a process of its own, so that memory is that of one network. */
function costOf(orders: OrderSet, labels: string): Cost {
  const program = packageFile('bin/kikitori.js');
  return async (path) => {
    try {
      const { stdout } = await promisify(execFile)(
        process.execPath,
        [
          program,
          'evaluate',
          '--json',
          '--model',
          path,
          '--grammar',
          orders.grammarPath,
          '--labels',
          labels,
          orders.folder,
        ],
        { timeout: 1_800_000, maxBuffer: 1 << 24 },
      );
      const line = JSON.parse(stdout.trim().split('\n')[0] ?? '') as {
        realTimeFactor: { median: number };
        peakMemoryMb: number;
      };
      return { realTimeFactor: line.realTimeFactor.median, peakMemoryMb: line.peakMemoryMb };
    } catch {
      return null;
    }
  };
}
