/** The limit of memory of the unit is reached: the kernel ends the daemon, the next start loses nothing. */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { Daemon, type DaemonOptions } from '../sim/daemon.js';
import { MicSim } from '../sim/mic-sim.js';
import { Mosquitto, Subscriber } from '../sim/mosquitto.js';
import { joined, silence, speak, toneBundle, toneGrammar } from '../sim/tone-bundle.js';

/** What the daemon has before it comes into the group does not count there: this is soon reached. */
const limitBytes = 4 << 20;
const utterances = 3;

/** A group of processes with a limit of memory, as systemd makes for a unit with MemoryMax=. */
async function memoryGroup(): Promise<string | null> {
  const [folder, limit] = existsSync('/sys/fs/cgroup/cgroup.controllers')
    ? ['/sys/fs/cgroup', 'memory.max']
    : ['/sys/fs/cgroup/memory', 'memory.limit_in_bytes'];
  const group = join(folder, `kikitori-test-${process.pid}`);
  try {
    await mkdir(group);
    await writeFile(join(group, limit), String(limitBytes));
    return group;
  } catch {
    await rmdir(group).catch(() => undefined);
    return null;
  }
}

void t.test('ended by the kernel in the middle of its work', async (t) => {
  const group = await memoryGroup();
  if (group === null) {
    t.comment('no group of processes can be made here: skipped');
    return;
  }
  const folder = await mkdtemp(join(tmpdir(), 'kikitori-memory-'));
  const broker = await Mosquitto.open();
  const mic = await MicSim.create({});
  const options: DaemonOptions = {
    url: broker.url,
    model: (await toneBundle(join(folder, 'tones.tar'), { version: '1.0.0' })).path,
    grammar: toneGrammar,
    mic,
    watched: false,
  };
  let daemon = await Daemon.start(options);
  t.teardown(async () => {
    await daemon.remove();
    await mic.remove();
    await broker.close();
    await rm(folder, { recursive: true });
    await rmdir(group).catch(() => undefined);
  });
  await daemon.event('mic.up');
  await daemon.event('mqtt.up');
  await broker.stop();
  for (let n = 1; n <= utterances; n++) {
    await mic.say(joined([silence(300), speak('stop'), silence(700)]));
    await daemon.event('heard.accepted', n);
  }
  await writeFile(join(group, 'cgroup.procs'), String(daemon.child.child.pid));
  await daemon.child.exit();
  t.equal(daemon.child.child.signalCode, 'SIGKILL', 'by the kernel');
  const accepted = daemon.events('heard.accepted').map(({ id }) => String(id));
  const limits = await readFile(join(group, 'cgroup.procs'), 'utf8');
  t.equal(limits.trim(), '', 'nothing of it is left in the group');

  await broker.start();
  const subscriber = await Subscriber.open(broker.url, 'kikitori/board/#');
  t.teardown(() => subscriber.close());
  const began = performance.now();
  daemon = await Daemon.start(options, daemon.folder);
  await daemon.event('mic.up');
  t.comment(`hears again ${Math.round(performance.now() - began)} ms after its start`);
  t.match(await daemon.event('agent.restarted'), { after: 'crash' });
  for (const id of accepted)
    for (const topic of ['transcript', 'intent/Stop'])
      t.ok(
        await subscriber.find((m) => m.topic === `kikitori/board/${topic}` && m.json['id'] === id),
        `${topic} ${id}`,
      );
});
