/** What every fleet command shares: its options, and the repository that they name. */
import { randomBytes } from 'node:crypto';
import { Repository } from '../../fleet/index.js';
import { systemClock } from '../../runtime/clock.js';
import type { Io } from '../shared/command.js';
import { passphraseFrom } from './passphrase.js';

export const common = {
  fleet: { type: 'string' },
  keys: { type: 'string', multiple: true },
  'passphrase-file': { type: 'string' },
  json: { type: 'boolean', default: false },
} as const;

export interface CommonValues {
  readonly fleet?: string;
  readonly keys?: readonly string[];
  readonly 'passphrase-file'?: string;
  readonly json?: boolean;
}

export const submitOptions = { as: { type: 'string' }, submit: { type: 'string' } } as const;

export interface SubmitValues {
  readonly as?: string;
  readonly submit?: string;
}

export function fleetDir(values: CommonValues, io: Io): string {
  return values.fleet ?? io.env['KIKITORI_FLEET'] ?? '.';
}

/** 0..1 from the system's generator: names must differ between two computers too. */
export const secureRandom = () => randomBytes(4).readUInt32BE() / 2 ** 32;

export async function openRepository(
  values: CommonValues & SubmitValues,
  io: Io,
): Promise<Repository> {
  return Repository.open({
    ...(values.as === undefined ? {} : { as: values.as }),
    dir: fleetDir(values, io),
    keyFolders: values.keys ?? [],
    passphrase: passphraseFrom(values['passphrase-file'], io),
    clock: systemClock,
    random: secureRandom,
  });
}

/** Every command says it: a fleet whose signatures run out stops updating without a sound. */
export function warn(repository: Repository, io: Io): void {
  for (const { message } of repository.warnings()) io.stderr.write(`warning: ${message}\n`);
}

export const listOption = (value: string | undefined) =>
  value === undefined ? undefined : value.split(',').filter((v) => v !== '');
