/** Every input of a folder through the command, one line each: OK and how much, refused and why, or a crash. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Bundle } from '../src/bundle/index.js';
import { readLexicon } from '../src/engine/engine.js';
import { compileGrammar } from '../src/recognizer/index.js';
import { defaultModelPath } from '../src/runtime/paths.js';

const command = fileURLToPath(new URL('../../bin/kikitori.js', import.meta.url));
/** No input takes longer on a busy machine. */
const timeoutMs = 300_000;
const samples = 3;
const [folder = '.'] = process.argv.slice(2);
const counts = { OK: 0, refused: 0, CRASH: 0 };

function say(what: keyof typeof counts, file: string, text: string): void {
  counts[what]++;
  process.stdout.write(`${what.padEnd(8)}${relative(folder, file).padEnd(48)} ${text}\n`);
}

function kikitori(...argv: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [command, ...argv], {
    encoding: 'utf8',
    timeout: timeoutMs,
  });
  // Refusals are status 1 or 2, and no stack is shown for them.
  const crashed = status === null || status > 2 || /^ {4}at /m.test(stderr);
  const [first = ''] = stderr.split('\n').filter((line) => !line.includes(': warning: '));
  return { status, crashed, stdout, stderr, first };
}

function tryGrammar(file: string, ...more: string[]): void {
  const named = more.length === 0 ? file : (more.at(-1) ?? file);
  const check = kikitori('grammar', 'check', '--json', ...more, file);
  if (check.crashed) return say('CRASH', named, check.first);
  if (check.status !== 0)
    return say('refused', named, check.first.replaceAll(`${dirname(file)}/`, ''));
  const { sentences, warnings } = JSON.parse(check.stdout) as {
    sentences: number;
    warnings: { message: string }[];
  };
  const count = ['--count', String(samples)];
  const sample = kikitori('grammar', 'sample', ...count, ...more, file);
  if (sample.crashed || sample.status !== 0) return say('CRASH', named, sample.first);
  const lines = sample.stdout.trim().split('\n').join(' / ');
  const noted = warnings.map(({ message }) => ` [${message}]`).join('');
  say('OK', named, `${sentences} sentences${noted}: ${lines}`);
}

/** "what is said = value" lines, read by the grammar beside them. */
async function trySaid(file: string): Promise<void> {
  const lexicon = await readLexicon(await Bundle.open(defaultModelPath), undefined);
  const beside = join(dirname(file), 'n.yaml');
  const grammar = compileGrammar(readFileSync(beside, 'utf8'), { file: beside, lexicon });
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    const [said = '', wanted = ''] = line.split(/\s*=\s*/);
    if (said.trim() === '' || said.startsWith('#')) continue;
    const ids = grammar.read(said);
    if (ids === null) say('refused', file, `"${said}": none of the grammar's, wanted ${wanted}`);
    else {
      const { slots } = grammar.interpret(ids);
      say('OK', file, `"${said}": ${Object.values(slots).join(' ')}, wanted ${wanted}`);
    }
  }
}

const files = readdirSync(folder, { recursive: true, encoding: 'utf8', withFileTypes: true })
  .filter((entry) => entry.isFile() && !entry.name.endsWith('.md'))
  .map((entry) => join(entry.parentPath, entry.name))
  .sort();
for (const file of files) {
  if (basename(file) === 'said.txt') await trySaid(file);
  else if (basename(dirname(file)) === 'word-list' && file.endsWith('.txt'))
    tryGrammar(join(dirname(file), 'one.yaml'), '--words', file);
  else tryGrammar(file);
}
process.stdout.write(
  `${counts.OK} OK, ${counts.refused} refused, ${counts.CRASH} crashed, of ${files.length} files\n`,
);
process.exitCode = counts.CRASH > 0 ? 1 : 0;
