import { appendFile, mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { search, searchMarkdown, type SearchResult } from '../../compress/search/index.js';
import { atomicWrite } from '../../runtime/atomic-write.js';
import { jsonLine, numberOption, parse, usageError, type CommandRun } from '../shared/command.js';
import { packageFile } from '../shared/package-file.js';
import { promptsOf } from '../shared/prompts.js';

const usage =
  'kikitori model search DENSE.safetensors --bytes N --tolerance POINTS --out DIR --trainer-config FILE.toml --calibration DIR --prompts FILE.tsv [options]';

const help = `usage: ${usage}

Looks for the smallest 8-bit network whose loss is within a tolerance, unattended: compresses data-aware,
fine-tunes in the Python trainer, first in float and then with 8
bits in the loop, packs, and measures by the device's own code; first at --bytes, then at budgets below it,
halving the ratio that is left. The same command goes on where it was cut off.

  --bytes           most bytes of the network's file
  --tolerance       points of phone error: the upper end of the 95 % interval of the difference from the
                    dense network, on all prompts together (default 1)
  --candidates      budgets to try at most (default 4)
  --trainer-config  a file of the trainer with data, augmentation and sampling; the pack is made if it
                    is not there yet
  --calibration     recordings like what will be heard; --calibration-seconds (default 600)
  --prompts         TSV of held-out recordings with "file" and "text"; files are relative to it
  --set, --only, --limit   as in "model report"
  --minutes         of fine-tuning for each candidate (default 20), a fifth of it with 8 bits in the loop
  --steps           of fine-tuning at most (default 5000); --learning-rate (default 1e-3)
  --distillation    share of the loss that is the distance from the dense network's posteriors, the rest is
                    CTC (default 0: CTC alone, which has paid better)
  --share           of the way that fine-tuning in float has gone, what is kept (default 0.5; see "model blend")
  --like            a bundle whose lexicon, self-test and thresholds the candidates take (default: the
                    one that ships)
  --multiple        ranks are multiples of it (default 8)
  --python          (default $PYTHON or python3); --trainer DIR: the folder of kikitori_trainer
  --out             the work folder: journal.jsonl, search.log, search.md, search.json, and for each
                    budget the checkpoints and the bundle
  --json            the result on standard output

Exit status 1 when no candidate is within the tolerance; search.md then says what each of them lost.
`;

export const run: CommandRun = async (argv, io) => {
  const { values, positionals } = parse(
    argv,
    {
      bytes: { type: 'string' },
      tolerance: { type: 'string', default: '1' },
      candidates: { type: 'string', default: '4' },
      'trainer-config': { type: 'string' },
      calibration: { type: 'string' },
      'calibration-seconds': { type: 'string', default: '600' },
      prompts: { type: 'string' },
      set: { type: 'string', multiple: true, default: [] },
      only: { type: 'string', default: '' },
      limit: { type: 'string' },
      minutes: { type: 'string', default: '20' },
      steps: { type: 'string', default: '5000' },
      'learning-rate': { type: 'string', default: '1e-3' },
      distillation: { type: 'string', default: '0' },
      share: { type: 'string', default: '0.5' },
      like: { type: 'string' },
      multiple: { type: 'string', default: '8' },
      python: { type: 'string' },
      trainer: { type: 'string' },
      out: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
    usage,
    { most: 1 },
  );
  if (values.help) {
    io.stdout.write(help);
    return 0;
  }
  const [dense, ...more] = positionals;
  if (dense === undefined || more.length > 0) throw usageError('name one dense checkpoint', usage);
  const needed = ['bytes', 'out', 'trainer-config', 'calibration', 'prompts'] as const;
  const missing = needed.filter((name) => values[name] === undefined);
  if (missing.length > 0) throw usageError(`--${missing.join(', --')} missing`, usage);
  const above = (name: 'bytes' | 'tolerance' | 'candidates' | 'minutes' | 'steps' | 'multiple') => {
    const number = numberOption(name, values[name]) ?? NaN;
    if (!(number > 0)) throw usageError(`--${name} is not above 0`, usage);
    return number;
  };
  const whole = (name: Parameters<typeof above>[0]) => Math.max(1, Math.floor(above(name)));
  const distillation = numberOption('distillation', values.distillation) ?? 0;
  if (distillation < 0 || distillation > 1)
    throw usageError('--distillation is not from 0 to 1', usage);
  const share = numberOption('share', values.share) ?? NaN;
  if (!(share > 0 && share <= 1)) throw usageError('--share is not above 0 and at most 1', usage);
  const folder = resolve(values.out ?? '');
  await mkdir(folder, { recursive: true });
  const log = logger(join(folder, 'search.log'));
  try {
    const result = await search({
      densePath: resolve(dense),
      likePath: values.like ?? packageFile('models/kikitori-en'),
      folder,
      limitBytes: whole('bytes'),
      tolerance: above('tolerance') / 100,
      candidates: whole('candidates'),
      calibration: values.calibration ?? '',
      calibrationSeconds: numberOption('calibration-seconds', values['calibration-seconds']) ?? 600,
      multiple: whole('multiple'),
      prompts: await promptsOf(values, usage),
      trainer: {
        python: values.python ?? io.env['PYTHON'] ?? 'python3',
        folder: resolve(values.trainer ?? packageFile('trainer')),
        config: resolve(values['trainer-config'] ?? ''),
        log: log.line,
      },
      minutes: above('minutes'),
      steps: whole('steps'),
      learningRate: numberOption('learning-rate', values['learning-rate']) ?? 1e-3,
      distillation,
      share,
      progress: (line) => {
        log.line(line);
        io.stderr.write(`${line}\n`);
      },
      nowMs: () => performance.now(),
    });
    await write(folder, result);
    if (values.json) jsonLine(io, result);
    else io.stdout.write(searchMarkdown(result));
    return result.smallest === undefined ? 1 : 0;
  } finally {
    await log.end();
  }
};

async function write(folder: string, result: SearchResult): Promise<void> {
  await atomicWrite(join(folder, 'search.json'), `${JSON.stringify(result, null, 1)}\n`, 0o644);
  await atomicWrite(join(folder, 'search.md'), searchMarkdown(result), 0o644);
}

/** Lines with the time since the command began, appended in order. */
function logger(path: string): { line: (text: string) => void; end: () => Promise<void> } {
  let last = Promise.resolve();
  const began = performance.now();
  return {
    line: (text) => {
      const seconds = ((performance.now() - began) / 1000).toFixed(1);
      // A log that cannot be written ends no search of hours.
      last = last.then(() => appendFile(path, `${seconds} ${text}\n`)).catch(() => undefined);
    },
    end: () => last,
  };
}
