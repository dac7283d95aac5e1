/**
 * Other processes have the processor: at real-time priority, and at the highest ordinary one. The daemon stays on one
 * core with them. What it cannot hear in time waits, then is lost and said; afterwards it hears as before.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { parseWav } from '../../src/audio/index.js';
import { Daemon } from '../sim/daemon.js';
import { MicSim, until } from '../sim/mic-sim.js';
import { modelMissing, shippedModel } from '../sim/model.js';
import { Mosquitto, Subscriber } from '../sim/mosquitto.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const realTimeMs = 12_000;
const ordinaryMsMax = 150_000;
const usualMsMax = 3000;

const allowed = async (): Promise<number[]> => {
  const [, list = ''] =
    /Cpus_allowed_list:\s*(\S+)/.exec(await readFile('/proc/self/status', 'utf8')) ?? [];
  return list.split(',').flatMap((part) => {
    const [from = 0, to = from] = part.split('-').map(Number);
    return Array.from({ length: to - from + 1 }, (_, i) => from + i);
  });
};

async function cannot(): Promise<string | false> {
  if (process.platform !== 'linux') return 'Linux alone';
  if ((await allowed()).length < 2) return 'needs two cores: one is taken away';
  if (spawnSync('chrt', ['-f', '1', 'true']).status !== 0) return 'needs real-time priority (root)';
  return modelMissing() ?? false;
}

void t.test('the processor belongs to others for a while', { skip: await cannot() }, async (t) => {
  const cores = await allowed();
  const [other, core] = [cores[0] ?? 0, cores.at(-1) ?? 0];
  const pin = (pid: number, to: number) =>
    spawnSync('taskset', ['-a', '-p', '-c', `${to}`, `${pid}`]);
  const busy: ChildProcess[] = [];
  const begin = (...priority: string[]) => {
    const spin = ['taskset', '-c', `${core}`, 'sh', '-c', 'while :; do :; done'];
    const [program = '', ...args] = [...priority, ...spin];
    busy.push(spawn(program, args, { stdio: 'ignore' }));
  };
  const end = () => busy.splice(0).forEach((child) => child.kill('SIGKILL'));
  const broker = await Mosquitto.open();
  const subscriber = await Subscriber.open(broker.url, 'kikitori/board/#');
  const mic = await MicSim.create({ overruns: true });
  const daemon = await Daemon.start({
    url: broker.url,
    model: shippedModel,
    grammar: await readFile(join(root, 'config/sentences.yaml'), 'utf8'),
    mic,
    capture: { stallAfterMs: 2000 },
  });
  t.teardown(async () => {
    end();
    await daemon.remove();
    await mic.remove();
    await subscriber.close();
    await broker.close();
  });
  const path = join(root, 'demo/audio/01.wav');
  const order = parseWav(await readFile(path), path).channels[0] ?? new Float32Array(0);
  const heard = () => subscriber.topics('kikitori/board/intent/ConveyorStart');
  const recorderApart = async () => {
    for (const pid of await mic.alive()) pin(pid, other);
  };
  /** Said until an answer comes as soon as usual: the recorder may just be starting, and the machine is busy. */
  const hears = async (when: string) => {
    let latencyMs = Infinity;
    for (let n = 0; n < 20 && latencyMs > usualMsMax; n++) {
      const before = heard().length;
      await mic.say(order);
      await subscriber.until(() => heard().length > before, 15_000);
      const last = heard().slice(before).at(-1)?.json;
      if (last !== undefined) latencyMs = Number(last['latencyMs']);
    }
    t.ok(latencyMs <= usualMsMax, `${when}: answered after ${latencyMs} ms`);
    t.notOk(daemon.child.over, 'it lives');
  };
  await daemon.event('mic.up');
  pin(daemon.child.child.pid ?? 0, core);
  await recorderApart();
  await hears('before');

  begin('chrt', '-f', '50');
  await new Promise((resolve) => setTimeout(resolve, realTimeMs));
  end();
  await recorderApart();
  await hears('after real-time priority');

  const lost = () => ['audio.dropped', 'mic.overrun', 'mic.lost'].flatMap((e) => daemon.events(e));
  const lostBefore = lost().length;
  // So many that also a daemon on a fast core cannot keep up with what they leave.
  for (let n = 0; n < 8; n++) begin('nice', '-n', '-20');
  const giveUp = performance.now() + ordinaryMsMax;
  while (lost().length === lostBefore && performance.now() < giveUp)
    await new Promise((resolve) => setTimeout(resolve, 200));
  t.ok(lost().length > lostBefore, 'what was lost is said');
  end();
  await recorderApart();
  await hears('after the highest ordinary priority');
  t.comment(
    lost()
      .map(({ event, chunks, lostMs, why }) => JSON.stringify({ event, chunks, lostMs, why }))
      .join(' '),
  );
  await until('one recorder', async () => (await mic.alive()).length === 1);
  t.comment(`${(await mic.starts()).length} starts of the recorder`);
});
