import { languageSelfTest, type LanguageSelfTestResult } from '../../engine/language-selftest.js';
import { selfTestFault } from '../../engine/selftest.js';
import { confinedName } from '../../runtime/confine.js';
import { defaultModelPath } from '../../runtime/paths.js';
import { jsonLine, parse, usageError, type CommandRun } from '../shared/command.js';
import { wholeOption } from './models.js';

export const usage =
  'kikitori lm selftest [--json] [--model DIR|FILE.tar] [--words FILE] [--boost FILE] [--threads N] MODEL';

export const help = `usage: ${usage}

What a board does with a language model before it hears with it: opens it, measures the perplexity of the sentences
that its bundle carries, compiles its words for a model bundle, and writes down that bundle's clip. Status 1 unless
the perplexity is within what the bundle says.

  --model  the bundle that is to hear with it (the one that came with kikitori)
  --words  own words with pronunciations, --boost own terms, as the board has them
`;

export const run: CommandRun = async (argv, io) => {
  const { values, positionals } = parse(
    argv,
    {
      json: { type: 'boolean', default: false },
      model: { type: 'string' },
      words: { type: 'string' },
      boost: { type: 'string' },
      threads: { type: 'string' },
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
  if (path === undefined) throw usageError('no language model is named', usage);
  let result: LanguageSelfTestResult;
  try {
    result = await languageSelfTest({
      path,
      modelPath: values.model ?? defaultModelPath,
      wordsPath: values.words,
      boostPath: values.boost,
      threads: wholeOption('threads', values.threads, 1, [1, 64]),
    });
  } catch (error) {
    if (values.json === true) jsonLine(io, selfTestFault(error));
    throw error;
  }
  const { passed, why, perplexity, words, realTimeFactor, openMs, peakRssMb } = result;
  if (values.json === true) jsonLine(io, { ...result, confined: io.env[confinedName] ?? '' });
  else
    io.stdout.write(
      [
        `${passed ? 'passed' : 'FAILED'}: ${why ?? (perplexity === null ? 'no sentences of its own' : `perplexity ${perplexity.toFixed(1)}`)}`,
        `  ${words} words; opened in ${openMs.toFixed(0)} ms, real-time factor ${realTimeFactor.toFixed(3)}, ${peakRssMb.toFixed(0)} MB`,
        '',
      ].join('\n'),
    );
  return passed ? 0 : 1;
};
