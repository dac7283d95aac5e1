import t from 'tap';
import { openReadings } from '../../scripts/lib/open-readings.js';
import { compileGrammar } from '../../src/recognizer/index.js';
import { fullLexicon } from '../sim/lexicons.js';

const lexicon = fullLexicon();
const grammarOf = (openSlots: boolean) =>
  compileGrammar(
    JSON.stringify({
      lists: { item: { wildcard: true }, place: { values: ['kitchen', 'hall'] } },
      intents: {
        Add: { data: [{ sentences: ['add {item} to [the] list', 'add milk to list'] }] },
        Play: { data: [{ sentences: ['play {item}', 'play {item} in {place}'] }] },
        Lights: { data: [{ sentences: ['turn (on|off) the lights'] }] },
      },
    }),
    { file: 'test', lexicon, openSlots },
  );

void t.test('every way to fill an open slot with words of the sentence', async (t) => {
  const grammar = grammarOf(true);
  const meanings = (text: string) =>
    openReadings(grammar, text).map(({ intent, slots }) => ({ intent, slots }));
  t.same(meanings('Add two brown eggs to the list'), [
    { intent: 'Add', slots: { item: 'two brown eggs' } },
  ]);
  t.same(meanings('add 2 eggs to list'), [{ intent: 'Add', slots: { item: 'two eggs' } }]);
  t.same(
    new Set(meanings('play jazz in kitchen').map((m) => JSON.stringify(m.slots))),
    new Set(['{"item":"jazz","place":"kitchen"}', '{"item":"jazz in kitchen"}']),
    'one of several',
  );
  t.same(meanings('add to the list'), [], 'a slot has a word at least');
  t.same(meanings('turn on the lights'), [], 'fixed words alone are no open slot');
  t.equal(meanings(`play ${'la '.repeat(12)}`).length, 1);
  t.same(meanings(`play ${'la '.repeat(13)}`), [], 'a slot has twelve words at most');
});

void t.test('a grammar without open slots has none', async (t) => {
  t.same(openReadings(grammarOf(false), 'add eggs to the list'), []);
});
