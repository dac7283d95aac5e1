/**
 * Words on standard input, one a line -> `word TAB unit ids, comma separated` on standard output, one
 * line a pronunciation. The units are the argument, separated by spaces. The trainer asks it, so that
 * training and the device read words alike.
 */
import { dictionary } from 'cmu-pronouncing-dictionary';
import { buildLexicon, dictionaryEntries, Lexicon } from '../src/recognizer/lexicon/index.js';

const units = (process.argv[2] ?? '').split(' ');
const known = new Map<string, number[][]>();
for (const [word, phones] of dictionaryEntries(dictionary, units))
  known.set(word, [...(known.get(word) ?? []), phones]);

let input = '';
for await (const chunk of process.stdin) input += String(chunk);
// Letter-to-sound rules take long to learn: only when a word asks for them.
let lexicon: Lexicon | undefined;
const lines: string[] = [];
for (const word of new Set(input.split('\n'))) {
  if (word === '') continue;
  lexicon ??= known.has(word) ? undefined : Lexicon.read(buildLexicon(dictionary, units), 'words');
  const said = known.get(word) ?? lexicon?.lookup(word).map((p) => p.phones) ?? [];
  for (const phones of said) lines.push(`${word}\t${phones.join(',')}`);
}
process.stdout.write(`${lines.join('\n')}\n`);
