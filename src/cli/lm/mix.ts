import { bestWeights, mixed } from '../../language/build/mix.js';
import { pruned } from '../../language/build/prune.js';
import { KikitoriError } from '../../runtime/errors.js';
import type { Shape } from '../../language/trie-file.js';
import { parse, quoted, usageError, type CommandRun } from '../shared/command.js';
import {
  bytesOption,
  openModel,
  outOption,
  saveModel,
  wholeOption,
  type OpenedModel,
} from './models.js';
import { Sentences } from './sentences.js';

export const usage =
  'kikitori lm mix MODEL MODEL... --out FILE (--weights W,W | --fit TEXT) [--bytes B] [--bits N] [--prose] [--about TEXT]';

export const help = `usage: ${usage}

One model of several, such as a general one and one of a site's reports: each probability is their weighted mean.

  --out      where the model goes
  --weights  of the models in their order, 0.7,0.3
  --fit      a text of the kind that will be spoken, of which no model was made: the weights by which it is foretold best
  --bytes    the file is no larger
  --bits     of each probability, 4 to 8 (8)
  --prose    the text of --fit is in paragraphs, not one sentence a line
  --about    shown by "lm info"
`;

/** Words of --fit that are looked at: two numbers do not need more. */
const fitWordsMax = 1_000_000;
const modelsMax = 8;

export const run: CommandRun = async (argv, io) => {
  const { values, positionals } = parse(
    argv,
    {
      out: { type: 'string' },
      weights: { type: 'string' },
      fit: { type: 'string' },
      bytes: { type: 'string' },
      bits: { type: 'string' },
      about: { type: 'string' },
      prose: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
    usage,
    { most: modelsMax },
  );
  if (values.help === true) {
    io.stdout.write(help);
    return 0;
  }
  if (positionals.length < 2) throw usageError('name two models or more', usage);
  const out = await outOption(values.out, usage);
  if ((values.weights === undefined) === (values.fit === undefined))
    throw usageError('say either --weights or --fit', usage);
  const bits = wholeOption('bits', values.bits, 8, [4, 8]);
  const bytes = bytesOption(values.bytes);
  const given =
    typeof values.weights === 'string' ? weightsOf(values.weights, positionals.length) : undefined;
  const opened: OpenedModel[] = [];
  for (const path of positionals) opened.push(await openModel(path));
  const weights = given ?? (await fitted(opened, String(values.fit), values.prose === true));
  io.stdout.write(
    `weights: ${positionals.map((path, i) => `${path} ${(weights[i] ?? 0).toFixed(3)}`).join(', ')}\n`,
  );
  const about: Shape['about'] = typeof values.about === 'string' ? { about: values.about } : {};
  const grams = mixed(
    opened.map((model) => model.grams()),
    weights,
  );
  const small = bytes === undefined ? grams : pruned(grams, bytes, { bits, about });
  await saveModel(small, out, { bits, about }, io);
  return 0;
};

function weightsOf(text: string, count: number): number[] {
  const weights = text.split(',').map((weight) => (weight.trim() === '' ? NaN : Number(weight)));
  const sum = weights.reduce((all, weight) => all + weight, 0);
  if (weights.length !== count || weights.some((w) => !(w >= 0)) || Math.abs(sum - 1) > 0.001)
    throw new KikitoriError(`--weights is ${quoted(text)}`, {
      kind: 'usage',
      expected: `${count} numbers from 0 on that are 1 together`,
    });
  return weights.map((weight) => weight / sum);
}

async function fitted(
  models: readonly OpenedModel[],
  path: string,
  prose: boolean,
): Promise<number[]> {
  const text: (readonly string[])[] = [];
  let words = 0;
  for await (const sentence of new Sentences({ prose }).of(path)) {
    if (words > fitWordsMax) break;
    text.push(sentence);
    words += sentence.length;
  }
  // A word that one model does not know is foretold by those that know it.
  const probabilities = models.map(({ model }) => {
    const found: number[] = [];
    for (const sentence of text) {
      let context = model.begin;
      for (const word of [...sentence, '</s>']) {
        const number = word === '<unk>' ? undefined : model.numberOf(word);
        found.push(number === undefined ? 0 : Math.exp(model.lnProbability(context, number)));
        context = model.advance(context, number ?? model.unknown);
      }
    }
    return Float64Array.from(found);
  });
  if (words === 0)
    throw new KikitoriError('there are no words in it', {
      kind: 'input',
      where: path,
      expected: 'English text',
    });
  return bestWeights(probabilities);
}
