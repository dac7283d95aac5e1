/** The confidence in plain words, what a typed sentence is told, and the meter. */
import t from 'tap';
import { explain } from '../../../src/neighbours/page/explain.js';
import { Meter } from '../../../src/neighbours/page/meter.js';
import { alikeTo, SentenceDesk } from '../../../src/neighbours/page/sentence.js';
import { compileGrammar } from '../../../src/recognizer/index.js';
import type { Heard, RejectReason } from '../../../src/records.js';
import { tinyLexicon } from '../../sim/tiny-checkpoint.js';

const model = {
  ...{ bias: 0, weights: { lead: 1 }, threshold: 0.7, minCertainty: 0.8 },
  rival: { bias: 0, weights: { margin: 1 } },
  speech: { bias: 0, weights: { clarity: 1 } },
};
const thresholds = { minConfidence: 0.7, minCertainty: 0.8 };
const heard = (evidence: Heard['evidence'], reason?: RejectReason): Heard => ({
  accepted: reason === undefined,
  ...(reason === undefined ? {} : { reason }),
  ...{ text: 'start the conveyor', intent: 'Start', slots: {}, confidence: 0.62, words: [] },
  ...{ startSample: 0, endSample: 1, startMs: 0, endMs: 1, evidence },
  second: { text: 'stop the conveyor', margin: 0.1 },
});
const sure = { lead: 5, margin: 5, clarity: 5 };

void t.test('each part of the confidence in its own words', async (t) => {
  const { verdict, parts, advice } = explain(heard(sure), model, thresholds);
  t.equal(verdict, 'Accepted, 62 % sure.');
  t.equal(advice, undefined);
  t.same(
    parts.map(({ question, probability }) => [question, probability]),
    [
      ['Was that clear speech?', 0.993],
      ['Was it this sentence?', 0.993],
      ['Was it this command, and no other?', 0.993],
    ],
  );
  const alike = explain(heard({ ...sure, margin: -1 }, 'ambiguous'), model, thresholds);
  t.equal(alike.verdict, 'Refused: it could also have been "stop the conveyor".');
  t.equal(alike.parts[2]?.answer, 'Two commands sound alike here: "stop the conveyor".');
  t.match(alike.advice, 'other words');
  const far = explain(heard({ ...sure, clarity: -1 }, 'low-confidence'), model, thresholds);
  t.equal(far.verdict, 'Refused: 62 % sure, 70 % is asked for.');
  t.match(far.parts[0]?.answer, 'not clear');
  t.match(far.advice, 'nearer to the microphone');
  const other = explain(heard({ ...sure, lead: -1 }, 'not-a-command'), model, thresholds);
  t.match(other.parts[1]?.answer, 'Something else');
  t.match(other.verdict, 'The nearest one is "start the conveyor"');
  const noise = explain({ ...heard({}, 'noise'), text: '' }, model, thresholds);
  t.same(noise.parts, [], 'a noise is not made of parts');
  const { bias, weights, threshold } = model;
  t.equal(explain(heard(sure), { bias, weights, threshold }, thresholds).parts.length, 1);
});

void t.test('any words in a command: which were not made out', async (t) => {
  const slots = (text: number, place: number) => ({
    openSlots: {
      text: { confidence: text, startMs: 0, endMs: 1 },
      place: { confidence: place, startMs: 0, endMs: 1 },
    },
  });
  const clear = explain({ ...heard(sure), ...slots(0.9, 0.95) }, model, thresholds);
  t.match(clear.parts[3], { probability: 0.9, answer: 'Every free word was clear.' });
  const unclear = { ...heard(sure, 'low-confidence'), ...slots(0.9, 0.21) };
  t.match(explain(unclear, model, thresholds), {
    verdict: 'Refused: 21 % sure of the words of "place", 30 % is asked for.',
    advice: /clearly.*recognizer\.boostPath/,
  });
  const fixed = { ...heard({ ...sure, clarity: -1 }, 'low-confidence'), ...slots(0.9, 0.8) };
  t.match(explain(fixed, model, thresholds).verdict, /62 % sure, 70 % is asked for/);
  const long = { ...heard(sure, 'too-long'), ...slots(0.9, 0.9) };
  t.match(explain(long, model, thresholds).verdict, /more than 12 words in the free part/);
});

