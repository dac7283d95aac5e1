import t from 'tap';
import { phoneChain } from '../../src/measure/calibrate/phone-chain.js';
import { compileGrammar, Listener, Recognizer } from '../../src/recognizer/index.js';
import { NoiseFloor } from '../../src/recognizer/level.js';
import { listenerManifest, spokenNetwork } from '../sim/spoken-network.js';
import { tinyLexicon } from '../sim/tiny-checkpoint.js';

const lexicon = tinyLexicon();
const grammar = compileGrammar(
  'intents: {Stop: {data: [{sentences: ["stop conveyor [{n}]"]}]}, Go: {confirm: true, data: [{sentences: ["go left"]}]}}\nlists: {n: {values: [one, two]}}',
  { file: 'test', lexicon },
);
const endpoint = { finalMs: 300, openMs: 600, prefixMs: 900, holdMs: 1200 };
const recognizer = (manifest = listenerManifest) =>
  new Recognizer(manifest, spokenNetwork, grammar, { endpoint });

/** One step: a unit that the network hears, at a level that it does not look at. */
type Step = readonly [unit: number, level: number];
const at = (unit: number, level: number): Step => [unit, 2 * level - unit];
const [quietLevel, speechLevel] = [1, 3];
const say = (text: string, level = speechLevel): Step[] =>
  text
    .split(' ')
    .flatMap((w) => lexicon.lookup(w)[0]?.phones ?? [])
    .flatMap((p) => [at(p, level), at(p, level), at(0, level)]);
const quiet = (ms: number, level = quietLevel): Step[] =>
  Array.from({ length: Math.round(ms / 30) }, () => at(0, level));
/** Phones that the network takes noise for. */
const noise = (ms: number, level: number): Step[] =>
  Array.from({ length: Math.round(ms / 30) }, (_, i) => at(i % 3 === 0 ? 12 : 0, level));

/** Plays steps; when each answer came, in ms after `from`. */
async function answers(
  steps: readonly Step[],
  from: number,
  manifest = listenerManifest,
): Promise<{ text: string; ms: number }[]> {
  const listener = new Listener(recognizer(manifest));
  const out: { text: string; ms: number }[] = [];
  for (const [i, step] of steps.entries())
    for (const e of await listener.feed({
      data: Float32Array.from(step),
      steps: 1,
      dim: 2,
      firstStep: i,
    }))
      if (e.type === 'heard') out.push({ text: e.heard.text, ms: 30 * (i + 1 - from) });
  return out;
}

void t.test('a machine that never goes quiet does not hold a sentence open', async (t) => {
  const before = [...quiet(3600, 2.8), ...say('go left')];
  const [first] = await answers([...before, ...noise(4000, 2.8)], before.length);
  t.equal(first?.text, 'go left');
  t.ok((first?.ms ?? 9999) <= 900, `after ${first?.ms}`);
});

void t.test('talk after a finished sentence holds it open for holdMs at most', async (t) => {
  const before = [...quiet(1200), ...say('go left')];
  const loud = Array.from({ length: 60 }, () => [...noise(90, 4), ...quiet(30, 1)]).flat();
  const [first] = await answers([...before, ...loud], before.length);
  t.ok((first?.ms ?? 9999) <= 1200 + 150, `after ${first?.ms}`);
});

void t.test('a pause inside a sentence does not cut it', async (t) => {
  const before = [...quiet(1200), ...say('stop conveyor'), ...quiet(450), ...say('two')];
  t.match(await answers([...before, ...quiet(2000)], before.length), [
    { text: 'stop conveyor two' },
  ]);
  const inside = [...quiet(1200), ...say('stop'), ...quiet(750), ...say('conveyor')];
  t.match(await answers([...inside, ...quiet(2000)], inside.length), [{ text: 'stop conveyor' }]);
});

void t.test('what is no beginning of a command is not waited for', async (t) => {
  const chain = phoneChain(lexicon.pronunciations(), lexicon.units.length);
  const confidence = { ...listenerManifest.confidence, chain };
  const knowing = { ...listenerManifest, confidence };
  const talk = [...quiet(1200), ...say('light stop')];
  const [late] = await answers([...talk, ...quiet(2000)], talk.length);
  const [soon] = await answers([...talk, ...quiet(2000)], talk.length, knowing);
  t.ok((late?.ms ?? 0) >= endpoint.prefixMs - 90, `after ${late?.ms}`);
  t.ok((soon?.ms ?? 9999) <= endpoint.openMs + 150, `after ${soon?.ms}`);
  const inside = [...quiet(1200), ...say('stop'), ...quiet(750), ...say('conveyor')];
  t.match(await answers([...inside, ...quiet(2000)], inside.length, knowing), [
    { text: 'stop conveyor' },
  ]);
});

void t.test('a word whose last sound is not heard does not hold a sentence open', async (t) => {
  for (const text of ['go left', 'stop conveyor two']) {
    const clipped = [...quiet(1200), ...say(text).slice(0, -3)];
    const [first] = await answers([...clipped, ...quiet(2000)], clipped.length);
    t.match(first, { text });
    t.ok((first?.ms ?? 9999) <= endpoint.openMs + 150, `${text}: after ${first?.ms}`);
  }
});

void t.test('nor does what only sounds like the beginning of more', async (t) => {
  // One step of the first phone of "two", as a breath may sound.
  const [breath] = say('two');
  const said = [...quiet(1200), ...say('stop conveyor'), ...(breath === undefined ? [] : [breath])];
  const [first] = await answers([...said, ...quiet(2000)], said.length);
  t.match(first, { text: 'stop conveyor' });
  t.ok((first?.ms ?? 9999) <= endpoint.openMs + 150, `after ${first?.ms}`);
});

void t.test('a sound in the pause that no word came of does not begin it anew', async (t) => {
  const said = [...quiet(1200), ...say('stop conveyor')];
  const stray = [...quiet(180), at(12, speechLevel)];
  const [first] = await answers([...said, ...stray, ...quiet(2000)], said.length);
  t.match(first, { text: 'stop conveyor' });
  t.ok((first?.ms ?? 9999) <= endpoint.openMs + 60, `after ${first?.ms}`);
  // A word that comes after it is waited for as if there had been none.
  const more = [...said, ...stray, ...quiet(240), ...say('two')];
  t.match(await answers([...more, ...quiet(2000)], more.length), [{ text: 'stop conveyor two' }]);
});

void t.test('the floor follows the noise, down at once and up within its memory', async (t) => {
  const floor = new NoiseFloor();
  t.ok(floor.lively, 'before anything is known all counts');
  for (let i = 0; i < 100; i++) floor.feed(1);
  t.notOk(floor.lively);
  floor.feed(2);
  t.ok(floor.lively);
  for (let i = 0; i < 120; i++) floor.feed(2);
  t.notOk(floor.lively, 'a machine that started is the floor now');
  for (let i = 0; i < 6; i++) floor.feed(0);
  t.ok(floor.floor < 0.5);
});

void t.test('what asks for confirmation says so', async (t) => {
  const listener = new Listener(recognizer());
  const steps = [...quiet(900), ...say('go left'), ...quiet(1500)];
  const events = await listener.feed({
    data: Float32Array.from(steps.flat()),
    steps: steps.length,
    dim: 2,
    firstStep: 0,
  });
  t.match(
    events.find((e) => e.type === 'heard'),
    { heard: { intent: 'Go', confirm: true } },
  );
});
