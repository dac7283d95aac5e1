import { Bundle } from '../../bundle/index.js';
import { randomFrom } from '../../measure/evaluate/statistics.js';
import { readGrammar, readLexicon } from '../../engine/engine.js';
import {
  compileGrammar,
  costInWords,
  findConfusable,
  GrammarError,
  sampleSentence,
  searchCost,
  shownWord,
  type Confusables,
  type GrammarDetails,
  type GrammarSource,
  type Lexicon,
} from '../../recognizer/index.js';
import { defaultGrammarPath, defaultModelPath } from '../../runtime/paths.js';
import {
  jsonLine,
  numberOption,
  parse,
  unknownAction,
  usageError,
  type CommandRun,
  type Io,
} from '../shared/command.js';
import { openModel } from '../lm/models.js';
import { importHa } from './import-ha.js';
import { sayGrammar, sayText } from './say.js';

const usage = `kikitori grammar check|sample|say [--model DIR|FILE] [--words FILE] [--count N] [--seed N] [--near DISTANCE] [--word TEXT] [--language-model FILE] [--json] [FILE]

check   says everything that is wrong, with line and column, counts the sentences, and warns of
        commands that sound alike (at --near or nearer, see docs/grammar.md; 0: the same sound)
sample  prints sentences that the grammar allows (--count of them, chosen by --seed), with what they mean
say     shows how each word is pronounced and where that came from: user, dictionary, spelled or g2p;
        --word tries one word, or a text such as "PLC 12", without a grammar

--language-model: of "kikitori lm"; sentences with {dictation} or a list with "wildcard: true" are part of
the grammar then, as they are in a daemon with recognizer.languageModelPath.

FILE may be a folder: all *.yaml in it are one grammar.
kikitori grammar import-ha --help: the names of a house from Home Assistant`;

const usageLine = usage.split('\n')[0] ?? '';
/** More samples than this are no samples. */
const countMax = 1_000_000;
/** Pairs shown to people; --json has all that were found. */
const pairsShown = 10;

