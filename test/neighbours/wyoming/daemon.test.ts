/** The daemon with its Wyoming port open: whatever is done to the port, it goes on hearing its microphone. */
import { rm } from 'node:fs/promises';
import t from 'tap';
import { randomFrom } from '../../../src/measure/evaluate/statistics.js';
import { builtAlready, Daemon } from '../../sim/daemon.js';
import { MicSim, until } from '../../sim/mic-sim.js';
import { tinyLexicon } from '../../sim/tiny-checkpoint.js';
import { speak, toneBundle } from '../../sim/tone-model.js';
import { WyomingClient } from '../../sim/wyoming-client.js';

const grammar = `intents:
  Stop: {data: [{sentences: ["stop [the] conveyor [{n}]"]}]}
  Light: {data: [{sentences: ["turn (on|off) the (kitchen|hall) light"]}]}
lists:
  n: {values: [{in: one, out: 1}, {in: two, out: 2}]}
`;
const lexicon = tinyLexicon();
const said = (text: string) => speak(text, { beforeMs: 300, afterMs: 600 }, lexicon);
const skip = builtAlready ? false : 'not built';
/** Nobody listens there: the daemon keeps what it heard. */
const noBroker = 'mqtt://127.0.0.1:9';

const bundle = toneBundle();
t.teardown(async () => rm((await bundle).folder, { recursive: true, force: true }));

const portOf = async (daemon: Daemon) => Number((await daemon.event('wyoming.listening'))['port']);
const wyoming = { listen: '127.0.0.1:0' };

void t.test('the microphone is heard, whatever is done to the port', { skip }, async (t) => {
  const mic = await MicSim.create({});
  const model = (await bundle).path;
  const daemon = await Daemon.start({ url: noBroker, model, grammar, mic, wyoming });
  t.teardown(async () => {
    await daemon.remove();
    await mic.remove();
  });
  const port = await portOf(daemon);
  const early = await WyomingClient.open(port);
  t.match(await early.send('describe').event('info'), { asr: [{ name: 'kikitori' }] });
  await daemon.event('mic.up');
  let heard = 0;
  const hears = async (what: string) => {
    await mic.say(said('stop the conveyor two'));
    await daemon.event('heard.accepted', ++heard);
    t.equal(daemon.events('audio.dropped').length, 0, what);
  };
  await hears('nothing is done to it');

  const order = (await WyomingClient.open(port)).order(said('turn on the hall light'));
  t.equal(await order.text(), 'turn on the hall light');
  t.equal(daemon.events('heard.accepted').length, 1, 'an order of a client is no command here');

  const random = randomFrom(1);
  const clients: WyomingClient[] = [];
  for (let i = 0; i < 1000; i++) {
    const one = await WyomingClient.open(port);
    clients.push(one);
    if (i % 4 === 0) one.bytes(Buffer.from(Array.from({ length: 200 }, () => random() * 256)));
    if (i % 4 === 1) one.bytes('{"type":"audio-chunk","payload_length":100000}\n');
    if (i % 4 === 2) one.send('transcribe').audio(said('stop the conveyor').subarray(0, 3000));
  }
  await hears('a thousand connections');

  const slow = await WyomingClient.open(port);
  slow.socket.pause();
  for (let i = 0; i < 3000; i++) slow.bytes('{"type":"describe"}\n');
  const long = new Float32Array(16_000 * 50);
  const flood = await Promise.all([1, 2, 3].map(() => WyomingClient.open(port)));
  for (const one of flood) one.send('transcribe').audio(long, { samplesAtOnce: 30_000 });
  await hears('slow readers, and minutes of audio at once');

  for (const one of [...clients, ...flood, slow]) one.close();
  await until('there is room again', async () => {
    const one = (await WyomingClient.open(port)).order(said('stop conveyor one'));
    await until('an answer', () => one.over || one.got.length > 0);
    return one.got[0]?.data['text'] === 'stop conveyor one';
  });
  await hears('at the end');
  t.equal(await daemon.child.kill('SIGTERM'), 0, 'and it stops in order');
});

void t.test('without a microphone it hears for others', { skip }, async (t) => {
  const model = (await bundle).path;
  const capture = { source: 'none' };
  const daemon = await Daemon.start({ url: noBroker, model, grammar, capture, wyoming });
  t.teardown(() => daemon.remove());
  const port = await portOf(daemon);
  await daemon.event('agent.ready');
  await daemon.event('mic.none');
  const one = (await WyomingClient.open(port)).order(said('stop the conveyor two'));
  t.equal(await one.text(), 'stop the conveyor two');
  await daemon.event('wyoming.accepted');
  t.equal(daemon.events('mic.lost').length, 0);
  t.equal(await daemon.child.kill('SIGTERM'), 0);
});
