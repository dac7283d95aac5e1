import { gzipSync } from 'node:zlib';
import { arpaLines } from '../../language/build/arpa.js';
import { parse, usageError, type CommandRun } from '../shared/command.js';
import { openModel, outOption, writeWhole } from './models.js';

export const usage = 'kikitori lm export MODEL --out FILE.arpa[.gz]';

export const help = `usage: ${usage}

The model as an ARPA file, which other programs read. Its numbers are those of the model: rounded as it is.

  --out  where it goes; a name that ends in .gz is packed
`;

/** Lines that are turned into bytes at a time. */
const linesAtATime = 10_000;

export const run: CommandRun = async (argv, io) => {
  const { values, positionals } = parse(
    argv,
    { out: { type: 'string' }, help: { type: 'boolean', short: 'h', default: false } },
    usage,
    { most: 1 },
  );
  if (values.help === true) {
    io.stdout.write(help);
    return 0;
  }
  const [path] = positionals;
  if (path === undefined) throw usageError('no model is named', usage);
  const out = await outOption(values.out, usage);
  const { grams } = await openModel(path);
  const parts: Buffer[] = [];
  let lines: string[] = [];
  const flush = () => {
    parts.push(Buffer.from(lines.map((line) => `${line}\n`).join('')));
    lines = [];
  };
  for (const line of arpaLines(grams())) if (lines.push(line) === linesAtATime) flush();
  flush();
  const arpa = Buffer.concat(parts);
  const file = out.endsWith('.gz') ? gzipSync(arpa) : arpa;
  await writeWhole(out, file);
  io.stdout.write(`${out}: ${file.length} bytes\n`);
  return 0;
};
