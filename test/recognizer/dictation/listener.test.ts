/** A stream of steps as free words: what a daemon makes of pauses, gaps, muting and other files. */
import t from 'tap';
import type { Manifest } from '../../../src/bundle/index.js';
import type { Heard, Steps } from '../../../src/records.js';
import { compileDictation, DictationListener } from '../../../src/recognizer/dictation/index.js';
import { requestedMsMax } from '../../../src/recognizer/dictation/dictation-listener.js';
import type { RecognizerEvent } from '../../../src/recognizer/index.js';
import { PlainLanguageModel } from '../../sim/plain-language-model.js';
import { listenerManifest, spokenNetwork } from '../../sim/spoken-network.js';
import { features, fullLexicon } from '../../sim/tiny-checkpoint.js';

const lexicon = fullLexicon();
const manifest = { ...listenerManifest, network: { chunkSteps: 4 } } as unknown as Manifest;
const stepMs = features.hopMs * features.stride;
const samplesPerStep = (stepMs * features.sampleRateHz) / 1000;

function graphOf(...words: readonly string[]) {
  const all = ['<unk>', '<s>', '</s>', ...words];
  const ln = new Map(all.map((w): [string, number] => [w, -3]));
  return compileDictation(
    new PlainLanguageModel({ order: 2, words: all, ln, backOff: new Map() }),
    lexicon,
  );
}

const graph = graphOf('never', 'go', 'home', 'late', 'light', 'keeper');
const listenerOf = (
  options: Partial<ConstructorParameters<typeof DictationListener>[0]> = {},
  origin = 0,
) =>
  new DictationListener(
    { manifest, acoustic: spokenNetwork, graph, minConfidence: 0, ...options },
    origin,
  );

const silence = (steps: number) => Array.from({ length: steps }, () => 0);
const rowsOf = (units: readonly number[]) => Float32Array.from(units.flatMap((u) => [u, 0]));

/** Words one phone in three steps; a number is so many steps of silence. */
function said(...parts: readonly (string | number)[]): Steps {
  const units = parts.flatMap((part) =>
    typeof part === 'number'
      ? silence(part)
      : (lexicon.lookup(part)[0]?.phones ?? []).flatMap((phone) => [phone, 0, 0]),
  );
  return { data: rowsOf(units), steps: units.length, dim: 2, firstStep: 0 };
}

/** A word with as much between its phones as where noise is taken for one, and beside sounds that it has not. */
function stretched(word: string): Steps {
  const phones = lexicon.lookup(word)[0]?.phones ?? [];
  const other = lexicon.units.indexOf('ZH');
  const units = phones
    .flatMap((phone) => [phone, ...silence(12), other, ...silence(12)])
    .concat(silence(pause));
  return { data: rowsOf(units), steps: units.length, dim: 2, firstStep: 0 };
}

const answers = (events: readonly RecognizerEvent[]): Heard[] =>
  events.flatMap((e) => (e.type === 'heard' ? [e.heard] : []));
const texts = (events: readonly RecognizerEvent[]) => answers(events).map((h) => h.text);
const pause = 24;

void t.test('what is said between two pauses is one answer, where it was said', async (t) => {
  const listener = listenerOf({}, 16_000);
  const before = 40;
  const events = await listener.feed(said(before, 'never', 'go', 'home', pause));
  const [heard] = answers(events);
  t.match(heard, { accepted: true, text: 'never go home', intent: null, slots: {}, startMs: 0 });
  t.equal(heard?.startSample, 16_000 + before * samplesPerStep);
  t.equal(heard?.words[0]?.startMs, 0);
  t.equal(heard?.words.at(-1)?.endMs, heard?.endMs);
  t.equal(
    heard?.endSample,
    (heard?.startSample ?? 0) + ((heard?.endMs ?? 0) * features.sampleRateHz) / 1000,
  );
  t.ok(listener.between);
  t.same(texts(await listener.feed(said('late', pause))), ['late']);
});

void t.test('partials while it is said, each once', async (t) => {
  const listener = listenerOf();
  const partials: string[] = [];
  for (const word of ['never', 'go', 'home', 'late'])
    for (const event of await listener.feed(said(word, 4)))
      if (event.type === 'partial') partials.push(event.partial.text);
  t.ok(partials.length >= 2, partials.join(' | '));
  t.equal(new Set(partials).size, partials.length);
  t.match(partials.at(-1), /^never go home/);
});

