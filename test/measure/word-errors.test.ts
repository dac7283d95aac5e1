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
  // Each of five says two sentences; the last hears nothing but errors.
  const clips = [...'abcde'].flatMap((speaker) =>
    [1, 2].map((n) => clip(`${speaker}${n}`, speaker, speaker === 'e' ? 10 : 0)),
  );
  const person = (name: string, errors: number) => ({ file: `person ${name}`, errors, of: 20 });
  t.same(byPeople(clips), [...[...'abcd'].map((name) => person(name, 0)), person('e', 20)]);
  const rate = wordErrorRate(clips);
  t.match(rate, { substituted: 20, left: 0, added: 0, length: 100, people: 5 });
  // Drawn three times or more in 5.8 % of all draws of five, four times in 0.7 %.
  t.same(rate.rate, { value: 0.2, low: 0, high: 0.6 });
  t.equal(
    wordErrorsInWords(rate),
    '20.0 % (0.0 to 60.0): 20 substituted, 0 left out, 0 added of 100 words',
  );
  const named = (name: (speaker: string) => string) =>
    clips.map((c) => ({ ...c, speaker: name(c.speaker) }));
  t.equal(byPeople(named(() => 'a')).length, 10, 'one person: recordings');
  t.equal(byPeople(named(() => '')).length, 10, 'nobody named: recordings');
  t.equal(byPeople(named((s) => (s === 'a' ? 'b' : s))).length, 10, 'four people: recordings');
  const some = [...clips, clip('x', '', 5)];
  t.same(
    byPeople(some).map((p) => p.file),
    [...[...'abcde'].map((name) => `person ${name}`), 'file x'],
  );
  t.equal(wordErrorRate(some).people, 5);
});
