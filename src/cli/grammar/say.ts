import {
  pronounceText,
  type GrammarDetails,
  type Lexicon,
  type Said,
} from '../../recognizer/index.js';
import { KikitoriError } from '../../runtime/errors.js';
import { jsonLine, type Io } from '../shared/command.js';

/** Every word of a grammar, how it is pronounced and where that came from. */
export function sayGrammar(grammar: GrammarDetails, lexicon: Lexicon, json: boolean, io: Io): void {
  for (const [word, ways] of [...grammar.pronunciations].sort(([a], [b]) => (a < b ? -1 : 1)))
    write(word, word, [...ways, ...(grammar.forms.get(word) ?? [])], lexicon, json, io);
}

/** One word or text: each way to read it, pronounced. */
export function sayText(text: string, lexicon: Lexicon, json: boolean, io: Io): number {
  const said = pronounceText(text, lexicon);
  if ('mute' in said) {
    throw new KikitoriError(`"${said.mute}" has no pronunciation`, {
      kind: 'grammar',
      hint: 'add it to the word list, as phones or as "sounds like ..."',
    });
  }
  for (const { words, ways } of said.readings) write(text, words, ways, lexicon, json, io);
  return 0;
}

function write(
  word: string,
  said: string,
  ways: readonly Said[],
  lexicon: Lexicon,
  json: boolean,
  io: Io,
): void {
  const name = (phones: readonly number[]) => phones.map((p) => lexicon.units[p]).join(' ');
  if (json) {
    jsonLine(io, {
      word,
      ...(said === word ? {} : { said }),
      pronunciations: ways.map(({ phones, source, form }) => ({
        phones: name(phones),
        source,
        ...(form === undefined ? {} : { form }),
      })),
    });
  } else {
    const list = (some: readonly Said[], from: (p: Said) => string) =>
      some.map((p) => `${name(p.phones)} (${from(p)})`).join(' | ');
    const listed = ways.filter((p) => p.form === undefined);
    const forms = ways.filter((p) => p.form !== undefined);
    io.stdout.write(`${said.padEnd(20)} ${list(listed, (p) => p.source)}\n`);
    if (forms.length > 0)
      io.stdout.write(`${'  in a sentence'.padEnd(20)} ${list(forms, (p) => p.form ?? '')}\n`);
  }
}
