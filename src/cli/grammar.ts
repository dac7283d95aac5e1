import { Bundle } from '../bundle/index.js';
import { randomFrom } from '../compress/evaluate/statistics.js';
import { readLexicon, readText } from '../engine.js';
import { compileGrammar, sampleSentence, type GrammarDetails } from '../recognizer/index.js';
import { defaultGrammarPath, defaultModelPath } from '../runtime/paths.js';
import { jsonLine, numberOption, parse, usageError, type CommandRun, type Io } from './command.js';

const usage = `kikitori grammar check|sample|say [--model DIR|FILE] [--words FILE] [--count N] [--seed N] [--word WORD] [--json] [FILE]

check   says everything that is wrong, with line and column, and counts the sentences
sample  prints sentences that the grammar allows, with what they mean
say     shows how each word is pronounced and where that came from`;

export const run: CommandRun = async (argv, io) => {
  const { values, positionals } = parse(
    argv,
    {
      model: { type: 'string', default: defaultModelPath },
      words: { type: 'string' },
      word: { type: 'string' },
      count: { type: 'string', default: '10' },
      seed: { type: 'string', default: '1' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h' },
    },
    usage.split('\n')[0] ?? '',
  );
  if (values.help === true) {
    io.stdout.write(`usage: ${usage}\n`);
    return 0;
  }
  const [action, file = defaultGrammarPath] = positionals;
  const bundle = await Bundle.open(String(values.model));
  const lexicon = await readLexicon(bundle, values.words);
  const name = (phones: readonly number[]) => phones.map((p) => lexicon.units[p]).join(' ');
  if (action === 'say' && typeof values.word === 'string') {
    for (const p of lexicon.lookup(values.word.toLowerCase()))
      io.stdout.write(`${values.word}: ${name(p.phones)} (${p.source})\n`);
    return 0;
  }
  if (action !== 'check' && action !== 'sample' && action !== 'say')
    throw usageError(`unknown: grammar ${action ?? ''}`, usage.split('\n')[0] ?? '');
  const grammar = compileGrammar(await readText(file, 'a file of sentences'), { file, lexicon });
  for (const w of grammar.warnings)
    io.stderr.write(`${file}:${w.line}:${w.column}: warning: ${w.message}\n`);
  if (action === 'check') check(file, grammar, values.json === true, io);
  if (action === 'sample') {
    const random = randomFrom(numberOption('seed', values.seed) ?? 1);
    for (let i = 0; i < (numberOption('count', values.count) ?? 10); i++) {
      const ids = sampleSentence(grammar, random);
      const text = ids.map((w) => grammar.graph.words[w]).join(' ');
      const { intent, slots } = grammar.interpret(ids);
      if (values.json === true) jsonLine(io, { text, intent, slots });
      else io.stdout.write(`${text}  ->  ${intent} ${JSON.stringify(slots)}\n`);
    }
  }
  if (action === 'say') {
    for (const [word, ways] of [...grammar.pronunciations].sort()) {
      if (values.json === true)
        jsonLine(io, {
          word,
          pronunciations: ways.map((p) => ({ phones: name(p.phones), source: p.source })),
        });
      else
        io.stdout.write(
          `${word.padEnd(20)} ${ways.map((p) => `${name(p.phones)} (${p.source})`).join(' | ')}\n`,
        );
    }
  }
  return 0;
};

function check(file: string, grammar: GrammarDetails, json: boolean, io: Io): void {
  const { graph, sentences } = grammar;
  const guessed = [...grammar.pronunciations]
    .filter(([, ways]) => ways.every((p) => p.source === 'g2p'))
    .map(([word]) => word);
  if (json) {
    jsonLine(io, {
      file,
      sentences,
      words: graph.words.length,
      states: graph.states,
      arcs: graph.arcUnit.length,
      guessedPronunciations: guessed,
    });
    return;
  }
  io.stdout.write(
    `${file}: ${sentences.toLocaleString('en')} sentences, ${graph.words.length} words, ${graph.arcUnit.length} phones in the graph\n`,
  );
  if (guessed.length > 0)
    io.stdout.write(
      `pronunciation guessed for: ${guessed.join(', ')} (see: kikitori grammar say --word WORD)\n`,
    );
}
