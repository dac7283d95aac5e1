import t from 'tap';
import { randomFrom } from '../../src/measure/evaluate/statistics.js';
import {
  afterWake,
  alignPhones,
  compileGrammar,
  Listener,
  Recognizer,
  wakePhrase,
  WakeSpotter,
  type RecognizerEvent,
} from '../../src/recognizer/index.js';
import { listenerManifest, spokenNetwork } from '../sim/spoken-network.js';
import { tinyLexicon, units } from '../sim/tiny-checkpoint.js';

const lexicon = tinyLexicon();
const grammar = compileGrammar(
  'intents: {Stop: {data: [{sentences: ["stop conveyor [{n}]"]}]}, Go: {data: [{sentences: ["go left"]}]}}\nlists: {n: {values: [one, two]}}',
  { file: 'test', lexicon },
);
const wake = wakePhrase({ phrase: 'Red machine', listenMs: 3000 }, lexicon);
const recognizer = () => new Recognizer(listenerManifest, spokenNetwork, grammar, { wake });
const say = (text: string) =>
  text
    .split(' ')
    .flatMap((w) => lexicon.lookup(w)[0]?.phones ?? [])
    .flatMap((p) => [p, p, 0]);
const quiet = (ms: number) => Array.from({ length: Math.round(ms / 30) }, () => 0);

async function play(listener: Listener, said: number[], cut = 3): Promise<RecognizerEvent[]> {
  const events: RecognizerEvent[] = [];
  for (let at = 0; at < said.length; at += cut) {
    const part = said.slice(at, at + cut);
    const data = Float32Array.from(part.flatMap((u) => [u, 0]));
    events.push(...(await listener.feed({ data, steps: part.length, dim: 2, firstStep: at })));
  }
  return events;
}
const told = (events: RecognizerEvent[]) =>
  events.flatMap((e) =>
    e.type === 'wake'
      ? ['wake']
      : e.type === 'heard'
        ? [e.heard.accepted ? e.heard.text : 'refused']
        : [],
  );

/** Every start and end, each aligned by itself: what the spotter's score means. */
function reference(phones: readonly number[], scores: Float32Array, frames: number): number {
  let best = -Infinity;
  const n = units.length;
  const relative = Float32Array.from(scores, (v, i) => {
    const row = Math.floor(i / n) * n;
    return v - Math.max(...scores.subarray(row, row + n));
  });
  for (let from = 0; from < frames; from++)
    for (let to = from + phones.length; to <= frames; to++) {
      const rows = relative.subarray(from * n, to * n);
      const aligned = alignPhones(
        phones.map((unit) => ({ unit, word: 0 })),
        rows,
        n,
      );
      best = Math.max(best, aligned.score / phones.length);
    }
  return best;
}

void t.test('the score is the best over all starts and ends', async (t) => {
  const random = randomFrom(9);
  const phones = [5, 9, 9, 12];
  for (let round = 0; round < 30; round++) {
    const frames = 12;
    const scores = Float32Array.from({ length: frames * units.length }, () =>
      Math.log(random() ** 2 + 1e-3),
    );
    const wanted = reference(phones, scores, frames);
    let best = -Infinity;
    const spotter = new WakeSpotter({ variants: [phones], threshold: -50, refractoryFrames: 0 });
    const silence = new Float32Array(units.length * 8).fill(-30);
    for (let t = 0; t < 8; t++) silence[t * units.length] = 0;
    const all = Float32Array.from([...scores, ...silence]);
    for (let at = 0; at < all.length; at += units.length) {
      const spotted = spotter.feed(all, at, units.length);
      if (spotted !== null) best = Math.max(best, spotted.score);
    }
    // The worst phone makes the score lower than the mean alone, by at most its share of the total.
    t.ok(best <= wanted + 1e-6 && best >= wanted * 1.61 - 1e-6, `${best} of ${wanted}`);
  }
});

