import { readFile } from 'node:fs/promises';
import { Bundle } from '../../bundle/index.js';
import { readLexicon, readText } from '../../engine/engine.js';
import { readingsOf, type Lexicon } from '../../recognizer/index.js';
import { atomicWrite } from '../../runtime/atomic-write.js';
import { systemClock } from '../../runtime/clock.js';
import { codeOf, fileFault, KikitoriError } from '../../runtime/errors.js';
import { nearest } from '../../runtime/nearest.js';
import { defaultModelPath } from '../../runtime/paths.js';
import {
  jsonLine,
  numberOption,
  parse,
  usageError,
  type CommandRun,
  type Io,
} from '../shared/command.js';
import { houseFromDiscovery } from './house/discovery.js';
import { houseLists, isOurs, type House, type HouseLists } from './house/house.js';
import { readDiscovery } from './house/live.js';
import { expected, readHouse } from './house/source.js';

const usage = `kikitori grammar import-ha [--out FILE] [--area NAME] [--all] [--ids] [--words FILE] [--json] SOURCE... | --broker URL [--timeout SECONDS]

Writes the lists name, area and floor of a house that Home Assistant knows, to be read beside its sentences
(docs/home-assistant-sentences.md).

SOURCE     ${expected.replace(', or ', ',\n           or ')}
--broker   asks a broker for the discovery messages under --prefix (homeassistant) for at most --timeout (10) seconds;
           --username, --password-file or $KIKITORI_FLEET_MQTT_PASSWORD, --ca-file
--out      the file, replaced only where it was written by this command; without it the lists are printed
--area     the area that the device stands in
--all      also what Home Assistant does not expose to voice
--ids      slots become entity ids in place of names`;
const usageLine = usage.split('\n')[0] ?? '';
const timeoutSecondsMax = 300;
/** Readable by the daemon, which is another user. */
const mode = 0o644;

const options = {
  out: { type: 'string' },
  area: { type: 'string' },
  all: { type: 'boolean', default: false },
  ids: { type: 'boolean', default: false },
  broker: { type: 'string' },
  prefix: { type: 'string', default: 'homeassistant' },
  timeout: { type: 'string', default: '10' },
  username: { type: 'string' },
  'password-file': { type: 'string' },
  'ca-file': { type: 'string' },
  model: { type: 'string', default: defaultModelPath },
  words: { type: 'string' },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h' },
} as const;

type Values = ReturnType<typeof parse<typeof options>>['values'];

export const importHa: CommandRun = async (argv, io) => {
  const { values, positionals } = parse(argv, options, usageLine, { most: 10 });
  if (values.help === true) {
    io.stdout.write(`usage: ${usage}\n`);
    return 0;
  }
  if ((values.broker === undefined) === (positionals.length === 0))
    throw usageError('import what? A SOURCE, or --broker', usageLine);
  await mayReplace(values.out);
  const lexicon = await readLexicon(await Bundle.open(values.model), values.words);
  const house = await houseOf(values, positionals, io);
  const lists = houseLists(house, {
    pronounceable: (name) => isPronounceable(name, lexicon),
    ids: values.ids === true,
    ...(values.area === undefined ? {} : { area: areaOf(values.area, house) }),
  });
  if (lists.names + lists.areas === 0)
    throw new KikitoriError('there is nothing to speak of: no name and no area', {
      kind: 'input',
      where: positionals.join(', ') || values.broker || '',
      ...(lists.notes.length === 0 ? {} : { hint: lists.notes.join('; ') }),
    });
  for (const note of lists.notes) io.stderr.write(`${note}\n`);
  await write(lists, values, io);
  return 0;
};

async function houseOf(values: Values, paths: readonly string[], io: Io): Promise<House> {
  const prefix = values.prefix ?? 'homeassistant';
  if (!/^[^\s#+]{1,200}$/.test(prefix) || prefix.endsWith('/'))
    throw usageError(
      '--prefix is no beginning of topics, expected one such as homeassistant',
      usageLine,
    );
  const all = values.all === true;
  if (values.broker === undefined) return readHouse(paths, { prefix, all });
  const seconds = numberOption('timeout', values.timeout) ?? 10;
  if (!(seconds > 0 && seconds <= timeoutSecondsMax))
    throw usageError(`--timeout: expected seconds up to ${timeoutSecondsMax}`, usageLine);
  const password =
    values['password-file'] === undefined
      ? io.env['KIKITORI_FLEET_MQTT_PASSWORD']
      : (await readText(values['password-file'], 'a password')).replace(/\n$/, '');
  const messages = await readDiscovery({
    url: values.broker,
    prefix,
    timeoutMs: seconds * 1000,
    clock: systemClock,
    ...(values.username === undefined ? {} : { username: values.username }),
    ...(password === undefined ? {} : { password }),
    ...(values['ca-file'] === undefined
      ? {}
      : { ca: await readText(values['ca-file'], 'certificates') }),
  });
  return houseFromDiscovery(messages, prefix, { all });
}

/** An area by any of its names. */
function areaOf(name: string, { areas }: House): string {
  const found = areas.find(({ names }) =>
    names.some((one) => one.toLowerCase() === name.toLowerCase()),
  );
  const known = areas.map(({ names }) => names[0] ?? '');
  const near = nearest(name, known);
  if (found === undefined)
    throw usageError(
      `--area: the house has no such area${near === undefined ? '' : `, did you mean ${near}?`}; there are: ${known.join(', ')}`,
      usageLine,
    );
  return found.names[0] ?? name;
}

/** Every word of every way to read it has a sound. */
function isPronounceable(name: string, lexicon: Lexicon): boolean {
  const pieces = readingsOf(name, { own: lexicon.ownWords });
  return pieces.length > 0 && pieces.flat(2).every(({ word }) => lexicon.lookup(word).length > 0);
}

/** A file that somebody wrote by hand stays. */
async function mayReplace(path: string | undefined): Promise<void> {
  if (path === undefined) return;
  let before: string;
  try {
    before = await readFile(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return;
    throw new KikitoriError(fileFault(error), { kind: 'input', where: path });
  }
  if (before !== '' && !isOurs(before))
    throw new KikitoriError('this file was not written by import-ha and stays as it is', {
      kind: 'input',
      where: path,
      hint: 'name another with --out',
    });
}

async function write(lists: HouseLists, values: Values, io: Io): Promise<void> {
  const { yaml, names, areas, floors, notes } = lists;
  if (values.out === undefined) {
    io.stdout.write(yaml);
    return;
  }
  try {
    await atomicWrite(values.out, yaml, mode);
  } catch (error) {
    throw new KikitoriError(fileFault(error), { kind: 'storage', where: values.out, cause: error });
  }
  if (values.json === true) jsonLine(io, { file: values.out, names, areas, floors, notes });
  else io.stdout.write(`${values.out}: ${names} names, ${areas} areas, ${floors} floors\n`);
}
