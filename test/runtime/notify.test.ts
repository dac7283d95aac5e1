/** Against a real unix datagram socket, as systemd has one. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { ServiceNotifier } from '../../src/runtime/notify.js';
import { receiver } from '../sim/notify-socket.js';
import { Child } from '../sim/process.js';

void t.test('ready, status, watchdog and stopping arrive as systemd reads them', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'kikitori-notify-'));
  const path = join(folder, 'notify');
  const child = Child.run('/usr/bin/python3', ['-c', receiver, path]);
  t.teardown(async () => {
    await child.kill();
    await rm(folder, { recursive: true, force: true });
  });
  await child.line('bound');
  const notifier = new ServiceNotifier({ NOTIFY_SOCKET: path, WATCHDOG_USEC: '30000000' });
  t.equal(notifier.watchdogMs, 30_000);
  notifier.ready('listening, 12 sentences');
  t.match(await child.line('READY=1'), /STATUS=listening, 12 sentences/);
  notifier.status('microphone lost');
  await child.line('STATUS=microphone lost');
  notifier.watchdog();
  await child.line('WATCHDOG=1');
  notifier.stopping();
  await child.line('STOPPING=1');
  t.pass('all four');
});

void t.test('an abstract socket, as user managers have', async (t) => {
  const name = `kikitori-notify-${process.pid}`;
  const child = Child.run('/usr/bin/python3', [
    '-c',
    receiver.replace('sys.argv[1]', `chr(0) + '${name}'`),
  ]);
  t.teardown(() => child.kill());
  await child.line('bound');
  new ServiceNotifier({ NOTIFY_SOCKET: `@${name}` }).status('here');
  t.ok(await child.line('STATUS=here'));
});

void t.test('without systemd, nothing happens', async (t) => {
  const notifier = new ServiceNotifier({ WATCHDOG_USEC: '1000' });
  t.equal(notifier.watchdogMs, undefined);
  notifier.ready('x');
  notifier.watchdog();
  t.equal(new ServiceNotifier({ NOTIFY_SOCKET: '/nowhere' }).watchdogMs, undefined);
});
