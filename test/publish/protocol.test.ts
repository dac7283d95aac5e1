/** MQTT 5 where the broker speaks it, 3.1.1 where it does not, and nothing is lost on the way to it. */
import t from 'tap';
import { ProtocolChoice } from '../../src/publish/protocol.js';
import { aedesFor } from '../sim/aedes.js';
import { anyContext, heardNumber } from '../sim/heard.js';
import { Mosquitto, Subscriber } from '../sim/mosquitto.js';
import { OlderLine, type OlderWay } from '../sim/older-line.js';
import { openPublisher } from '../sim/publisher.js';
import { scenario, together } from '../sim/together.js';

/** What a broker does with an attempt: lets it in, says why not, closes without a word, or is not there. */
type Answer = 'in' | number | 'silent' | 'absent';

const brokers: Readonly<Record<string, (version: 4 | 5) => Answer>> = {
  'speaks both': () => 'in',
  'speaks 3.1.1, and says so': (version) => (version === 4 ? 'in' : 1),
  'speaks 3.1.1, and says so in MQTT 5': (version) => (version === 4 ? 'in' : 0x84),
  'speaks 3.1.1, and hangs up': (version) => (version === 4 ? 'in' : 'silent'),
  'speaks 5 alone': (version) => (version === 5 ? 'in' : 1),
};
const best = (broker: (version: 4 | 5) => Answer) => (broker(5) === 'in' ? 5 : 4);

/** Attempts until a connection stays; its version. */
function connect(choice: ProtocolChoice, broker: (version: 4 | 5) => Answer) {
  for (let attempts = 1; attempts <= 100; attempts++) {
    const { version } = choice;
    const answer = broker(version);
    if (told(choice, answer)) return { version, attempts };
  }
  return { version: 0, attempts: Infinity };
}

void t.test('whatever came before, the newest version that a broker speaks is found', async (t) => {
  const wrong: string[] = [];
  for (const before of histories(4))
    for (const [name, broker] of Object.entries(brokers)) {
      const choice = new ProtocolChoice('auto');
      for (const answer of before) told(choice, answer);
      const after = `${name}, after ${before.join()}`;
      if (connect(choice, broker).attempts > 5) wrong.push(`${after}: not let in`);
      if (choice.asking) wrong.push(`${after}: a question stays open`);
      // What was learned holds for an hour; then:
      choice.begin();
      const { version, attempts } = connect(choice, broker);
      if (version !== best(broker) || attempts > 4) wrong.push(`${after}: ${version}`);
    }
  t.same(wrong.slice(0, 5), []);
  // A broker that hangs up on everybody while it starts: no reason to speak 3.1.1 with it for ever.
  for (let silences = 0; silences < 20; silences++) {
    let left = silences;
    const starting = () => (left-- > 0 ? 'silent' : 'in');
    t.equal(connect(new ProtocolChoice('auto'), starting).version, 5);
  }
});

/** All that may have happened in up to so many attempts. */
function* histories(longest: number): Generator<readonly Answer[]> {
  yield [];
  if (longest > 0)
    for (const before of histories(longest - 1))
      for (const answer of ['in', 'silent', 'absent', 1, 0x84, 5, 0x88] as const)
        yield [...before, answer];
}

/** Whether it is in, and stays. */
function told(choice: ProtocolChoice, answer: Answer): boolean {
  if (answer === 'in') return choice.granted();
  if (answer === 'absent') choice.absent();
  else choice.refused(answer === 'silent' ? null : answer);
  return false;
}

void t.test('a version that was asked for is kept to', async (t) => {
  for (const version of [4, 5] as const) {
    const choice = new ProtocolChoice(version);
    for (const code of [1, 0x84, null, 5]) {
      t.equal(choice.refused(code), false);
      t.equal(choice.version, version);
      t.equal(choice.asking, false);
    }
    t.equal(choice.granted(), true);
  }
});

void t.test('a wrong password is no question of the version', async (t) => {
  const choice = new ProtocolChoice('auto');
  t.equal(choice.refused(0x87), false);
  t.equal(choice.version, 5);
  choice.refused(1);
  t.equal(choice.version, 4);
  t.equal(choice.refused(5), false);
  t.equal(choice.version, 4, 'an answer in 3.1.1: it stays');
  t.equal(choice.asking, false, 'and pauses grow');
});

void t.test(
  'a broker that is gone in the middle of a question is waited for with long pauses',
  async (t) => {
    const choice = new ProtocolChoice('auto');
    choice.refused(null);
    t.equal(choice.asking, true);
    choice.absent();
    t.equal(choice.asking, false);
    t.equal(choice.version, 5);
  },
);

const waysAndFirst: readonly (readonly [OlderWay, readonly number[]])[] = [
  ['speaks-all', [5]],
  ['says-so', [5, 4]],
  ['hangs-up', [5, 4, 5, 4]],
];
for (const [way, first] of waysAndFirst)
  scenario(`a broker that ${way}: nothing is lost, in order, without a complaint`, async (t) => {
    const broker = await Mosquitto.open();
    const line = await OlderLine.to(broker.port, way);
    const subscriber = await Subscriber.open(broker.url, 'k/#', { protocolVersion: 5 });
    const { publisher, lines, said } = await openPublisher(t, line.url, {
      link: { protocolVersion: 'auto' },
    });
    t.teardown(async () => {
      await subscriber.close();
      await line.close();
      await broker.close();
    });
    const seqs = () => [
      ...new Set(subscriber.topics('k/d/intent/Count').map((m) => Number(m.json['seq']))),
    ];
    const all = (count: number) => Array.from({ length: count }, (_, i) => i);
    for (let i = 0; i < 10; i++) await publisher.heard(heardNumber(i), anyContext());
    t.ok(await subscriber.until(() => seqs().length === 10));
    t.same(line.asked.slice(0, first.length), first);
    t.equal(said('mqtt.up')?.['mqtt'], first.at(-1) === 5 ? '5' : '3.1.1');
    t.same(
      lines.filter(({ event, level }) => Number(level) > 30 && event !== 'mqtt.down'),
      [],
    );
    // What it speaks is remembered: the next connection asks for that at once.
    const before = line.asked.length;
    line.cut();
    for (let i = 10; i < 20; i++) await publisher.heard(heardNumber(i), anyContext());
    t.ok(await subscriber.until(() => seqs().length === 20));
    t.same(seqs(), all(20));
    t.equal(line.asked[before], first.at(-1));
    t.ok(await subscriber.until(() => publisher.stats().queued === 0));
  });

scenario('a broker of others that refuses MQTT 5 (aedes)', async (t) => {
  const url = await aedesFor(t);
  const subscriber = await Subscriber.open(url, 'k/#', { protocolVersion: 4 });
  t.teardown(() => subscriber.close());
  const { publisher, said } = await openPublisher(t, url, { link: { protocolVersion: 'auto' } });
  await publisher.heard(heardNumber(1), anyContext());
  await subscriber.find((m) => m.topic === 'k/d/intent/Count');
  t.equal(said('mqtt.up')?.['mqtt'], '3.1.1');
});
together();
