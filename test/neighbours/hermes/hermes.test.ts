/** Whole conversations in Hermes: every session that begins also ends, whoever forgets it. */
import t from 'tap';
import { Hermes } from '../../../src/neighbours/hermes/hermes.js';
import { intentMessage } from '../../../src/neighbours/hermes/messages.js';
import type { House } from '../../../src/neighbours/index.js';
import type { Context } from '../../../src/publish/index.js';
import type { Heard } from '../../../src/records.js';
import { Daemon } from '../../sim/daemon.js';
import { MicSim, until } from '../../sim/mic-sim.js';
import { Mosquitto, Subscriber } from '../../sim/mosquitto.js';
import { TestClock } from '../../sim/test-clock.js';
import { tinyLexicon } from '../../sim/tiny-checkpoint.js';
import { speak, toneBundle } from '../../sim/tone-model.js';

const context: Context = {
  ...{ boot: 'b', seq: 7, startedAtMs: 0, endedAtMs: 900, latencyMs: 20, model: 'm', grammar: 'g' },
};
const heardOf = (more: Partial<Heard>): Heard => ({
  ...{ accepted: true, text: 'set speed to fifteen', intent: 'Set Speed' },
  ...{ slots: { speed: 15, unit: 'rpm' }, said: { speed: 'fifteen' }, confidence: 0.91234 },
  ...{ words: [], startSample: 0, endSample: 1, startMs: 0, endMs: 1, evidence: {}, ...more },
});
const refused = heardOf({ accepted: false, reason: 'ambiguous' });
const talk = heardOf({ accepted: false, reason: 'not-a-command' });

/** A broker that only remembers, and gives what it is told to. */
function stage() {
  const clock = new TestClock();
  const sent: { topic: string; payload: Readonly<Record<string, unknown>> }[] = [];
  const asked: string[] = [];
  const wanted = new Map<string, (topic: string, payload: Buffer, retained: boolean) => void>();
  const config = {
    device: { id: 'board' },
    recognizer: { wake: { phrase: 'hey machine' } },
    publish: { hermes: { enabled: true, siteId: 'hall', sessionMs: 30_000 } },
  };
  const house = {
    ...{ clock, random: () => 0.5, config: () => config },
    ask: async (name: string) => void asked.push(name),
    mqtt: {
      send: (topic: string, payload: Readonly<Record<string, unknown>>) =>
        sent.push({ topic, payload }),
      subscribe: (filter: string, on: () => void) => wanted.set(filter, on),
    },
  } as unknown as House;
  const hermes = new Hermes(house);
  const give = (topic: string, payload: unknown, retained = false) => {
    const text = typeof payload === 'string' ? payload : JSON.stringify(payload);
    wanted.get(`hermes/${topic}`)?.(topic, Buffer.from(text), retained);
  };
  const topics = () => sent.splice(0).map(({ topic }) => topic.replace('hermes/', ''));
  const last = (topic: string) => sent.findLast((m) => m.topic === `hermes/${topic}`)?.payload;
  return { clock, hermes, sent, asked, give, topics, last };
}

const [started, ended, captured] = [
  'dialogueManager/sessionStarted',
  'dialogueManager/sessionEnded',
  'asr/textCaptured',
];

void t.test('wake phrase, command, carried out', async (t) => {
  const { hermes, give, topics, last, asked } = stage();
  hermes.event('wake');
  t.same(last('hotword/hey_machine/detected'), { modelId: 'hey_machine', siteId: 'hall' });
  hermes.heard(heardOf({}), context);
  const sessionId = last(started)?.['sessionId'];
  t.match(last(captured), { text: 'set speed to fifteen', likelihood: 0.9123, seconds: 0.9 });
  t.match(last(captured), { siteId: 'hall', sessionId });
  t.match(last('intent/Set_Speed'), {
    input: 'set speed to fifteen',
    intent: { intentName: 'Set Speed', confidenceScore: 0.9123 },
    slots: [
      {
        ...{ entity: 'speed', slotName: 'speed', rawValue: 'fifteen', confidence: 0.9123 },
        ...{ value: { kind: 'Number', value: 15 }, range: { start: 13, end: 20 } },
      },
      { slotName: 'unit', rawValue: 'rpm', value: { kind: 'Custom', value: 'rpm' } },
    ],
    ...{ siteId: 'hall', sessionId },
  });
  give('dialogueManager/endSession', { sessionId: 'another' });
  t.equal(last(ended), undefined);
  give('dialogueManager/continueSession', { sessionId });
  t.same(asked, ['listen']);
  hermes.pushToTalk();
  hermes.heard(heardOf({}), context);
  give('dialogueManager/endSession', { sessionId, text: 'done' });
  t.match(last(ended), { sessionId, siteId: 'hall', termination: { reason: 'nominal' } });
  t.same(topics(), [
    ...['hotword/hey_machine/detected', started, captured, 'intent/Set_Speed'],
    ...[captured, 'intent/Set_Speed', ended],
  ]);
});

