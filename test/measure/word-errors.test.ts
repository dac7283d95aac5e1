import t from 'tap';
import { editDistance, randomFrom } from '../../src/measure/evaluate/statistics.js';
import {
  byPeople,
  wordErrorRate,
  wordErrors,
  wordErrorsInWords,
  wordsOfText,
} from '../../src/measure/evaluate/word-errors.js';

void t.test('kinds of errors, by the cheapest alignment', async (t) => {
  const of = (heard: string, said: string) => wordErrors(wordsOfText(heard), wordsOfText(said));
  t.same(of('a b c', 'a b c'), { substituted: 0, left: 0, added: 0, length: 3 });
  t.same(of('a x c', 'a b c'), { substituted: 1, left: 0, added: 0, length: 3 });
  t.same(of('a c', 'a b c'), { substituted: 0, left: 1, added: 0, length: 3 });
  t.same(of('a b b c', 'a b c'), { substituted: 0, left: 0, added: 1, length: 3 });
  t.same(of('', 'a b'), { substituted: 0, left: 2, added: 0, length: 2 });
  t.same(of('a b', ''), { substituted: 0, left: 0, added: 2, length: 0 });
});

void t.test('together they are the edit distance, on random sentences', async (t) => {
  const random = randomFrom(1);
  const sentence = () =>
    Array.from({ length: Math.floor(9 * random()) }, () => 'abcd'[Math.floor(4 * random())] ?? '');
  for (let round = 0; round < 500; round++) {
    const [heard, said] = [sentence(), sentence()];
    const { substituted, left, added, length } = wordErrors(heard, said);
    t.equal(substituted + left + added, editDistance(heard, said));
    t.equal(heard.length, length - left + added);
  }
});

void t.test('words of a text: small letters, without the signs around them', async (t) => {
  t.same(wordsOfText(' "Don\'t  stop," he said;  re-enter No. 5 - now! '), [
    ...["don't", 'stop', 'he', 'said', 're-enter', 'no', '5', 'now'],
  ]);
  t.same(wordsOfText(''), []);
});

void t.test('a rate over people: a person counts as a whole', async (t) => {
  const clip = (file: string, speaker: string, substituted: number) => ({
    ...{ file, speaker, substituted, left: 0, added: 0, length: 10 },
  });
  const clips = [clip('1', 'a', 0), clip('2', 'a', 0), clip('3', 'b', 10), clip('4', 'b', 10)];
  t.same(byPeople(clips), [
    { file: 'person a', errors: 0, of: 20 },
    { file: 'person b', errors: 20, of: 20 },
  ]);
  const rate = wordErrorRate(clips);
  t.match(rate, { substituted: 20, left: 0, added: 0, length: 40, people: 2 });
  // Both people drawn are the same one in half of all draws.
  t.same(rate.rate, { value: 0.5, low: 0, high: 1 });
  t.equal(
    wordErrorsInWords(rate),
    '50.0 % (0.0 to 100.0): 20 substituted, 0 left out, 0 added of 40 words',
  );
  const one = clips.map((c) => ({ ...c, speaker: 'a' }));
  t.equal(byPeople(one).length, 4, 'one person: recordings');
  t.equal(
    byPeople(clips.map((c) => ({ ...c, speaker: '' }))).length,
    4,
    'nobody named: recordings',
  );
  const some = [...clips, clip('5', '', 5)];
  t.same(
    byPeople(some).map((p) => p.file),
    ['person a', 'person b', 'file 5'],
  );
  t.equal(wordErrorRate(some).people, 2);
});
