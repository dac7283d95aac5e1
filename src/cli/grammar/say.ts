import {
  connectedForms,
  pronounceWord,
  readingsOf,
  type GrammarDetails,
  type Lexicon,
  type Pronunciation,
} from '../../recognizer/index.js';
import { KikitoriError } from '../../runtime/errors.js';
import { jsonLine, type Io } from '../shared/command.js';

/** Ways shown for one text. */
const readingsMax = 20;

/** Every word of a grammar, how it is pronounced and where that came from. */
export function sayGrammar(grammar: GrammarDetails, lexicon: Lexicon, json: boolean, io: Io): void {
  for (const [word, ways] of [...grammar.pronunciations].sort(([a], [b]) => (a < b ? -1 : 1)))
    write(word, word, [...ways, ...(grammar.forms.get(word) ?? [])], lexicon, json, io);
}

/** One word or text: each way to read it, pronounced. */
export function sayText(text: string, lexicon: Lexicon, json: boolean, io: Io): number {
  const pieces = readingsOf(text, { own: lexicon.ownWords, capitals: true });
  const readings = pieces
    .reduce<(readonly { word: string; spelled?: true }[])[]>(
      (heads, ways) =>
        heads.flatMap((head) => ways.map((way) => [...head, ...way])).slice(0, readingsMax),
      [[]],
    )
    .filter((words) => words.length > 0);
  const mute = readings.flatMap((words) =>
    words.filter(({ word }) => lexicon.lookup(word).length === 0).map(({ word }) => word),
  );
  if (readings.length === 0 || mute.length > 0) {
    throw new KikitoriError(`"${mute[0] ?? text}" has no pronunciation`, {
      kind: 'grammar',
      hint: 'add it to the word list, as phones or as "sounds like ..."',
    });
  }
  for (const words of readings) {
    const said = words.map(({ word }) => word).join(' ');
    write(text, said, pronounceAll(words, lexicon), lexicon, json, io);
  }
  return 0;
}

/** A pronunciation and where it came from. */
interface Said {
  readonly phones: readonly number[];
  readonly source: string;
  readonly form?: string;
}

/** Several words one after another; variants of all of them, the usual ones first. */
function pronounceAll(
  words: readonly { word: string; spelled?: true }[],
  lexicon: Lexicon,
): Said[] {
  const each = words.map(({ word, spelled }) => pronounceWord(word, lexicon, spelled === true));
  const [only, ...more] = words;
  if (only !== undefined && more.length === 0) {
    const [listed = []] = each;
    return [...listed, ...connectedForms(only.word, listed, lexicon.units)];
  }
  const best = each.map((ways) => ways[0] as Pronunciation);
  return [
    {
      phones: best.flatMap((p) => p.phones),
      source: [...new Set(best.map((p) => p.source))].join('+'),
    },
  ];
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