void t.test('any words: a slot has its own confidence and its place', (t) => {
  const heard = heardOf({
    ...{
      text: 'note water is low',
      slots: { text: 'water is low' },
      said: { text: 'water is low' },
    },
    openSlots: { text: { confidence: 0.61239, startMs: 300, endMs: 900 } },
  });
  const { slots } = intentMessage(heard, { sessionId: 's', siteId: 'hall' }, 'i');
  t.match(slots, [{ confidence: 0.6124, rawValue: 'water is low', range: { start: 5, end: 17 } }]);
  t.end();
});

void t.test('every session ends: forgotten, refused, overtaken, stopped', async (t) => {
  const { clock, hermes, topics, last } = stage();
  const reason = () => (last(ended)?.['termination'] as { reason: string } | undefined)?.reason;
  hermes.event('wake');
  await clock.advance(29_999);
  t.equal(reason(), undefined);
  await clock.advance(1);
  t.equal(reason(), 'timeout');
  topics();
  hermes.heard(talk, context);
  t.same(topics(), [], 'people who talk are in no session');
  hermes.event('wake');
  hermes.heard(talk, context);
  t.equal(reason(), 'intentNotRecognized');
  topics();
  hermes.heard(refused, context);
  t.equal(reason(), 'intentNotRecognized');
  t.same(topics(), [started, captured, 'dialogueManager/intentNotRecognized', ended]);
  hermes.heard(heardOf({}), context);
  hermes.heard(heardOf({}), context);
  t.equal(reason(), 'abortedByUser');
  await hermes.close();
  const all = topics();
  t.equal(all.filter((topic) => topic === started).length, 2);
  t.equal(all.filter((topic) => topic === ended).length, 2);
  t.equal(clock.pending, 0);
});

void t.test('what is for another site, retained or no message does nothing', async (t) => {
  const { give, asked, topics } = stage();
  for (const junk of ['', 'x', '[]', 'null', '7', '{"siteId": 4}', { siteId: 'other' }, {}])
    for (const topic of ['asr/startListening', 'asr/stopListening', 'dialogueManager/endSession'])
      give(topic, junk);
  give('asr/startListening', { siteId: 'hall' }, true);
  give('dialogueManager/startSession', { siteId: 'hall', init: null });
  give('dialogueManager/startSession', { siteId: 'hall', init: { type: 'notification' } });
  t.same(asked, []);
  give('dialogueManager/startSession', { siteId: 'hall', init: { type: 'action' } });
  give('asr/stopListening', { siteId: 'hall' });
  t.same(asked, ['listen', 'stop']);
  t.same(topics(), []);
});

void t.test('the daemon, by push-to-talk over a real broker', async (t) => {
  const broker = await Mosquitto.open();
  const subscriber = await Subscriber.open(broker.url, 'hermes/#');
  const mic = await MicSim.create({});
  const { path: model } = await toneBundle();
  const daemon = await Daemon.start({
    ...{ url: broker.url, model, mic },
    grammar: 'intents: {Stop: {data: [{sentences: ["stop [the] conveyor"]}]}}',
    recognizer: { mode: 'push-to-talk' },
    publish: { hermes: { enabled: true, siteId: 'hall' } },
  });
  t.teardown(async () => {
    await daemon.remove();
    await mic.remove();
    await subscriber.close();
    await broker.close();
  });
  await daemon.event('mic.up');
  const find = async (topic: string) => subscriber.find((m) => m.topic === `hermes/${topic}`);
  await until('it listens', async () => {
    await subscriber.publish('hermes/asr/startListening', { siteId: 'hall', sessionId: 'mine' });
    const seen = subscriber.topics(`hermes/${started}`).length > 0;
    if (!seen) await new Promise((resolve) => setTimeout(resolve, 200));
    return seen;
  });
  await mic.say(speak('stop the conveyor', { beforeMs: 300, afterMs: 300 }, tinyLexicon()));
  const intent = await find('intent/Stop');
  t.match(intent.json, { input: 'stop the conveyor', siteId: 'hall', sessionId: 'mine' });
  await subscriber.publish('hermes/dialogueManager/endSession', { sessionId: 'mine' });
  t.match((await find(ended)).json, { termination: { reason: 'nominal' } });
});
