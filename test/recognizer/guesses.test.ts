/** How unknown words sound, kept for the next start: as the lexicon says it, and never believed when it is damaged. */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { Guesses, Lexicon, parseGuesses } from '../../src/recognizer/lexicon/index.js';
import { randomFrom } from '../../src/measure/evaluate/statistics.js';

const lexicon = Lexicon.read(
  readFileSync(new URL('../../models/kikitori-en/lexicon', import.meta.url)),
  'lexicon',
);
const units = lexicon.units.length;
const words = ['kitchen', 'zorblat', "zorblat's", 'brinkelsham', 'plc', 'grelf', 'the', 'quorvish'];
const phonesOf = (ways: readonly { readonly phones: readonly number[] }[]) =>
  ways.map(({ phones }) => [...phones]);

function askedOf(guesses: Guesses): Guesses {
  for (const word of words)
    t.strictSame(phonesOf(guesses.lookup(word)), phonesOf(lexicon.lookup(word)), word);
  return guesses;
}

void t.test('what was guessed is known the next time, and nothing else is', async (t) => {
  const first = askedOf(new Guesses(lexicon));
  t.equal(first.fresh, 5, 'those that only rules can say');
  t.notOk(first.unchanged);
  const known = parseGuesses(first.toString(), units);
  t.strictSame(
    [...(known?.keys() ?? [])],
    ['zorblat', "zorblat's", 'brinkelsham', 'grelf', 'quorvish'],
  );
  const second = askedOf(new Guesses(lexicon, known));
  t.equal(second.fresh, 0);
  t.ok(second.unchanged);
  t.equal(second.toString(), first.toString());
  const fewer = new Guesses(lexicon, known);
  fewer.lookup('grelf');
  t.notOk(fewer.unchanged, 'what nobody asks for goes');
  t.equal(parseGuesses(fewer.toString(), units)?.size, 1);
});

void t.test("the site's own words come first", async (t) => {
  const known = parseGuesses(askedOf(new Guesses(lexicon)).toString(), units);
  const own = lexicon.withUserWords(new Map([['zorblat', [[1, 2]]]]));
  const guesses = new Guesses(own, known);
  for (const word of ['zorblat', "zorblat's"])
    t.strictSame(phonesOf(guesses.lookup(word)), phonesOf(own.lookup(word)), word);
  t.equal(parseGuesses(guesses.toString(), units)?.size, 0, 'they are no guesses');
});

void t.test('a damaged list is none', async (t) => {
  const whole = askedOf(new Guesses(lexicon)).toString();
  const known = parseGuesses(whole, units);
  for (const text of [
    ...['', 'kikitori-guesses 2 0\nend\n', 'kikitori-guesses 1 -1\nend\n', `${whole}more\n`],
    whole.replace(/\n[^\n]+\n/, '\n'),
    whole.replace(/ (\d+)/, ' 999999'),
    `kikitori-guesses 1 1\ngrelf 0,1\nend\n`,
    `kikitori-guesses 1 1\ngrelf 1,${units}\nend\n`,
    `kikitori-guesses 1 1\ngrelf 1,,2\nend\n`,
    `kikitori-guesses 1 1\ngrelf ${Array(300).fill(1).join()}\nend\n`,
    'kikitori-guesses 1 2\ngrelf 1\ngrelf 2\nend\n',
  ])
    t.equal(parseGuesses(text, units), undefined, JSON.stringify(text.slice(0, 40)));
  for (let cut = 0; cut < whole.length; cut++)
    t.equal(parseGuesses(whole.slice(0, cut), units), undefined);
  const random = randomFrom(28);
  for (let i = 0; i < 500; i++) {
    const at = Math.floor(random() * whole.length);
    const sign = String.fromCharCode(Math.floor(random() * 128));
    const found = parseGuesses(whole.slice(0, at) + sign + whole.slice(at + 1), units);
    for (const [, ways] of found ?? [])
      t.ok(ways.every((phones) => phones.every((p) => p >= 1 && p < units)));
    t.ok(found === undefined || found.size === known?.size);
  }
});
