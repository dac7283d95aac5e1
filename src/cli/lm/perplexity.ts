import { PerplexityMeter } from '../../language/perplexity.js';
import { KikitoriError } from '../../runtime/errors.js';
import { jsonLine, parse, usageError, type CommandRun } from '../shared/command.js';
import { openModel } from './models.js';
import { Sentences } from './sentences.js';

export const usage = 'kikitori lm perplexity [--json] [--prose] MODEL TEXT...';

export const help = `usage: ${usage}

How well a model foretells a text: among how many equally likely words it would be as unsure as it is.
Smaller is better. Words that it does not know are left out of that and counted beside it. The text must
not be one that the model was made of.

  --prose  running text in paragraphs, not one sentence a line
  --json   one object
`;

export const run: CommandRun = async (argv, io) => {
  const { values, positionals } = parse(
    argv,
    {
      prose: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
    usage,
    { most: Infinity },
  );
  if (values.help === true) {
    io.stdout.write(help);
    return 0;
  }
  const [path, ...texts] = positionals;
  if (path === undefined || texts.length === 0) throw usageError('name a model and a text', usage);
  const { model } = await openModel(path);
  const meter = new PerplexityMeter(model);
  const sentences = new Sentences({ prose: values.prose === true });
  for (const text of texts) for await (const sentence of sentences.of(text)) meter.add(sentence);
  const { result } = meter;
  if (result.sentences === 0)
    throw new KikitoriError('there are no words in it', {
      kind: 'input',
      where: texts.join(', '),
      expected: 'English text',
    });
  if (values.json === true) {
    jsonLine(io, { model: path, ...result });
    return 0;
  }
  const share = ((100 * result.unknown) / result.words).toFixed(2);
  io.stdout.write(
    `perplexity ${result.perplexity.toFixed(1)}: ${result.sentences} sentences, ${result.words} words, ${result.unknown} of them unknown (${share} %)\n`,
  );
  return 0;
};
