import { blended } from '../../compress/adjust.js';
import { readNetwork, writeCheckpoint } from '../../compress/checkpoint.js';
import { numberOption, parse, usageError, type CommandRun } from '../shared/command.js';

export const usage = 'kikitori model blend BEFORE AFTER --share S --out FILE.safetensors';

export const help = `usage: ${usage}

A network between one and what fine-tuning made of it: (1 - S) of each weight of BEFORE and S of AFTER.
Fine-tuning is on few voices and kinds of noise and forgets some others; between the two lies what has both,
often better than either. Both must have the same shape, features and units: the same factored checkpoint
before and after. Scales of activations are left out: "model quantize" chooses them anew.

  --share  from 0, BEFORE, to 1, AFTER; try 0.3, 0.5 and 0.7 on held-out recordings
  --out    where the checkpoint goes, in F32
`;

export const run: CommandRun = async (argv, io) => {
  const { values, positionals } = parse(
    argv,
    {
      share: { type: 'string' },
      out: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
    usage,
    { most: 2 },
  );
  if (values.help === true) {
    io.stdout.write(help);
    return 0;
  }
  const [before, after, ...more] = positionals;
  const share = numberOption('share', values.share);
  if (before === undefined || after === undefined || more.length > 0)
    throw usageError('name two checkpoints', usage);
  if (share === undefined || typeof values.out !== 'string')
    throw usageError('--share or --out is missing', usage);
  if (share < 0 || share > 1) throw usageError('--share is not from 0 to 1', usage);
  const [from, to] = await Promise.all([readNetwork(before), readNetwork(after)]);
  await writeCheckpoint(values.out, blended(from, to, share));
  io.stdout.write(`${values.out}: ${1 - share} of ${before}, ${share} of ${after}\n`);
  return 0;
};
