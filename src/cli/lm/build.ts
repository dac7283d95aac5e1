import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Counter, type CountOptions, type Counts } from '../../language/build/count.js';
import type { Grams } from '../../language/build/grams.js';
import { kneserNey, type Discounts } from '../../language/build/kneser-ney.js';
import { pruned } from '../../language/build/prune.js';
import { orderMax, wordsMax, type Shape } from '../../language/trie-file.js';
import { codeOf, KikitoriError } from '../../runtime/errors.js';
import { parse, usageError, type CommandRun, type Io } from '../shared/command.js';
import { linesOf } from './lines.js';
import { bytesOption, outOption, saveModel, wholeOption } from './models.js';
import { Sentences } from './sentences.js';

export const usage =
  'kikitori lm build TEXT... --out FILE [--order N] [--vocabulary N] [--bytes B] [--words FILE] [--prose] [--bits N] [--about TEXT]';

const vocabularyUsual = 64_000;
/** As long as what is said of the text will be, for the size to be kept. */
const room = { sentences: 10 ** 12, words: 10 ** 12 };

export const help = `usage: ${usage}

A language model from texts: how likely each word is behind the two before it. Interpolated modified
Kneser-Ney, pruned to a size by relative entropy, rounded and packed. Texts are English, in UTF-8, one
sentence a line, packed with gzip or not; numbers, units and signs become the words that are said.

  --out         where the model goes
  --order       words of the longest n-gram, 1 to ${orderMax} (${orderMax})
  --vocabulary  words that are kept, the most frequent (${vocabularyUsual})
  --words       a file of words that are kept in any case, one a line
  --bytes       the file is no larger: 6MB, 500kB; without it nothing is left out
  --prose       running text: paragraphs between empty lines, sentences at full stops
  --bits        of each probability, 4 to 8 (8)
  --about       what the text is and by whom it may be used; "lm info" shows it
`;

export const run: CommandRun = async (argv, io) => {
  const { values, positionals } = parse(
    argv,
    {
      out: { type: 'string' },
      order: { type: 'string' },
      vocabulary: { type: 'string' },
      words: { type: 'string' },
      bytes: { type: 'string' },
      bits: { type: 'string' },
      prose: { type: 'boolean', default: false },
      about: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
    usage,
    { most: Infinity },
  );
  if (values.help === true) {
    io.stdout.write(help);
    return 0;
  }
  if (positionals.length === 0) throw usageError('no text is named', usage);
  const out = await outOption(values.out, usage);
  const order = wholeOption('order', values.order, orderMax, [1, orderMax]);
  const most = wordsMax - 3;
  const vocabulary = wholeOption('vocabulary', values.vocabulary, vocabularyUsual, [1, most]);
  const bits = wholeOption('bits', values.bits, 8, [4, 8]);
  const bytes = bytesOption(values.bytes);
  const always = typeof values.words === 'string' ? await wordList(values.words) : [];
  const prose = values.prose === true;
  const given: Shape['about'] = typeof values.about === 'string' ? { about: values.about } : {};
  const { grams, about } = await made(
    positionals,
    { order, vocabulary, always },
    prose,
    io,
    (all) =>
      bytes === undefined ? all : pruned(all, bytes, { bits, about: { ...given, ...room } }),
  );
  await saveModel(grams, out, { bits, about: { ...given, ...about } }, io);
  return 0;
};

/** Counted, smoothed and made small. What is not needed any more is let go of here: writing needs the memory. */
async function made(
  paths: readonly string[],
  options: CountOptions,
  prose: boolean,
  io: Io,
  small: (grams: Grams) => Grams,
): Promise<{ grams: Grams; about: Shape['about'] }> {
  const sentences = new Sentences({ prose });
  const folder = await mkdtemp(join(tmpdir(), 'kikitori-lm-'));
  let counts: Counts;
  const counter = new Counter(folder, options);
  try {
    for (const path of paths)
      for await (const sentence of sentences.of(path)) counter.add(sentence);
    if (counter.words === 0)
      throw new KikitoriError('there are no words in it', {
        kind: 'input',
        where: paths.join(', '),
        expected: 'English text',
      });
    counts = counter.counts();
  } catch (error) {
    if (codeOf(error) !== 'ENOSPC') throw error;
    throw new KikitoriError('no room is left for the counts', {
      kind: 'storage',
      where: folder,
      expected: 'about five times the size of the text',
      hint: 'name a folder with room: TMPDIR=FOLDER',
    });
  } finally {
    counter.close();
    await rm(folder, { recursive: true, force: true });
  }
  tellCounts(counts, sentences, io);
  const { grams, discounts } = kneserNey(counts);
  tellDiscounts(discounts, io);
  return { grams: small(grams), about: { sentences: counts.sentences, words: counts.tokens } };
}

function tellCounts(counts: Counts, { foreign }: Sentences, io: Io): void {
  const { tokens, sentences, unknown, words, pairWord, tripleCounts, tripleMin, tripleWord } =
    counts;
  const share = ((100 * unknown) / tokens).toFixed(2);
  io.stdout.write(
    `${sentences} sentences, ${tokens} words; ${words.length - 3} different ones are kept, ${share} % are others\n`,
  );
  if (foreign.count > 0) {
    const scripts = [...foreign.scripts].map(([name, count]) => `${count} ${name}`).join(', ');
    io.stdout.write(
      `${foreign.count} words are not of the letters a to z (${scripts}), the first at ${foreign.first?.where}: they count as unknown\n`,
    );
  }
  if (tripleMin > 1)
    io.stdout.write(
      `3-grams that stood fewer than ${tripleMin} times are left out: there are too many\n`,
    );
  const found = [words.length, pairWord.length, tripleWord.length];
  io.stdout.write(
    `found: ${found
      .map((n, i) => `${n} ${i + 1}-grams`)
      .slice(0, counts.order)
      .join(', ')}; ${tripleCounts[0] ?? 0} 3-grams stood once\n`,
  );
}

function tellDiscounts(discounts: readonly Discounts[], io: Io): void {
  discounts.forEach(({ of, assumed }, i) => {
    const shown = of
      .slice(1)
      .map((d) => d.toFixed(3))
      .join(', ');
    const why = assumed ? ' (assumed: the counts of counts do not fall)' : '';
    io.stdout.write(`discounts of ${i + 1}-grams: ${shown}${why}\n`);
  });
}

async function wordList(path: string): Promise<string[]> {
  const words = new Set<string>();
  const faults: string[] = [];
  let line = 0;
  for await (const text of linesOf(path)) {
    line += 1;
    const word = text.trim().toLowerCase();
    if (word === '' || word.startsWith('#')) continue;
    if (/^[a-z]+(?:['][a-z]+)*'?$/.test(word)) words.add(word);
    else faults.push(`${path}:${line}: ${JSON.stringify(word.slice(0, 40))} is no word of a to z`);
  }
  if (faults.length > 0)
    throw new KikitoriError(faults.slice(0, 20).join('\n'), {
      kind: 'input',
      expected: 'one word a line',
    });
  return [...words];
}
