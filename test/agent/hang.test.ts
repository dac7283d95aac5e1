/** A call of ONNX Runtime that never comes back: the watchdog is not fed, the manager ends it, the next start hears. */
import { access, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { Daemon, program, type DaemonOptions } from '../sim/daemon.js';
import { MicSim, until } from '../sim/mic-sim.js';
import { receiver } from '../sim/notify-socket.js';
import { Child } from '../sim/process.js';
import { toneBundle, toneGrammar } from '../sim/tone-bundle.js';

const watchdogMs = 3000;
/** So long without a sign after the hang; systemd gives up after WatchdogSec. */
const silentMs = 3 * watchdogMs;

/**
 * A network that hangs cannot be made: its file may hold no operator that loops without end. So the call itself is held
 * up: the thread waits in the kernel inside it, as soon as there is the file HANG.
 */
const hanging = `
import { createRequire } from 'node:module';
import { existsSync, writeFileSync } from 'node:fs';
const { InferenceSession } = createRequire(${JSON.stringify(program)})('onnxruntime-common');
const { run } = InferenceSession.prototype;
InferenceSession.prototype.run = function (...args) {
  if (existsSync(process.env.HANG)) {
    writeFileSync(process.env.HANG + '.now', '');
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  }
  return run.apply(this, args);
};
`;

void t.test('found by the watchdog', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'kikitori-hang-'));
  const socket = join(folder, 'notify');
  const manager = Child.run('/usr/bin/python3', ['-c', receiver, socket]);
  const mic = await MicSim.create({});
  const hang = join(folder, 'hang');
  const options: DaemonOptions = {
    url: 'mqtt://127.0.0.1:9',
    watched: false,
    model: (await toneBundle(join(folder, 'tones.tar'), { version: '1.0.0' })).path,
    grammar: toneGrammar,
    mic,
    env: { NOTIFY_SOCKET: socket, WATCHDOG_USEC: String(1000 * watchdogMs), HANG: hang },
    nodeArgs: [`--import=data:text/javascript,${encodeURIComponent(hanging)}`],
  };
  await manager.line('bound');
  let daemon = await Daemon.start(options);
  t.teardown(async () => {
    await daemon.remove();
    await manager.kill();
    await mic.remove();
    await rm(folder, { recursive: true });
  });
  const fed = () => manager.lines.filter((line) => line.includes('WATCHDOG=1')).length;
  await until('it is fed', () => fed() >= 3);
  await writeFile(hang, '');
  await until('it hangs', () =>
    access(`${hang}.now`).then(
      () => true,
      () => false,
    ),
  );
  // A sign that was on its way may still arrive.
  let [last, since] = [fed(), performance.now()];
  await until('no sign any more', async () => {
    if (fed() !== last) [last, since] = [fed(), performance.now()];
    return performance.now() - since > silentMs;
  });
  t.notOk(daemon.child.over, 'it is there, and does nothing');
  await rm(hang);
  // As systemd does.
  daemon.child.child.kill('SIGABRT');
  await daemon.child.exit();
  t.equal(daemon.child.child.signalCode, 'SIGABRT');
  const before = fed();
  daemon = await Daemon.start(options, daemon.folder);
  t.match(await daemon.event('agent.restarted'), { after: 'crash' });
  await daemon.event('mic.up');
  await until('it is fed again', () => fed() > before);
  await until('one recorder', async () => (await mic.alive()).length === 1);
  t.pass('one recorder');
});
