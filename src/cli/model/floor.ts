import { withRaisedFloor } from '../../compress/adjust.js';
import { readCheckpoint, writeCheckpoint } from '../../compress/checkpoint.js';
import { numberOption, parse, usageError, type CommandRun } from '../shared/command.js';

export const usage = 'kikitori model floor CHECKPOINT --raise-db DB --out FILE.safetensors';

export const help = `usage: ${usage}

Raises the floor under the log energies that a network hears, without training: all audio is as if it were
quieter by so much, and what is quieter than the floor, noise between the words above all, drowns in
it. Quiet voices do as well: compare several with "evaluate" on clean and on noisy recordings, and fit
priors and confidence anew ("model calibrate"). Do it before "model compress" and "model quantize", whose
choices depend on what is heard.

  --raise-db  by how much; below 0 lowers it
  --out       where the checkpoint goes, in F32
`;

/** Beyond this either everything is floor or nothing. */
const dbMax = 40;

export const run: CommandRun = async (argv, io) => {
  const { values, positionals } = parse(
    argv,
    {
      'raise-db': { type: 'string' },
      out: { type: 'string' },
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
  const db = numberOption('raise-db', values['raise-db']);
  if (path === undefined || more !== undefined) throw usageError('name one checkpoint', usage);
  if (db === undefined || typeof values.out !== 'string')
    throw usageError('--raise-db or --out is missing', usage);
  if (Math.abs(db) > dbMax) throw usageError(`--raise-db is not within ${dbMax} dB`, usage);
  const before = await readCheckpoint(path);
  const after = withRaisedFloor(before, db);
  // Scales were chosen for what was heard before.
  await writeCheckpoint(values.out, { ...after, quantization: undefined });
  io.stdout.write(
    `${values.out}: log floor ${before.features.logFloor.toExponential(2)} -> ${after.features.logFloor.toExponential(2)}\n`,
  );
  return 0;
};
