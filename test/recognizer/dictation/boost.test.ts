/** A site's own terms: the list, and what it does to the search. */
import t from 'tap';
import {
  compileDictation,
  Dictation,
  parseBoosts,
} from '../../../src/recognizer/dictation/index.js';
import { spokenBy } from '../../sim/spoken-scores.js';
import { fullLexicon, units } from '../../sim/tiny-checkpoint.js';
import { PlainLanguageModel } from '../../sim/plain-language-model.js';

const lexicon = fullLexicon();

function modelOf(words: readonly string[], ln: Readonly<Record<string, number>>) {
  const all = ['<unk>', '<s>', '</s>', ...words];
  return new PlainLanguageModel({
    order: 2,
    words: all,
    ln: new Map(all.map((w) => [w, ln[w] ?? -5])),
    backOff: new Map(),
  });
}

function heard(model: PlainLanguageModel, list: string, scores: Float32Array, from = lexicon) {
  const boosted = parseBoosts(list, 'terms');
  const dictation = new Dictation(compileDictation(model, from, { boosted }));
  dictation.feed(scores, units.length);
  return dictation
    .finish()
    .words.map((w) => w.text)
    .join(' ');
}

void t.test('a term is heard where the language model alone hears another word', (t) => {
  const model = modelOf(['two', 'too', 'lights'], { two: -6, too: -2 });
  const scores = spokenBy(lexicon, ['two', 'lights']);
  t.equal(heard(model, '', scores), 'too lights');
  t.equal(heard(model, 'two: 10', scores), 'too lights', '2.3 nats are too few');
  t.equal(heard(model, 'Two: 1000', scores), 'two lights', '6.9 are enough');
  t.equal(heard(model, 'too: 0.001', scores), 'two lights', 'or the other one less likely');
  t.end();
});

void t.test('a word that the language model lacks sounds as lexicon and words list say', (t) => {
  const model = modelOf(['lights', 'kit', 'ten'], {});
  const scores = spokenBy(lexicon, ['kitchen', 'lights']);
  t.not(heard(model, '', scores), 'kitchen lights');
  t.equal(heard(model, 'kitchen: 100', scores), 'kitchen lights');
  const phones = lexicon.lookup('kitchen').map((p) => [...p.phones]);
  const own = lexicon.withUserWords(new Map([['kx-7', phones]]));
  t.equal(heard(model, 'KX-7: 100', scores, own), 'kx-7 lights');
  t.end();
});

void t.test('the list: every fault with its place', (t) => {
  const nats = parseBoosts(
    '\uFEFF# terms\nConveyor: 20 # often\n\nbay-3 : 1e0\n'.replace('1e0', '2.5'),
    'f',
  );
  t.same([...nats.keys()], ['conveyor', 'bay-3']);
  t.equal(nats.get('conveyor'), Math.log(20));
  t.equal(nats.get('bay-3'), Math.log(2.5));
  const wrong = 'conveyor\nconveyor belt: 3\nhall: 0\nhall: 2\n  x: 1e9\ny: -1\n: 4\n';
  t.throws(() => parseBoosts(wrong, 'f'), {
    kind: 'grammar',
    message: [
      'f:1:1: "conveyor", expected "word: FACTOR", like "conveyor: 20"',
      'f:2:1: "conveyor belt" is no single word, expected a line for each',
      'f:3:7: "0", expected how many times as likely, from 0.001 to 1000000',
      'f:4:1: "hall" stands here a second time',
      'f:5:6: "1e9", expected how many times as likely, from 0.001 to 1000000',
      'f:6:4: "-1", expected how many times as likely, from 0.001 to 1000000',
      'f:7:1: ": 4", expected "word: FACTOR", like "conveyor: 20"',
    ].join('\n'),
  });
  const many = Array.from({ length: 20_001 }, (_, i) => `w${i}: 2`).join('\n');
  t.throws(() => parseBoosts(many, 'f'), /20001 terms, at most 20000/);
  t.throws(() => parseBoosts('x\n'.repeat(60), 'f'), /and 10 more/);
  t.end();
});