void t.test('below the floor it is refused, with what it was most like', async (t) => {
  const [heard] = answers(
    await listenerOf({ minConfidence: 1.1 }).feed(said('never', 'go', 'home', pause)),
  );
  t.match(heard, { accepted: false, reason: 'low-confidence', text: 'never go home' });
  const [word] = answers(await listenerOf({ minConfidence: 1.1 }).feed(said('light', pause)));
  t.match(word, { accepted: false, reason: 'low-confidence', text: 'light' });
  const noise = answers(await listenerOf({ minConfidence: 1.1 }).feed(stretched('light')));
  t.match(noise, [{ accepted: false, reason: 'noise', text: 'light' }], 'as noise is');
});

void t.test('muted it hears nothing, and drops what was being said; times go on', async (t) => {
  const listener = listenerOf();
  const first = said('never', 'go');
  t.same(texts(await listener.feed(first)), []);
  listener.mute(true);
  const muted = said('home', pause);
  t.same(texts(await listener.feed(muted)), []);
  listener.mute(false);
  const [heard] = answers(await listener.feed(said(40, 'late', pause)));
  t.match(heard, { text: 'late', startSample: (first.steps + muted.steps + 40) * samplesPerStep });
});

void t.test('after a gap nothing joins, and samples count from there', async (t) => {
  const listener = listenerOf();
  await listener.feed(said('never'));
  listener.rejoin(1_000_000);
  const [heard] = answers(await listener.feed(said(20, 'go', 'home', pause)));
  t.match(heard, { text: 'go home', startSample: 1_000_000 + 20 * samplesPerStep });
});

void t.test('stop ends what is being said', async (t) => {
  const listener = listenerOf();
  await listener.feed(said('light', 'keeper', 2));
  t.same(texts(await listener.stop()), ['light keeper']);
  t.same(texts(await listener.stop()), []);
});

void t.test('other words take over between two utterances', async (t) => {
  const listener = listenerOf();
  await listener.feed(said('never', 'go'));
  listener.replace({
    manifest,
    acoustic: spokenNetwork,
    graph: graphOf('home', 'late'),
    minConfidence: 0,
  });
  t.same(texts(await listener.feed(said('home', pause))), ['never go home'], 'by the old words');
  t.same(texts(await listener.feed(said('late', 'home', pause))), ['late home']);
});

void t.test('speech without a pause is handed out after maxUtteranceMs, all of it', async (t) => {
  const listener = listenerOf({ maxUtteranceMs: 3000 });
  const words = Array.from({ length: 120 }, (_, i) => ['never', 'go', 'home', 'late'][i % 4] ?? '');
  const heard = answers(await listener.feed(said(...words, pause)));
  t.ok(heard.length > 5, `${heard.length} answers`);
  t.same(
    heard
      .map((h) => h.text)
      .join(' ')
      .split(' '),
    words,
  );
  t.ok(
    heard.every((h) => h.endMs <= 6500),
    heard.map((h) => h.endMs).join(),
  );
});

const started = (events: readonly RecognizerEvent[]) =>
  events.flatMap((e) => (e.type === 'speech-start' ? [e.sample] : []));

void t.test('after listen what is said up to a pause is one answer, however long', async (t) => {
  const listener = listenerOf({ maxUtteranceMs: 3000 });
  await listener.feed(said(60));
  const begun = await listener.listen();
  t.same(started(begun), [(60 - Math.ceil(manifest.endpoint.preRollMs / stepMs)) * samplesPerStep]);
  t.same(await listener.listen(), [], 'it listens already');
  t.notOk(listener.between, 'nothing takes over meanwhile');
  const words = Array.from({ length: 60 }, (_, i) => ['never', 'go', 'home', 'late'][i % 4] ?? '');
  const events = await listener.feed(said(30, ...words, pause));
  t.same(texts(events), [words.join(' ')]);
  const [heard] = answers(events);
  t.equal(heard?.startSample, 90 * samplesPerStep);
  t.equal(heard?.words.length, 60);
  t.equal(heard?.endMs, heard?.words.at(-1)?.endMs);
  t.ok(
    heard?.words.every(({ startMs }, i) => startMs >= (heard.words[i - 1]?.endMs ?? 0)),
    'times go on',
  );
  const partials = events.flatMap((e) => (e.type === 'partial' ? [e.partial.text] : []));
  t.ok(
    partials.every(
      (text, i) => text.split(' ').length + 2 >= (partials[i - 1] ?? '').split(' ').length,
    ),
    'nothing of it is taken back',
  );
  t.ok(listener.between);
});

