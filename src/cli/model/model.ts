import { unknownAction, type CommandRun } from '../shared/command.js';

const usage = `kikitori model inspect [--json] DIR|FILE
       kikitori model compress FILE --out FILE ...
       kikitori model selftest [--json] [--grammar FILE] [--words FILE] [--threads N] DIR|FILE
       kikitori model report --dense BUNDLE --candidate NAME=PATH... --out DIR ...
       kikitori model search FILE.safetensors --bytes N --tolerance POINTS --out DIR ...
       kikitori model pack --checkpoint FILE --out DIR|FILE.tar [--card FILE.json] [--selftest FILE.wav --text TEXT]
       kikitori model quantize CHECKPOINT --calibration DIR|FILE... --out FILE.safetensors
       kikitori model floor CHECKPOINT --raise-db DB --out FILE.safetensors
       kikitori model blend BEFORE AFTER --share S --out FILE.safetensors
       kikitori model calibrate --model DIR|FILE --labels FILE.tsv [--match REGEX] [--out DIR] [--write] [--card FILE.json]`;

const actions = 'inspect selftest report compress search pack quantize floor blend calibrate'.split(
  ' ',
);

export const run: CommandRun = async (argv, io) => {
  const [name, ...rest] = argv;
  switch (name) {
    case 'inspect':
      return (await import('./inspect.js')).inspect(rest, io);
    case 'selftest':
      return (await import('./inspect.js')).selftest(rest, io);
    case 'report':
      return (await import('./report.js')).run(rest, io);
    case 'compress':
      return (await import('./compress.js')).run(rest, io);
    case 'search':
      return (await import('./search.js')).run(rest, io);
    case 'pack':
      return (await import('./pack.js')).run(rest, io);
    case 'quantize':
      return (await import('./quantize.js')).run(rest, io);
    case 'floor':
      return (await import('./floor.js')).run(rest, io);
    case 'blend':
      return (await import('./blend.js')).run(rest, io);
    case 'calibrate':
      return (await import('./calibrate.js')).run(rest, io);
    case '--help':
    case '-h':
      io.stdout.write(`usage: ${usage}\n`);
      return 0;
    default:
      throw unknownAction('model', name, actions, usage);
  }
};
