import t from 'tap';
import { sentencesGrammar } from '../../../src/measure/evaluate/near-misses.js';
import { hearAgain, type NetworkClip } from '../../../src/measure/evaluate/network.js';
import { randomFrom } from '../../../src/measure/evaluate/statistics.js';
import { withOpposites } from '../../../src/recognizer/grammar/opposites.js';
import { compileGrammar } from '../../../src/recognizer/index.js';
import { listenerManifest } from '../../sim/spoken-network.js';
import { tinyLexicon, units } from '../../sim/tiny-checkpoint.js';

const lexicon = tinyLexicon();

function clipOf(text: string): NetworkClip {
  const pause = Array<number>(8).fill(0);
  const said = [
    ...pause,
    ...text
      .split(' ')
      .flatMap((w) => lexicon.lookup(w)[0]?.phones ?? [])
      .flatMap((p) => [p, p, 0]),
    ...pause,
  ];
  const logProbs = Float32Array.from(
    said.flatMap((u) => units.map((_, k) => Math.log(k === u ? 0.97 : 0.03 / (units.length - 1)))),
  );
  return {
    logProbs,
    steps: said.length,
    levels: Float32Array.from(said, (u) => (u === 0 ? -1 : 1)),
  };
}

void t.test('the opposite of the only word allowed is heard, and refused', async (t) => {
  const grammar = sentencesGrammar(['turn off the light', 'go left'], lexicon);
  const right = await hearAgain(listenerManifest, clipOf('turn off the light'), grammar);
  t.equal(right.text, 'turn off the light');
  t.equal(right.intent, 'said');
  const other = await hearAgain(listenerManifest, clipOf('turn on the light'), grammar);
  t.match(other, {
    accepted: false,
    intent: null,
    reason: 'not-a-command',
    confidence: 0,
    text: 'turn on the light',
  });
});

void t.test('an opposite that is hardly ahead only makes the command doubtful', async (t) => {
  const grammar = sentencesGrammar(['turn off the light', 'go left'], lexicon);
  const [on, off] = ['on', 'off'].map((w) => lexicon.lookup(w)[0]?.phones ?? []);
  const instead = new Map(on?.map((phone, i) => [phone, off?.[i] ?? 0]));
  /** "Turn on the light", of which each frame of "on" is as much likelier than "off". */
  const heard = (nats: number) => {
    const clip = clipOf('turn on the light');
    for (let step = 0; step < clip.steps; step++) {
      const row = clip.logProbs.subarray(step * units.length, (step + 1) * units.length);
      const best = row.indexOf(Math.max(...row));
      const other = instead.get(best);
      if (other !== undefined) row[other] = (row[best] ?? 0) - nats;
    }
    return hearAgain(listenerManifest, clip, grammar);
  };
  t.match(await heard(2), { accepted: false, text: 'turn on the light', intent: null });
  const near = await heard(0.2);
  t.match(near, { accepted: false, text: 'turn off the light', intent: 'said' });
  t.equal(near.second?.text, 'turn on the light');
  t.ok((near.second?.margin ?? 0) < 0, 'the opposite is ahead');
});

void t.test('opposites change neither sentences nor their meaning', async (t) => {
  const grammar = sentencesGrammar(['turn off the light', 'turn on the light'], lexicon);
  t.notOk(grammar.graph.words.includes('stop'));
  t.equal(grammar.graph.words.filter((w) => w === 'on').length, 1, 'both are allowed: none added');
  const alone = sentencesGrammar(['turn off the light'], lexicon);
  t.equal(alone.sentences, 1);
  t.equal(alone.read('turn on the light'), null);
  t.ok(alone.graph.words.includes('on'));
  const ids = 'turn on the light'.split(' ').map((w) => alone.graph.words.indexOf(w));
  t.equal(alone.interpret(ids).refuse, true);
});

void t.test('a word that may be said with other words only is refused with these', async (t) => {
  const sentences = ['stop the machine', 'start conveyor three', 'stop conveyor three'];
  const grammar = sentencesGrammar(sentences, lexicon);
  for (const text of sentences) {
    const heard = await hearAgain(listenerManifest, clipOf(text), grammar);
    t.match(heard, { text, intent: 'said' }, text);
  }
  const other = await hearAgain(listenerManifest, clipOf('start the machine'), grammar);
  t.match(other, { accepted: false, reason: 'not-a-command', text: 'start the machine' });
  const both = sentencesGrammar([...sentences, 'start the machine'], lexicon);
  t.equal(both.graph.words.filter((w) => w === 'start').length, 1, 'nothing is left: none added');
});

void t.test('what is heard to be refused is never a sentence of the grammar', (t) => {
  const random = randomFrom(7);
  const words = 'start stop on off the light pump five fifteen fifty'.split(' ');
  for (let round = 0; round < 60; round++) {
    const sentences = Array.from({ length: 2 + Math.floor(6 * random()) }, () =>
      Array.from(
        { length: 1 + Math.floor(4 * random()) },
        () => words[Math.floor(words.length * random())],
      ).join(' '),
    );
    const { graph, dfa } = sentencesGrammar(sentences, lexicon);
    const own = graph.words.slice(0, new Set(sentences.join(' ').split(' ')).size);
    const heard = withOpposites(dfa, own, own.length, (word) =>
      lexicon.lookup(word).map((p) => p.phones),
    );
    const names = (id: number) => own[id] ?? heard.added[id - own.length] ?? '?';
    const seen: { text: string; refused: boolean }[] = [];
    const walk = (state: number, said: readonly number[]): void => {
      if (heard.dfa.final[state] === true)
        seen.push({ text: said.map(names).join(' '), refused: said.some((w) => w >= own.length) });
      for (const [word, target] of heard.dfa.edges[state] ?? []) walk(target, [...said, word]);
    };
    walk(0, []);
    const commands = seen.filter((s) => !s.refused).map((s) => s.text);
    t.same([...new Set(commands)].sort(), [...new Set(sentences)].sort());
    for (const { text, refused } of seen)
      if (refused && commands.includes(text)) t.fail(`${text} is both`);
  }
  t.end();
});

void t.test('none that sounds like what may be said there', async (t) => {
  const same = lexicon.withUserWords(
    new Map([
      ['on', lexicon.lookup('on').map((p) => p.phones)],
      ['awn', lexicon.lookup('on').map((p) => p.phones)],
    ]),
  );
  const grammar = compileGrammar(
    'intents: {A: {data: [{sentences: ["turn (off|awn) the light"]}]}}',
    { file: 'test', lexicon: same },
  );
  t.notOk(grammar.graph.words.includes('on'));
});
