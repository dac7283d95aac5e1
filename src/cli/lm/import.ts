import { pruned } from '../../language/build/prune.js';
import type { Shape } from '../../language/trie-file.js';
import { parse, usageError, type CommandRun } from '../shared/command.js';
import { bytesOption, openModel, outOption, saveModel, wholeOption } from './models.js';

export const usage =
  'kikitori lm import FILE.arpa[.gz] --out FILE [--bytes B] [--bits N] [--zero-backoffs] [--about TEXT]';

export const help = `usage: ${usage}

A language model of other programs (SRILM, IRSTLM, KenLM write ARPA files) as kikitori reads it: rounded and
packed. At most three words an n-gram.

  --out            where the model goes
  --bytes          the file is no larger: n-grams of which least is lost are left out
  --bits           of each probability, 4 to 8 (8)
  --zero-backoffs  a missing back-off of an n-gram that others begin with is meant as 0
  --about          what the text was and by whom it may be used; "lm info" shows it
`;

export const run: CommandRun = async (argv, io) => {
  const { values, positionals } = parse(
    argv,
    {
      out: { type: 'string' },
      bytes: { type: 'string' },
      bits: { type: 'string' },
      about: { type: 'string' },
      'zero-backoffs': { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
    usage,
    { most: 1 },
  );
  if (values.help === true) {
    io.stdout.write(help);
    return 0;
  }
  const [path] = positionals;
  if (path === undefined) throw usageError('no ARPA file is named', usage);
  const out = await outOption(values.out, usage);
  const bits = wholeOption('bits', values.bits, 8, [4, 8]);
  const bytes = bytesOption(values.bytes);
  const about: Shape['about'] = typeof values.about === 'string' ? { about: values.about } : {};
  const grams = (await openModel(path, values['zero-backoffs'] === true)).grams();
  const options = { bits, about };
  const small = bytes === undefined ? grams : pruned(grams, bytes, options);
  // The back-offs of a file that nothing was taken from stay its own.
  await saveModel(small, out, { ...options, renormalise: small !== grams }, io);
  return 0;
};
