import type { CommandRun } from '../shared/command.js';

const usage = `kikitori evaluate --grammar FILE [--labels FILE.json|tsv] DIR     accuracy, false accepts, curve
       kikitori evaluate --endpoint --grammar FILE --labels FILE DIR   how soon the end is noticed
       kikitori evaluate --near-misses                              minimal pairs by synthetic voices
       kikitori evaluate --among N --labels FILE.tsv                sentences, each among N others
       kikitori evaluate --wake PHRASE --hits DIR --talk DIR        a wake phrase: misses, false alarms

Each says more with --help.`;

/** Each way of measuring is a file of its own; the plain one is the default. */
export const run: CommandRun = async (argv, io) => {
  const rest = (name: string) => argv.filter((a) => a !== name);
  if (argv.includes('--near-misses'))
    return (await import('./near-misses.js')).run(rest('--near-misses'), io);
  if (argv.includes('--endpoint'))
    return (await import('./endpoint.js')).run(rest('--endpoint'), io);
  if (argv.some((a) => a === '--among' || a.startsWith('--among=')))
    return (await import('./among.js')).run(argv, io);
  if (argv.some((a) => a === '--wake' || a.startsWith('--wake=')))
    return (await import('./wake.js')).run(argv, io);
  if (argv.length === 1 && ['--help', '-h'].includes(argv[0] ?? '')) {
    io.stdout.write(`usage: ${usage}\n\n`);
  }
  return (await import('./clips.js')).run(argv, io);
};
