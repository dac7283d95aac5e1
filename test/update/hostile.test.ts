/**
 * Networks made to do harm, in bundles that are signed as they should be: a publisher whose keys were stolen. What
 * they do is bounded, they are rejected, and the daemon goes on hearing.
 */
import { cp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { Bundle, sha256, storedFiles, writeBundle } from '../../src/bundle/index.js';
import { checkNetworkFile } from '../../src/recognizer/network-file.js';
import { systemClock } from '../../src/runtime/clock.js';
import { runProbe } from '../../src/update/probe.js';
import { Daemon, program } from '../sim/daemon.js';
import { FleetSim } from '../sim/fleet-sim.js';
import { evil, hostile, type Hostility } from '../sim/hostile-network.js';
import { MicSim, until } from '../sim/mic-sim.js';
import { Mosquitto, Subscriber } from '../sim/mosquitto.js';
import { modelMissing, shippedModel } from '../sim/model.js';
import { RepositorySim } from '../sim/repository-sim.js';
import { joined, silence, speak, toneBundle, toneGrammar } from '../sim/tone-bundle.js';

const on = (topic: string) => `kikitori/board/${topic}`;
const all = Object.keys(hostile) as Hostility[];
/** Those that a look at the file finds. The others are made of what is allowed. */
const seen = all.slice(0, 4);

/** A good bundle with an evil network, its sums in order. */
async function evilBundle(good: string, what: Hostility, version: string): Promise<string> {
  const bundle = await Bundle.open(good);
  const manifest = JSON.parse(Buffer.from(bundle.file('manifest.json')).toString('utf8')) as {
    files: Record<string, { sha256: string; bytes: number }>;
  };
  const network = evil(bundle.file('model.onnx'), what);
  manifest.files['model.onnx'] = { sha256: sha256(network), bytes: network.length };
  const files = await storedFiles(bundle);
  files.set('manifest.json', Buffer.from(JSON.stringify({ ...manifest, version })));
  files.set('model.onnx', network);
  const path = `${good}.${version}.tar`;
  await writeBundle(path, files);
  return path;
}

void t.test('what a look at the file finds', async (t) => {
  const fleet = await FleetSim.make(t);
  const good = (await toneBundle(join(fleet.folder, 'good.tar'), { version: '1.0.0' })).path;
  const network = (await Bundle.open(good)).file('model.onnx');
  checkNetworkFile(network, 'good');
  const fault = (bytes: Uint8Array) => {
    try {
      checkNetworkFile(bytes, 'x');
      return '';
    } catch (error) {
      return (error as Error).message;
    }
  };
  t.match(fault(evil(network, 'a loop without end')), /operator "Loop" is not allowed/);
  t.match(fault(evil(network, 'an operator of its own')), /"evil\.example\.Run" is not allowed/);
  t.match(fault(evil(network, 'a constant in another file')), /constants in files beside it/);
  t.match(fault(evil(network, 'a constant of a terabyte')), /constant larger than itself/);
  for (const what of all.filter((name) => !seen.includes(name)))
    t.equal(fault(evil(network, what)), '', `${what}: by its process`);
  t.match(fault(Buffer.from('\0\0\0\0ORTM')), /no ONNX file/);
  // The runtime takes the lowest 32 bits of a field's number: 13 may be written as 2^29 + 13, which no look would know.
  const field = (bytes: readonly number[]) => Buffer.from(bytes);
  const tensor = field([0x2a, 0x07, 0xea, 0x80, 0x80, 0x80, 0x10, 0x01, 0x61]);
  t.match(fault(field([0x3a, 0x09, ...tensor])), /no whole ONNX file/);
  // It joins parts that there are once: 3 x 3 and 3 x 3 values are 81.
  const dims = [0x2a, 0x04, 0x08, 0x03, 0x08, 0x03];
  const graphOf = (attribute: readonly number[]) => {
    const node = [0x22, 0x03, 0x41, 0x64, 0x64, 0x2a, attribute.length, ...attribute];
    return field([0x3a, node.length + 2, 0x0a, node.length, ...node]);
  };
  t.equal(fault(graphOf(dims)), '');
  t.match(fault(graphOf([...dims, ...dims])), /there is once is there twice/);
  // A size of another type (64 bits, all 0) is no size: 8 x 8 x 8 values are not none.
  const sizes = [0x08, 0x08, 0x08, 0x08, 0x08, 0x08];
  const zero = [0x09, 0, 0, 0, 0, 0, 0, 0, 0];
  const constant = (dims: readonly number[]) =>
    field([0x3a, dims.length + 2, 0x2a, dims.length, ...dims]);
  t.match(fault(constant(sizes)), /constant larger than itself/);
  t.match(fault(constant([...zero, ...sizes])), /constant larger than itself/);
  // Cut anywhere and bent anywhere it either passes or is refused in words, at once.
  const others = new Set<string>();
  const look = (bytes: Uint8Array) => {
    const what = fault(bytes);
    if (what !== '' && !what.includes('model.onnx does not load: ')) others.add(what);
  };
  for (let at = 0; at < 4000; at++) {
    look(network.subarray(0, at));
    const bent = Uint8Array.from(network.subarray(0, 8000));
    bent[at] = (bent[at] ?? 0) ^ (1 << (at % 8));
    look(bent);
  }
  t.same([...others], []);
});

void t.test('the model that ships is made of what is allowed', async (t) => {
  const missing = modelMissing();
  if (missing !== undefined) return t.comment(missing);
  checkNetworkFile((await Bundle.open(shippedModel)).file('model.onnx'), 'shipped');
  t.pass('it is');
});

void t.test('what the file does not show ends with the process that tries it', async (t) => {
  const fleet = await FleetSim.make(t);
  const good = (await toneBundle(join(fleet.folder, 'good.tar'), { version: '1.0.0' })).path;
  const env = [
    'env',
    '-u',
    'NODE_OPTIONS',
    process.execPath,
    program,
    'model',
    'selftest',
    '--json',
  ];
  const tried = async (what: Hostility, limits: { timeoutMs: number; memoryMb: number }) => {
    const path = await evilBundle(good, what, '2.0.0');
    const end = await runProbe([...env, path], limits, systemClock, new AbortController().signal);
    await rm(path);
    return end;
  };
  const million = await tried('a million steps in each call', { timeoutMs: 8000, memoryMb: 800 });
  t.match(million, { ended: 'killed', reason: 'too-slow' });
  const sheet = await tried('six gigabytes out of two small constants', {
    timeoutMs: 60_000,
    memoryMb: 400,
  });
  // A kernel that promises no more than it has refuses the memory itself.
  t.match(JSON.stringify(sheet), /too-large|does not fit its manifest|does not load/);
});

void t.test(
  'a signed bundle with an evil network: rejected, and heard all the while',
  async (t) => {
    const fleet = await FleetSim.make(t, { nowMs: Date.now() });
    const server = await RepositorySim.start(t, fleet.dir);
    const good = (await toneBundle(join(fleet.folder, 'good.tar'), { version: '1.0.0' })).path;
    const rootPath = join(fleet.folder, 'root-of-board.json');
    await cp(join(fleet.dir, 'root.json'), rootPath);
    const broker = await Mosquitto.open();
    const subscriber = await Subscriber.open(broker.url);
    const mic = await MicSim.create({});
    const limits = { selftestMs: '60s', memoryMb: 400 };
    const daemon = await Daemon.start({
      url: broker.url,
      model: good,
      grammar: toneGrammar,
      mic,
      update: { url: server.url, rootPath, checkEveryMs: '1d', limits },
    });
    t.teardown(async () => {
      await daemon.remove();
      await mic.remove();
      await subscriber.close();
      await broker.close();
    });
    await daemon.event('mic.up');
    const last = () => subscriber.topics(on('update')).at(-1)?.json ?? {};
    const evils = [...seen, 'six gigabytes out of two small constants'] as const;
    for (const [i, what] of evils.entries()) {
      const version = `9.${i}.0`;
      const bytes = await readFile(await evilBundle(good, what, version));
      fleet.clock.nowMs = Date.now();
      await fleet.publishBytes(bytes, (channel) => {
        Object.assign(channel, { deployment: `evil-${i}` });
        Object.assign(channel.bundle, { name: 'tones', version });
      });
      await subscriber.publish(on('request/update'), { action: 'install', transaction: version });
      await mic.say(joined([silence(200), speak('stop'), silence(700)]));
      await until(
        `${what} is rejected`,
        () =>
          ['rejected', 'trial', 'failed'].includes(String(last()['state'])) &&
          last()['deployment'] === `evil-${i}`,
      );
      t.match(last(), { state: 'rejected', installedVersion: '1.0.0' }, what);
      t.match(last()['reason'], /^(does-not-load|too-large)$/);
      t.comment(`${what}: ${String(last()['reason'])}, ${String(last()['error'])}`);
      await until('it heard meanwhile', () => subscriber.topics(on('transcript')).length === i + 1);
    }
    t.equal(daemon.events('model.changed').length, 0);
  },
);
