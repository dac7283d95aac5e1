/** Topics of neighbours on the device's own connection, with a real broker. */
import t from 'tap';
import { topicMatches } from '../../src/publish/subscribers.js';
import { Mosquitto, Subscriber } from '../sim/mosquitto.js';
import { openPublisher } from '../sim/publisher.js';
import { until } from '../sim/mic-sim.js';

void t.test('filters match as MQTT says', async (t) => {
  for (const [filter, topic, matches] of [
    ['a/+/c', 'a/b/c', true],
    ['a/+/c', 'a/b/d', false],
    ['a/+', 'a', false],
    ['a/+', 'a/b/c', false],
    ['a/#', 'a', true],
    ['a/#', 'a/b/c', true],
    ['a/b/#', 'a', false],
    ['#', 'a/b', true],
    ['+', '/a', false],
    ['a/b', 'a/b', true],
  ] as const)
    t.equal(topicMatches(filter, topic), matches, `${filter} ${topic}`);
});

void t.test('a neighbour hears, retains and takes away on the device own connection', async (t) => {
  const broker = await Mosquitto.open();
  t.teardown(() => broker.close());
  const { publisher } = await openPublisher(t, broker.url, { link: { connectTimeoutMs: 2000 } });
  const { port } = publisher;
  const heard: string[] = [];
  port.subscribe('ha/status', (topic, payload) => heard.push(`${topic} ${payload.toString()}`));
  port.retain('ha/config', { name: 'board' });
  const subscriber = await Subscriber.open(broker.url, 'ha/#');
  t.teardown(() => subscriber.close());
  await subscriber.find((m) => m.topic === 'ha/config');
  await subscriber.publish('ha/status', { online: true });
  await until('it heard', () => heard.length > 0);
  t.same(heard, ['ha/status {"online":true}']);

  port.subscribe('ha/later', (topic) => heard.push(topic));
  await until('a later filter is subscribed too', async () => {
    await subscriber.publish('ha/later', {});
    return heard.includes('ha/later');
  });

  port.retain('ha/config', null);
  await subscriber.find((m) => m.topic === 'ha/config' && m.text === '');
  const late = await Subscriber.open(broker.url, 'ha/#');
  t.teardown(() => late.close());
  await subscriber.publish('ha/later', { mark: true });
  await late.find((m) => m.topic === 'ha/later');
  t.same(late.topics('ha/config'), [], 'nothing is retained any more');

  port.retain('ha/config', { name: 'again' });
  await broker.stop();
  await broker.start();
  await until('again after the broker came back', async () => {
    const seen = await Subscriber.open(broker.url, 'ha/#');
    await new Promise((resolve) => setTimeout(resolve, 200));
    const found = seen.topics('ha/config').length > 0;
    await seen.close();
    return found;
  });
  t.equal((await port.ask('nothing')).status, 'error', 'requests as over MQTT');
});
