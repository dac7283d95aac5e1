import { parseUserWords } from '../../../src/recognizer/lexicon/user-words.js';
import { decodeText } from '../../../src/runtime/text-file.js';
import { compileGrammar } from '../../../src/recognizer/grammar/index.js';
import { tinyLexicon, units } from '../../sim/lexicons.js';
import { must, unlessRefused, type Target } from '../engine/target.js';

const lexicon = tinyLexicon();

export const target: Omit<Target, 'name'> = {
  right:
    'every word has phones of the lexicon, and a sentence of that word alone can be said or is refused',
  covers: [
    'src/recognizer/lexicon/user-words.ts',
    'src/recognizer/lexicon/word-form.ts',
    'src/runtime/text-file.ts',
  ],
  text: true,
  where: 'words.txt',
  words: [...units.slice(1), 'sounds like', 'sounds', 'like', ': ', '# ', '"', 'kitchen', 'PLC'],
  seeds: () => [
    'PLC: P IY EH L S IY\nconveyor: sounds like kitchen\n',
    '# site\n"3:15": sounds like three one\n日本: N IH HH AO N\nc#: sounds like c\n',
    '\ufeffété: EY T EY0\r\nx: AA1 B2 # a comment\r\nx: AA\r\n',
    Buffer.from('\xff\xfeh\0i\0', 'latin1'),
    Buffer.from('caf\xe9: K AE F EY\n', 'latin1'),
  ],
  run: (input) => {
    const source = decodeText(input, 'words.txt');
    const words = parseUserWords(source, 'words.txt', lexicon);
    for (const [word, ways] of words)
      for (const phones of ways) {
        must(word !== '' && !/\s/.test(word), `the word ${JSON.stringify(word)}`);
        must(
          phones.length > 0 && phones.every((p) => p > 0 && p < units.length),
          `${word}: ${phones.join()}`,
        );
      }
    const [first] = words.keys();
    if (first === undefined) return;
    const own = lexicon.withUserWords(words);
    const yaml = `intents: {A: {data: [{sentences: [${JSON.stringify(first)}]}]}}`;
    unlessRefused(() => compileGrammar(yaml, { file: 'g.yaml', lexicon: own }));
  },
};