export const run: CommandRun = async (argv, io) => {
  if (argv[0] === 'import-ha') return importHa(argv.slice(1), io);
  const { values, positionals } = parse(
    argv,
    {
      model: { type: 'string', default: defaultModelPath },
      words: { type: 'string' },
      word: { type: 'string' },
      count: { type: 'string', default: '10' },
      seed: { type: 'string', default: '1' },
      near: { type: 'string' },
      'language-model': { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h' },
    },
    usageLine,
    { most: 2 },
  );
  if (values.help === true) {
    io.stdout.write(`usage: ${usage}\n`);
    return 0;
  }
  const [action, file = defaultGrammarPath, ...more] = positionals;
  if (action !== 'check' && action !== 'sample' && action !== 'say')
    throw unknownAction('grammar', action, ['check', 'sample', 'say', 'import-ha'], usageLine);
  if (more.length > 0) throw usageError(`one file, not also ${more.join(' ')}`, usageLine);
  const json = values.json === true;
  const count = wholeNumber('count', values.count, countMax);
  const seed = wholeNumber('seed', values.seed, 2 ** 32 - 1);
  const near = numberOption('near', values.near);
  const bundle = await Bundle.open(values.model);
  const lexicon = await readLexicon(bundle, values.words);
  if (action === 'say' && values.word !== undefined) return sayText(values.word, lexicon, json, io);
  const source = await readGrammar(file);
  const languageModel = values['language-model'];
  if (languageModel !== undefined) await openModel(languageModel);
  const options = { file, lexicon, openSlots: languageModel !== undefined };
  const grammar = compileOrExplain(source, options, action === 'check' && json, io);
  if (grammar === null) return 1;
  if (!(action === 'check' && json)) {
    for (const w of grammar.warnings)
      io.stderr.write(`${w.file ?? file}:${w.line}:${w.column}: warning: ${w.message}\n`);
  }
  if (action === 'say') sayGrammar(grammar, lexicon, json, io);
  if (action === 'sample') sample(grammar, count, seed, json, io);
  if (action === 'check') {
    const confusables = findConfusable(
      grammar,
      lexicon.units,
      near === undefined ? {} : { maxDistance: near },
    );
    if (json) checkJson(file, grammar, confusables, io);
    else checkText(file, grammar, confusables, io);
  }
  return 0;
};

function wholeNumber(name: string, text: string | undefined, max: number): number {
  const value = numberOption(name, text) ?? 0;
  if (!Number.isInteger(value) || value < 0 || value > max)
    throw usageError(
      `--${name} is "${text ?? ''}", expected a whole number up to ${max}`,
      usageLine,
    );
  return value;
}

/** With --json the faults of a grammar are an answer too. */
function compileOrExplain(
  source: GrammarSource,
  options: { readonly file: string; readonly lexicon: Lexicon; readonly openSlots: boolean },
  explain: boolean,
  io: Io,
): GrammarDetails | null {
  try {
    return compileGrammar(source, options);
  } catch (error) {
    if (!explain || !(error instanceof GrammarError)) throw error;
    jsonLine(io, { file: options.file, ok: false, faults: error.faults });
    io.stderr.write(`${error.message}\n`);
    return null;
  }
}

function sample(grammar: GrammarDetails, count: number, seed: number, json: boolean, io: Io): void {
  const random = randomFrom(seed);
  for (let i = 0; i < count; i++) {
    const ids = sampleSentence(grammar, random);
    const text = ids.map((w) => shownWord(grammar.graph, w)).join(' ');
    const { intent, slots, said } = grammar.interpret(ids);
    if (json) jsonLine(io, { text, intent, slots, said });
    else io.stdout.write(`${text}  ->  ${intent} ${JSON.stringify(slots)}\n`);
  }
}

/** Words whose sound the letter-to-sound rules had to guess. */
function guessedWords(grammar: GrammarDetails): string[] {
  return [...grammar.pronunciations]
    .filter(([, ways]) => ways[0]?.source === 'g2p')
    .map(([word]) => word);
}

function checkJson(file: string, grammar: GrammarDetails, near: Confusables, io: Io): void {
  const { graph, sentences, warnings } = grammar;
  jsonLine(io, {
    file,
    ok: true,
    sentences,
    words: graph.words.length,
    states: graph.states,
    arcs: graph.arcUnit.length,
    search: searchCost(graph.arcUnit.length),
    guessedPronunciations: guessedWords(grammar),
    warnings,
    confusable: near.pairs,
    confusableComplete: near.complete,
  });
}

function checkText(file: string, grammar: GrammarDetails, near: Confusables, io: Io): void {
  const { graph, sentences } = grammar;
  io.stdout.write(
    `${file}: ${sentences.toLocaleString('en')} sentences, ${graph.words.length} words, ${graph.arcUnit.length} phones in the graph\n`,
  );
  io.stdout.write(`search: ${costInWords(graph.arcUnit.length)}\n`);
  const guessed = guessedWords(grammar);
  if (guessed.length > 0)
    io.stdout.write(
      `pronunciation guessed for: ${guessed.join(', ')} (see: kikitori grammar say --word WORD)\n`,
    );
  const phrase = (words: string) => (words === '' ? 'nothing' : `"${words}"`);
  for (const { distance, words, sentences: pair, intents } of near.pairs.slice(0, pairsShown)) {
    io.stdout.write(
      `sound alike, ${distance.toFixed(2)}: ${phrase(words[0])} and ${phrase(words[1])}, as in "${pair[0]}" (${intents[0]}) and "${pair[1]}" (${intents[1]})\n`,
    );
  }
  const hidden = near.pairs.length - pairsShown;
  if (hidden > 0) io.stdout.write(`${hidden} more pairs that sound alike (--json shows all)\n`);
  if (!near.complete)
    io.stdout.write('the search for commands that sound alike stopped at its bound\n');
}
