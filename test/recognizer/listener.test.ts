import t from 'tap';
import {
  compileGrammar,
  Listener,
  Recognizer,
  type RecognizerEvent,
} from '../../src/recognizer/index.js';
import { listenerManifest, spokenNetwork } from '../sim/spoken-network.js';
import { tinyLexicon } from '../sim/tiny-checkpoint.js';

const lexicon = tinyLexicon();
const grammar = compileGrammar(
  'intents: {Stop: {data: [{sentences: ["stop conveyor [{n}]"]}]}, Go: {data: [{sentences: ["go left"]}]}}\nlists: {n: {values: [one, two]}}',
  { file: 'test', lexicon },
);
const recognizer = () => new Recognizer(listenerManifest, spokenNetwork, grammar);

/** Units of a text, each for two steps with a blank between. */
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
    events.push(
      ...(await listener.feed({
        data: Float32Array.from(part.flatMap((u) => [u, 0])),
        steps: part.length,
        dim: 2,
        firstStep: at,
      })),
    );
  }
  return events;
}
const heardIn = (events: RecognizerEvent[]) =>
  events.flatMap((e) => (e.type === 'heard' ? [e.heard] : []));

void t.test('cuts a stream into utterances, whatever the chunks', async (t) => {
  const said = [
    ...quiet(3000),
    ...say('stop conveyor two'),
    ...quiet(2000),
    ...say('go left'),
    ...quiet(2000),
  ];
  const whole = heardIn(await play(new Listener(recognizer()), said, 1));
  t.same(
    whole.map((h) => [h.text, h.accepted, h.intent]),
    [
      ['stop conveyor two', true, 'Stop'],
      ['go left', true, 'Go'],
    ],
  );
  t.same(whole[0]?.slots, { n: 'two' });
  for (const cut of [2, 7, 50])
    t.same(
      heardIn(await play(new Listener(recognizer()), said, cut)),
      whole,
      `chunks of ${cut} steps`,
    );
  const first = whole[0];
  t.ok(
    first !== undefined && first.startSample >= (3000 - 900) * 16 && first.startSample <= 3000 * 16,
    'pre-roll before the first phone',
  );
});

void t.test('ends soon after what cannot go on, later after what can, latest inside', async (t) => {
  const endOf = async (text: string) => {
    const listener = new Listener(recognizer());
    await play(listener, [...quiet(600), ...say(text)]);
    let ms = 0;
    for (; ms < 3000; ms += 30)
      if ((await play(listener, [0])).some((e) => e.type === 'heard')) break;
    return ms;
  };
  const [closed, open, inside] = [
    await endOf('go left'),
    await endOf('stop conveyor'),
    await endOf('stop'),
  ];
  t.ok(closed >= 200 && closed <= 450, `closed ${closed}`);
  t.ok(open > closed && open <= 750, `open ${open}`);
  t.ok(inside > open && inside <= 1100, `inside ${inside}`);
});

void t.test(
  'what is no command is refused, noise is dismissed, endless speech is cut',
  async (t) => {
    const other = heardIn(
      await play(new Listener(recognizer()), [
        ...quiet(500),
        ...say('kitchen red blue machine'),
        ...quiet(2000),
      ]),
    );
    t.match(other, [{ accepted: false }]);
    const noise = await play(new Listener(recognizer()), [...quiet(500), 5, 0, 5, ...quiet(3000)]);
    t.same(heardIn(noise), []);
    t.ok(noise.some((e) => e.type === 'dismissed'));
    const endless = Array.from({ length: 400 }, (_, i) => (i % 2 === 0 ? 1 + (i % 30) : 0));
    t.match(heardIn(await play(new Listener(recognizer()), endless)), [
      { accepted: false, reason: 'too-long' },
    ]);
  },
);

void t.test('push-to-talk: nothing until asked, and the pre-roll counts', async (t) => {
  const listener = new Listener(recognizer(), 'push-to-talk');
  t.same(heardIn(await play(listener, [...quiet(300), ...say('go left'), ...quiet(1500)])), []);
  await play(listener, say('go').slice(0, 4));
  const begun = await listener.listen();
  t.match(begun, [{ type: 'speech-start' }]);
  const rest = [
    ...(await play(listener, [...say('go').slice(4), ...say('left')])),
    ...(await listener.stop()),
  ];
  t.match(heardIn(rest), [{ text: 'go left', accepted: true }]);
});

void t.test(
  'muted it hears nothing; a new grammar waits for the end of the utterance',
  async (t) => {
    const listener = new Listener(recognizer());
    listener.mute(true);
    t.same(await play(listener, [...say('go left'), ...quiet(1500)]), []);
    listener.mute(false);
    await play(listener, [...quiet(600), ...say('go')]);
    const other = compileGrammar('intents: {Red: {data: [{sentences: ["red light"]}]}}', {
      file: 'other',
      lexicon,
    });
    listener.setRecognizer(new Recognizer(listenerManifest, spokenNetwork, other));
    t.match(heardIn(await play(listener, [...say('left'), ...quiet(1500)])), [{ text: 'go left' }]);
    t.match(heardIn(await play(listener, [...say('red light'), ...quiet(1500)])), [
      { text: 'red light' },
    ]);
  },
);