void t.test('what was said just before listen is heard too, and is not heard twice', async (t) => {
  const listener = listenerOf({ byRequest: true });
  await listener.feed(said(60, 'go'));
  await listener.listen();
  t.same(texts(await listener.feed(said('home', pause))), ['go home']);
  await listener.listen();
  t.same(texts(await listener.feed(said('late', pause))), ['late']);
});

void t.test(
  'by request alone: nothing is heard before, and nothing after the answer',
  async (t) => {
    const listener = listenerOf({ byRequest: true });
    t.same(await listener.feed(said('never', 'go', pause)), []);
    t.same(await listener.stop(), []);
    await listener.listen();
    t.same(texts(await listener.feed(said(10, 'home', pause, 'late', pause))), ['home']);
    t.same(await listener.feed(said('never', 'go', pause)), []);
  },
);

void t.test('nothing said after listen is an answer too: at stop, or after a while', async (t) => {
  const listener = listenerOf({ byRequest: true, maxUtteranceMs: 3000 });
  await listener.feed(said(100));
  await listener.listen();
  await listener.feed(said(20));
  const nothing = { accepted: false, reason: 'noise', text: '', words: [] };
  t.match(answers(await listener.stop()), [nothing]);
  await listener.listen();
  const heard = answers(await listener.feed(said(Math.ceil(3000 / stepMs) + 1)));
  t.match(heard, [nothing]);
  t.ok((heard[0]?.endSample ?? 0) > (heard[0]?.startSample ?? 0));
  t.same(answers(await listener.feed(said(200))), [], 'once');
});

void t.test('stop, mute and a gap end what was asked for', async (t) => {
  const listener = listenerOf({ byRequest: true });
  await listener.listen();
  await listener.feed(said('light', 'keeper', 2));
  t.same(texts(await listener.stop()), ['light keeper']);
  await listener.listen();
  await listener.feed(said('light'));
  listener.mute(true);
  t.same(await listener.listen(), [], 'muted');
  listener.mute(false);
  t.same(await listener.feed(said('keeper', pause)), [], 'dropped with it');
  await listener.listen();
  await listener.feed(said('light'));
  listener.rejoin(1_000_000);
  t.same(await listener.feed(said('keeper', pause)), []);
});

void t.test('what never ends is told after two minutes', async (t) => {
  const listener = listenerOf({ byRequest: true, maxUtteranceMs: 3000 });
  await listener.listen();
  const forMs = (ms: number) =>
    said(...Array.from({ length: Math.ceil(ms / stepMs / said('go').steps) }, () => 'go'));
  t.same(answers(await listener.feed(forMs(requestedMsMax - 1000))), []);
  const [heard] = answers(await listener.feed(forMs(2000)));
  t.ok((heard?.endMs ?? 0) > requestedMsMax - 5000, `${heard?.endMs ?? 0} ms`);
  t.ok(listener.between);
});

void t.test('how the rows are cut makes no difference', async (t) => {
  const whole = said(
    40,
    'never',
    'go',
    pause,
    'home',
    4,
    'late',
    60,
    'light',
    'keeper',
    pause,
    200,
  );
  const hear = async (size: number) => {
    const listener = listenerOf({ byRequest: true, maxUtteranceMs: 3000 });
    const events: RecognizerEvent[] = [];
    const asked = [40, 150];
    for (let at = 0; at < whole.steps; at += size) {
      if (asked[0] !== undefined && at >= asked[0]) {
        asked.shift();
        events.push(...(await listener.listen()));
      }
      const steps = Math.min(size, whole.steps - at);
      const data = whole.data.slice(at * 2, (at + steps) * 2);
      events.push(...(await listener.feed({ data, steps, dim: 2, firstStep: at })));
    }
    return events.filter((e) => e.type !== 'partial');
  };
  t.same(await hear(10), await hear(2));
});
