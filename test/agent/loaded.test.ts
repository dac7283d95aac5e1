/** What a daemon does not need takes no memory: modules of others, and what their clients keep. */
import { createRequire } from 'node:module';
import t from 'tap';
import '../../src/cli/run.js';
import { Mosquitto } from '../sim/mosquitto.js';
import { openPublisher } from '../sim/publisher.js';
import { until } from '../sim/mic-sim.js';

const require = createRequire(import.meta.url);
/** Of CommonJS alone, as all of these are. */
const isLoaded = (name: string) =>
  Object.keys(require.cache).some((path) => path.includes(`/node_modules/${name}/`));

void t.test('what speaks to a repository is loaded when it first asks', async (t) => {
  t.ok(isLoaded('mqtt'), 'this list tells what is loaded');
  for (const name of ['tuf-js', '@tufjs/models', 'http-proxy-agent', 'https-proxy-agent'])
    t.notOk(isLoaded(name), name);
  t.notOk(isLoaded('tar-stream'), 'a bundle that is a folder needs no tar');
  await import('../../src/update/trust/index.js');
  t.ok(isLoaded('tuf-js'));
});

void t.test('a connection keeps no object for each number of two bytes', async (t) => {
  const broker = await Mosquitto.open();
  t.teardown(() => broker.close());
  const { publisher } = await openPublisher(t, broker.url);
  await until('the connection', () => publisher.stats().connected);
  const ofMqtt = createRequire(require.resolve('mqtt'));
  const { cache } = ofMqtt('mqtt-packet/numbers') as { cache: object };
  t.equal(Object.keys(cache).length, 0);
});
