import { planAcceptance, writeSubmission, type Edit, type Repository } from '../../fleet/index.js';
import { jsonLine, parse, usageError, type CommandRun, type Io } from '../shared/command.js';
import { common, openRepository, warn, type SubmitValues } from './common.js';

/**
 * Publishes the change at once, or, for a second publisher, writes it to a file for the owner. Says which:
 * what is printed after the command's own words.
 */
export async function commitOrSubmit(
  repository: Repository,
  edit: Edit,
  { as, submit }: SubmitValues,
  io: Io,
): Promise<string> {
  if (as === undefined || submit === undefined) {
    warn(await repository.commit(edit), io);
    return '';
  }
  const { version, files } = await writeSubmission(repository, as, edit, submit);
  return `; nothing is published yet: ${submit} holds version ${version} of the list of ${as} and ${files} file(s), for the owner's \`kikitori fleet accept\``;
}

/** The two options go together. */
export function checkSubmit({ as, submit }: SubmitValues, usage: string): void {
  if ((as === undefined) !== (submit === undefined))
    throw usageError('--as NAME and --submit FILE.tar go together', usage);
}

export const accept: CommandRun = async (argv, io) => {
  const usage = 'kikitori fleet accept FILE.tar [--fleet DIR] [--keys DIR] [--json]';
  const { values, positionals } = parse(argv, common, usage, { most: 1 });
  const [path] = positionals;
  if (path === undefined || positionals.length > 1) throw usageError('which submission?', usage);
  const repository = await openRepository(values, io);
  const { edit, publisher, version, changed } = await planAcceptance(repository, path);
  warn(await repository.commit(edit), io);
  if (values.json === true) jsonLine(io, { publisher, version, changed });
  else
    io.stdout.write(
      [
        `accepted version ${version} of the list of ${publisher}`,
        ...(changed.length === 0 ? ['  nothing in it is new but its date'] : []),
        ...changed.map((target) => `  ${target}`),
        '',
      ].join('\n'),
    );
  return 0;
};
