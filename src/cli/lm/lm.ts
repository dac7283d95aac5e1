import { unknownAction, type CommandRun } from '../shared/command.js';

const usage = `kikitori lm build TEXT... --out FILE [--order N] [--vocabulary N] [--bytes B] ...
       kikitori lm import FILE.arpa[.gz] --out FILE [--bytes B] ...
       kikitori lm export MODEL --out FILE.arpa[.gz]
       kikitori lm perplexity [--json] MODEL TEXT...
       kikitori lm mix MODEL MODEL... --out FILE (--weights W,W | --fit TEXT) [--bytes B]
       kikitori lm info [--json] MODEL
       kikitori lm pack MODEL --card FILE.json --selftest TEXT --out DIR|FILE.tar [--readme FILE]
       kikitori lm selftest [--json] [--model DIR|FILE.tar] [--words FILE] [--boost FILE] MODEL
       kikitori lm tune [--config FILE] [--language-model FILE] ... TABLE.tsv`;

const actions = 'build import export perplexity mix info pack selftest tune'.split(' ');

export const run: CommandRun = async (argv, io) => {
  const [name, ...rest] = argv;
  switch (name) {
    case 'build':
      return (await import('./build.js')).run(rest, io);
    case 'import':
      return (await import('./import.js')).run(rest, io);
    case 'export':
      return (await import('./export.js')).run(rest, io);
    case 'perplexity':
      return (await import('./perplexity.js')).run(rest, io);
    case 'mix':
      return (await import('./mix.js')).run(rest, io);
    case 'info':
      return (await import('./info.js')).run(rest, io);
    case 'pack':
      return (await import('./pack.js')).run(rest, io);
    case 'selftest':
      return (await import('./selftest.js')).run(rest, io);
    case 'tune':
      return (await import('./tune.js')).run(rest, io);
    case '--help':
    case '-h':
      io.stdout.write(`usage: ${usage}\n`);
      return 0;
    default:
      throw unknownAction('lm', name, actions, usage);
  }
};
