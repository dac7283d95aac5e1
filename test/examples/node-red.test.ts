/**
 * The flow for Node-RED: whole as a file, and carried out. The second needs Node-RED, which scripts/node-red-test
 * installs outside of the repository and names in KIKITORI_NODE_RED.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { Daemon } from '../sim/daemon.js';
import { MicSim, until } from '../sim/mic-sim.js';
import { freePort, Mosquitto, Subscriber } from '../sim/mosquitto.js';
import { Child } from '../sim/process.js';
import { tinyLexicon } from '../sim/tiny-checkpoint.js';
import { speak, toneBundle } from '../sim/tone-model.js';

interface FlowNode {
  readonly id: string;
  readonly type: string;
  readonly z?: string;
  readonly broker?: string;
  readonly wires?: readonly (readonly string[])[];
  readonly outputs?: number;
  readonly rules?: readonly { readonly v: string }[];
}

const path = fileURLToPath(new URL('../../examples/node-red/flow.json', import.meta.url));
const nodeRed = process.env['KIKITORI_NODE_RED'];

void t.test('every wire leads to a node, and only nodes that come with Node-RED', async (t) => {
  const flow = JSON.parse(await readFile(path, 'utf8')) as FlowNode[];
  const known = ['tab', 'mqtt-broker', 'mqtt in', 'mqtt out', 'function', 'switch', 'debug'];
  const ids = new Set(flow.map(({ id }) => id));
  t.equal(ids.size, flow.length);
  for (const { id, type, z, wires, outputs, broker } of flow) {
    t.ok(known.includes(type), `${id}: ${type}`);
    for (const to of wires?.flat() ?? []) t.ok(ids.has(to), `${id} leads to ${to}`);
    if (outputs !== undefined) t.equal(wires?.length, outputs, id);
    if (z !== undefined) t.equal(z, flow[0]?.id, id);
    if (type.startsWith('mqtt ')) t.equal(broker, 'kikitori-broker', id);
  }
  const sentences = fileURLToPath(new URL('../../config/sentences.yaml', import.meta.url));
  const grammar = await readFile(sentences, 'utf8');
  for (const { v } of flow.find(({ type }) => type === 'switch')?.rules ?? [])
    t.match(grammar, `\n  ${v}:\n`, `${v} is an intent of the example grammar`);
});

const skip = nodeRed === undefined ? 'scripts/node-red-test runs it' : false;
void t.test('in a real Node-RED', { skip, timeout: 400_000 }, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'kikitori-node-red-'));
  const broker = await Mosquitto.open();
  const subscriber = await Subscriber.open(broker.url);
  const mic = await MicSim.create({});
  const text = (await readFile(path, 'utf8')).replace('"1883"', `"${broker.port}"`);
  await writeFile(join(folder, 'flows.json'), text);
  const settings = { flowFile: 'flows.json', uiHost: '127.0.0.1', uiPort: await freePort() };
  await writeFile(
    join(folder, 'settings.js'),
    `module.exports = ${JSON.stringify({ ...settings, telemetry: { enabled: false } })};\n`,
  );
  const red = Child.node([nodeRed ?? '', '--userDir', folder, '-s', join(folder, 'settings.js')]);
  const { path: model } = await toneBundle();
  const daemon = await Daemon.start({
    // What this test says in a board's name is no message of a board.
    ...{ url: broker.url, model, mic, watched: false },
    grammar: `intents:
  ConveyorStart: {data: [{sentences: ["start [the] conveyor"]}]}
  ConveyorStop: {data: [{sentences: ["stop [the] conveyor"]}]}
  LightOn: {data: [{sentences: ["turn on the {area} light"]}]}
lists: {area: {values: [kitchen, hall]}}
`,
  });
  t.teardown(async () => {
    await red.kill();
    await daemon.remove();
    await mic.remove();
    await subscriber.close();
    await broker.close();
    await rm(folder, { recursive: true, force: true });
  });
  const say = async (sentence: string) =>
    mic.say(speak(sentence, { beforeMs: 300, afterMs: 300 }, tinyLexicon()));
  const told = () =>
    subscriber.messages
      .filter((m) => m.topic.startsWith('factory/'))
      .map((m) => `${m.topic} ${m.text}`);
  await red.line('Connected to broker');
  await daemon.event('mic.up');
  await say('turn on the hall light');
  await until('the light is on', () => told().length === 1);
  await say('start the conveyor');
  await until('it asks', () => told().length === 2);
  t.match(told()[1], /^factory\/ask .*say it again: start the conveyor/);
  await say('start the conveyor');
  await until('it acts', () => told().length === 3);
  await say('stop the conveyor');
  await until('it stops', () => told().length === 4);
  t.same(
    told().filter((line) => !line.includes('ask')),
    ['factory/light/hall/set ON', 'factory/conveyor/all/set ON', 'factory/conveyor/all/set OFF'],
  );
  // A message that comes twice, and one that waited for the broker, are nothing to act on.
  const stop = subscriber.messages.find((m) => m.topic.endsWith('/intent/ConveyorStop'));
  t.ok(stop);
  await subscriber.publish(stop?.topic ?? '', stop?.json);
  await subscriber.publish(stop?.topic ?? '', { ...stop?.json, id: 'late', replayed: true });
  await subscriber.publish('kikitori/board/intent/LightOn', {
    ...{ id: 'last', text: '', confidence: 1, intent: 'LightOn', slots: { area: 'end' } },
  });
  await until('the last one is done', () => told().includes('factory/light/end/set ON'));
  t.equal(told().length, 5);
});
