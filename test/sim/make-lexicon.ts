/** `make-lexicon.ts tiny|full`: writes the bytes of a lexicon to stdout; lexicons.ts keeps them. */
import { dictionary } from 'cmu-pronouncing-dictionary';
import { buildLexicon } from '../../src/recognizer/index.js';
import { units, type LexiconName } from './lexicons.js';

const wordsInTests =
  'turn on off the light lights kitchen hall start stop conveyor set speed to percent zero one two three four five six seven eight nine ten eleven twelve twenty thirty forty fifty hundred and please red blue go left right meters meter call supervisor machine a b c p l minus point open door slow fast big small';

function tiny(): Uint8Array {
  const wanted = new Set(wordsInTests.split(' '));
  const some = Object.fromEntries(
    Object.entries(dictionary).filter(
      ([w], i) => wanted.has(w.replace(/\(\d+\)/, '')) || i % 60 === 0,
    ),
  );
  return buildLexicon(some, units);
}

const make: Record<LexiconName, () => Uint8Array> = {
  tiny,
  full: () => buildLexicon(dictionary, units, { rules: false, effort: 4 }),
};

process.stdout.write(make[process.argv[2] as LexiconName]());
