/** The process gets no processor for a while: it hears again, and what was said then is not answered as if it were now. */
import { rm } from 'node:fs/promises';
import t from 'tap';
import { Daemon } from '../sim/daemon.js';
import { MicSim, until } from '../sim/mic-sim.js';
import { Mosquitto, Subscriber } from '../sim/mosquitto.js';
import { tinyLexicon } from '../sim/tiny-checkpoint.js';
import { speak, toneBundle } from '../sim/tone-model.js';

const grammar = 'intents:\n  Stop: {data: [{sentences: ["stop [the] conveyor"]}]}\n';
const lexicon = tinyLexicon();
const stopMs = 6000;

void t.test('stopped for a while, as by a debugger, a suspend or other work', async (t) => {
  const bundle = await toneBundle();
  const broker = await Mosquitto.open();
  const subscriber = await Subscriber.open(broker.url, 'kikitori/board/#');
  const mic = await MicSim.create({});
  const daemon = await Daemon.start({
    url: broker.url,
    model: bundle.path,
    grammar,
    mic,
    capture: { stallAfterMs: 2000 },
  });
  t.teardown(async () => {
    await daemon.remove();
    await mic.remove();
    await subscriber.close();
    await broker.close();
    await rm(bundle.folder, { recursive: true, force: true });
  });
  const heard = () => subscriber.topics('kikitori/board/transcript').length;
  const say = async () => {
    const before = heard();
    // Said again until it is heard: the recorder may just be starting.
    for (let n = 0; n < 20 && heard() === before; n++) {
      await mic.say(speak('stop the conveyor', { beforeMs: 300, afterMs: 600 }, lexicon));
      await subscriber.until(() => heard() > before, 8000);
    }
    t.ok(heard() > before, 'heard');
  };
  await daemon.event('mic.up');
  await say();
  for (let round = 0; round < 2; round++) {
    const { pid = 0 } = daemon.child.child;
    process.kill(pid, 'SIGSTOP');
    await new Promise((resolve) => setTimeout(resolve, stopMs));
    process.kill(pid, 'SIGCONT');
    await say();
    t.notOk(daemon.child.over);
  }
  const alive = async () => (await mic.alive()).length;
  await until('one recorder', async () => (await alive()) === 1);
  t.equal(await daemon.child.kill('SIGTERM'), 0);
  t.equal(await alive(), 0, 'none is left');
});

void t.test('killed, it leaves no recorder behind', async (t) => {
  const bundle = await toneBundle();
  const mic = await MicSim.create({});
  const daemon = await Daemon.start({
    url: 'mqtt://127.0.0.1:9',
    watched: false,
    model: bundle.path,
    grammar,
    mic,
  });
  t.teardown(async () => {
    await daemon.remove();
    await mic.remove();
    await rm(bundle.folder, { recursive: true, force: true });
  });
  await daemon.event('mic.up');
  t.equal((await mic.alive()).length, 1);
  await daemon.child.kill('SIGKILL');
  await until('its end', async () => (await mic.alive()).length === 0);
  t.pass('its pipe is gone, and so is it');
});