void t.test('what a typed sentence with any words in it is told', async (t) => {
  const lexicon = tinyLexicon();
  const source = `lists: {thing: {wildcard: true}}
intents: {Set: {data: [{sentences: ["set [the] {thing} to blue"]}]}}
`;
  const grammar = compileGrammar(source, { file: 'sentences.yaml', lexicon, openSlots: true });
  const desk = new SentenceDesk();
  const ask = (text: string) => desk.ask(text, grammar, lexicon);
  t.match(ask('Set the hall light to blue'), { allowed: true, slots: { thing: 'hall light' } });
  t.match(ask('set hall light'), { allowed: false, stuck: { after: 'set hall light', word: '' } });
  t.match(ask('set').stuck, { after: 'set', expected: ['the', '...'], mayEnd: false });
  t.match(ask('stop the light').stuck, { after: '', word: 'stop', expected: ['set'] });
});

void t.test('what a typed sentence is told', async (t) => {
  const lexicon = tinyLexicon();
  const grammar = compileGrammar(
    `intents:
  Start: {data: [{sentences: ["start [the] conveyor"]}]}
  Stop: {data: [{sentences: ["stop [the] conveyor"]}]}
  Speed: {data: [{sentences: ["set speed to {percent} percent"]}]}
lists: {percent: {range: {from: 0, to: 100}}}
skip_words: ["please"]
`,
    { file: 'sentences.yaml', lexicon },
  );
  const desk = new SentenceDesk();
  const ask = (text: string) => desk.ask(text, grammar, lexicon);
  const start = ask('start the conveyor');
  t.equal(start.intent, 'Start');
  t.match(start.said[0]?.ways[0]?.phones, /^S T AA R T/);
  t.ok(start.alike.some(({ words, intent }) => words.join() === 'start,stop' && intent === 'Stop'));
  t.same(ask('Set speed to 42 percent').slots, { percent: 42 });
  t.equal(ask('set speed to 42 percent').said[0]?.words, 'set speed to forty two percent');
  t.ok(ask('please stop conveyor').allowed);
  const stuck = (text: string) => ask(text).stuck;
  t.same(stuck('please start the light'), {
    ...{ after: 'please start the', word: 'light', expected: ['conveyor'], mayEnd: false },
  });
  t.same(stuck('set speed to'), { ...stuck('set speed to'), word: '', mayEnd: false });
  t.same(stuck('start the conveyor light'), {
    ...{ after: 'start the conveyor', word: 'light', expected: [], mayEnd: true },
  });
  t.equal(stuck('open')?.after, '');
  t.equal(ask('¤').allowed, false, 'what has no sound');
  t.same(
    alikeTo([], [{ distance: 1, words: ['', 'a'], sentences: ['x', 'x a'], intents: ['X', 'Y'] }]),
    [],
  );
});

void t.test('the meter: level, noise, and what is cut off', async (t) => {
  const meter = new Meter();
  const chunk = (amplitude: number) => ({
    samples: Float32Array.from({ length: 2000 }, (_, i) => (i % 2 === 0 ? amplitude : -amplitude)),
    ...{ firstSample: 0, receivedAtMs: 0, gapBefore: false },
  });
  t.same(meter.feed(chunk(0.01), 16_000), { db: -40, noiseDb: -40, clipped: false });
  t.same(meter.feed(chunk(0.1), 16_000), { db: -20, noiseDb: -40, clipped: false });
  t.same(meter.feed(chunk(1), 16_000), { db: 0, noiseDb: -40, clipped: true });
  t.same(meter.feed(chunk(0), 16_000), { db: -90, noiseDb: -90, clipped: false });
  for (let i = 0; i < 40; i++) meter.feed(chunk(0.1), 16_000);
  t.equal(meter.feed(chunk(0.1), 16_000)?.noiseDb, -20, 'noise that stays is noise');
  t.equal(meter.feed({ ...chunk(0.1), samples: new Float32Array(10) }, 16_000), null);
});