void t.test('a command after the phrase, in one breath or after a pause', async (t) => {
  const one = [...quiet(900), ...say('red machine go left'), ...quiet(1500)];
  t.same(told(await play(new Listener(recognizer(), 'wake'), one)), ['wake', 'go left']);
  const pause = [
    ...quiet(900),
    ...say('red machine'),
    ...quiet(1200),
    ...say('stop conveyor two'),
    ...quiet(1500),
  ];
  t.same(told(await play(new Listener(recognizer(), 'wake'), pause)), [
    'wake',
    'stop conveyor two',
  ]);
  const heard = (await play(new Listener(recognizer(), 'wake'), pause)).find(
    (e) => e.type === 'heard',
  );
  t.match(heard, { heard: { words: [{ word: 'stop' }, { word: 'conveyor' }, { word: 'two' }] } });
});

void t.test('nothing without the phrase; nothing after it is dismissed', async (t) => {
  const without = [...quiet(900), ...say('go left'), ...quiet(1500), ...say('red light go left')];
  t.same(told(await play(new Listener(recognizer(), 'wake'), [...without, ...quiet(1500)])), []);
  const alone = await play(new Listener(recognizer(), 'wake'), [
    ...quiet(900),
    ...say('red machine'),
    ...quiet(6000),
  ]);
  t.same(told(alone), ['wake']);
  t.equal(alone.at(-1)?.type, 'dismissed');
});

void t.test('the same whatever the chunks, and after half a minute of other speech', async (t) => {
  const other = Array.from({ length: 10 }, () => [
    ...say('kitchen light blue'),
    ...quiet(1500),
  ]).flat();
  const stream = [...other, ...say('red machine go left'), ...quiet(2000)];
  const whole = await play(new Listener(recognizer(), 'wake'), stream, 1);
  t.same(told(whole), ['wake', 'go left']);
  for (const cut of [4, 7, 60])
    t.same(await play(new Listener(recognizer(), 'wake'), stream, cut), whole, `chunks of ${cut}`);
});

void t.test('push-to-talk works beside it', async (t) => {
  const listener = new Listener(recognizer(), 'wake');
  await play(listener, quiet(600));
  t.match(await listener.listen(), [{ type: 'speech-start' }]);
  t.same(told(await play(listener, [...say('go left'), ...quiet(1500)])), ['go left']);
  t.same(told(await play(listener, [...say('red machine go left'), ...quiet(1500)])), [
    'wake',
    'go left',
  ]);
});

void t.test('refractory: one alarm for one phrase', async (t) => {
  const spotter = new WakeSpotter({
    variants: wake.variants,
    threshold: wake.threshold,
    refractoryFrames: 60,
  });
  const said = [
    ...say('red machine'),
    ...say('red machine'),
    ...quiet(3000),
    ...say('red machine'),
    ...quiet(300),
  ];
  let alarms = 0;
  for (const unit of said) {
    const row = Float32Array.from(units, (_, u) => Math.log(u === unit ? 0.97 : 0.03 / 39));
    if (spotter.feed(row, 0, units.length) !== null) alarms++;
  }
  t.equal(alarms, 2);
});

void t.test('phrases that cannot be, in words', async (t) => {
  t.throws(() => wakePhrase({ phrase: ' ' }, lexicon), { message: /no wake phrase/ });
  t.throws(() => wakePhrase({ phrase: 'go' }, lexicon), { message: /2 sounds/ });
  t.throws(() => wakePhrase({ phrase: 'red 77' }, lexicon), { message: /no pronunciation/ });
});

void t.test('the graph after the phrase says the same sentences', async (t) => {
  const after = afterWake(grammar, wake);
  t.equal(after.graph.final[0], 0);
  t.equal(after.graph.words[after.hidden ?? -1], 'red machine');
  const ids = ['go', 'left'].map((w) => after.graph.words.indexOf(w));
  t.equal(after.interpret([after.hidden ?? -1, ...ids]).intent, 'Go');
  t.equal(after.graph.arcStart.at(-1), after.graph.arcUnit.length);
  t.ok(after.graph.arcTarget.every((s) => s < after.graph.states));
});
