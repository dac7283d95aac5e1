/**
 * All figures of docs/dictation.md that hang on the network, by one command: word errors, noise written down, words said alone, slots of
 * people, talk taken for a command. On dev/, nothing is fitted.
 *   npm run build && node dist/bench/free-words.js DATA --language-model FILE [--model DIR] [--out FOLDER]
 * --language-model: a file or bundle, as scripts/lm-general makes it. One bench after the other, at nice 5. What each prints is kept in
 * --out, and a step that is there is not run again: after a cut the same command goes on. With --out of another network begin an empty one.
 */
import { spawn } from 'node:child_process';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { readModelFile } from '../src/engine/model-file.js';
import { freeWordsTable, type Printed } from './lib/free-words-table.js';
import { commit, machine } from './lib/report.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    model: { type: 'string', default: 'models/kikitori-en' },
    'language-model': { type: 'string', default: '' },
    out: { type: 'string', default: 'free-words' },
  },
});
const [data = '../shared/data'] = positionals;
const { out, model } = values;

/** Short fixed words and longer ones, as sites have them. */
const grammar = `lists: { item: { wildcard: true }, task: { wildcard: true } }
intents:
  AddItem: { data: [{ sentences: ["add {item} to [my|the] shopping list"] }] }
  Note: { data: [{ sentences: ["note {dictation}", "(take|make) a note {dictation}"] }] }
  Remind: { data: [{ sentences: ["remind me to {task}"] }] }
  Lamp: { data: [{ sentences: ["turn (on|off) the lamp"] }] }
`;

await mkdir(out, { recursive: true });
const words = join(out, 'words.lm');
const sentences = join(out, 'talk.yaml');
const { file } = await readModelFile(values['language-model'], { expected: 'a language model' });
await writeFile(words, file);
await writeFile(sentences, grammar);

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const common = ['--model', model, '--language-model', words];
const strangers = 'dev/novels,dev/accents,dev/reader,dev/learners,dev/queen';
const steps: Readonly<Record<keyof Printed, readonly string[]>> = {
  dictation: [at('dictation.js'), data, ...common, '--clips', '25'],
  noise: [
    ...[at('dictation-noise.js'), data, ...common],
    ...['--minutes', '60', '--clips', '25', '--alone', '24'],
  ],
  slots: [at('open-slots-people.js'), data, ...common, '--sets', strangers],
  talk: [
    ...[at('../../bin/kikitori.js'), 'evaluate', '--json', '--grammar', sentences],
    ...[...common, '--talk', join(data, 'dev', 'talk')],
  ],
};

/** What a step prints; kept under its name once it has ended well. */
async function printed(name: keyof Printed): Promise<string> {
  const path = join(out, `${name}.txt`);
  const known = await readFile(path, 'utf8').catch(() => undefined);
  if (known !== undefined) return known;
  const began = performance.now();
  const kept = createWriteStream(`${path}.part`);
  const child = spawn('nice', ['-n', '5', process.execPath, ...steps[name]], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  child.stdout.pipe(kept);
  const status = await ended;
  await finished(kept);
  if (status !== 0) throw new Error(`${name} ended with ${status}; what it printed: ${path}.part`);
  await rename(`${path}.part`, path);
  process.stderr.write(`${name}: ${((performance.now() - began) / 60_000).toFixed(1)} min\n`);
  return readFile(path, 'utf8');
}

process.stdout.write(`free words at ${commit()}; ${JSON.stringify(machine())}\n`);
const dictation = await printed('dictation');
const noise = await printed('noise');
const slots = await printed('slots');
const talk = await printed('talk');
process.stdout.write(`\n${freeWordsTable({ dictation, noise, slots, talk })}`);
