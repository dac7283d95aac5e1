/** Logs and state that cannot be written: the daemon hears and publishes all the same. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, chown, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { program } from '../sim/daemon.js';
import { MicSim, until } from '../sim/mic-sim.js';
import { Mosquitto, Subscriber } from '../sim/mosquitto.js';
import { Child } from '../sim/process.js';
import { joined, silence, speak, toneBundle, toneGrammar } from '../sim/tone-bundle.js';

const folder = await mkdtemp(join(tmpdir(), 'kikitori-storage-'));
await chmod(folder, 0o755);
const at = (name: string) => join(folder, name);
const broker = await Mosquitto.open();
t.teardown(async () => {
  await broker.close();
  await rm(folder, { recursive: true, force: true });
});
const model = (await toneBundle(at('one.tar'), { version: '1.0.0' })).path;
await writeFile(at('sentences.yaml'), toneGrammar);
await Promise.all([chmod(model, 0o644), chmod(at('sentences.yaml'), 0o644)]);
const said = joined([silence(200), speak('stop'), silence(700)]);

/** ONNX Runtime warns for itself where it may not write. */
const rawTrace = /^ +at |kikitori/m;

/** Started by a shell, which may first do something to the disk; what it says once is heard and published. */
async function hears(t: Test, name: string, shell: string, state: string) {
  const subscriber = await Subscriber.open(broker.url);
  const mic = await MicSim.create({});
  await chmod(mic.folder, 0o777);
  const config = at(`${name}.json`);
  await writeFile(
    config,
    JSON.stringify({
      device: { id: name },
      model: { path: model },
      grammar: { path: at('sentences.yaml') },
      capture: { stallAfterMs: '20s', backoffMinMs: 100, backoffMaxMs: 500 },
      publish: { healthMs: '1s', mqtt: { url: broker.url } },
      state: { dir: state },
    }),
  );
  const command = ['env', '-u', 'NODE_OPTIONS', process.execPath, program, 'run', '--config'];
  const child = Child.run('sh', ['-c', shell, 'sh', ...command, config], mic.env);
  t.teardown(async () => {
    await child.kill();
    await mic.remove();
    await subscriber.close();
  });
  const on = (topic: string) => subscriber.topics(`kikitori/${name}/${topic}`);
  await until(`${name} hears: ${child.errors}`, () =>
    on('health').some((m) => m.json['mic'] === 'up'),
  );
  const say = async () => {
    const before = on('transcript').length;
    await mic.say(said);
    await until('what was said', () => on('transcript').length > before);
  };
  await say();
  const health = () => on('health').at(-1)?.json ?? {};
  return { child, health, say };
}
type Test = Parameters<Parameters<typeof t.test>[0]>[0];

void t.test('a log on a full disk is dropped and counted', async (t) => {
  const { child, health } = await hears(t, 'full', 'exec "$@" > /dev/full 2>&1', at('full'));
  await until('counted', () => Number(health()['logDropped']) > 3);
  t.notOk(child.over);
  t.equal(await child.kill('SIGTERM'), 0);
});

void t.test('a reader of the log that goes away', async (t) => {
  const shell = '{ trap "" PIPE; "$@"; echo "status $?" >&2; } | head -n 1 >/dev/null';
  const { child, health } = await hears(t, 'gone', shell, at('gone'));
  await until('counted', () => Number(health()['logDropped']) > 0);
  const holder = JSON.parse(await readFile(at('gone/holder.json'), 'utf8')) as { pid: number };
  process.kill(holder.pid, 'SIGTERM');
  await child.exit();
  t.match(child.errors, /status 0/);
});

void t.test('other commands say that they cannot say it', async (t) => {
  const shell = `${process.execPath} ${program} config show > /dev/full`;
  const { status, stderr } = spawnSync('sh', ['-c', shell], {
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  t.equal(status, 1);
  t.match(stderr, /^kikitori: the output cannot be written: ENOSPC.*\n$/);
});

const root = process.getuid?.() === 0;
const skip = root && spawnSync('unshare', ['-m', 'true']).status === 0 ? false : 'not root';

void t.test('a state folder that is read-only', { skip }, async (t) => {
  const state = at('read-only');
  // As an installed board has it, and as a new one.
  for (const begun of [true, false]) {
    if (begun) {
      const first = await hears(t, 'first', 'exec "$@"', state);
      t.equal(await first.child.kill('SIGTERM'), 0);
    } else {
      await rm(state, { recursive: true });
      await mkdir(state);
    }
    const mount = `mount --bind '${state}' '${state}' && mount -o remount,ro,bind '${state}'`;
    const shell = `exec unshare -m sh -c "${mount}"' && exec "$@"' sh "$@"`;
    const { child } = await hears(t, begun ? 'begun' : 'new', shell, state);
    t.match(await child.line('"outbox.write-failed"'), /EROFS|ENOENT/);
    t.match(await child.line('"update.journal-failed"'), /EROFS|not there/);
    t.notMatch(child.errors, rawTrace);
    t.equal(await child.kill('SIGTERM'), 0);
  }
});

void t.test('a disk that is full, and one that has no inode left', { skip }, async (t) => {
  for (const [name, size, fill] of [
    ['no-room', 'size=64k', 'head -c 1000000 /dev/zero > fill'],
    ['no-inodes', 'nr_inodes=4', 'touch a b c d'],
  ] as const) {
    const state = at(name);
    await mkdir(state);
    const mount = `mount -t tmpfs -o ${size} tmpfs '${state}' && (cd '${state}' && { ${fill}; } 2>/dev/null; true)`;
    const shell = `exec unshare -m sh -c "${mount}"' && exec "$@"' sh "$@"`;
    const { child } = await hears(t, name, shell, state);
    t.match(await child.line('"outbox.write-failed"'), /ENOSPC|ENOENT/);
    t.match(await child.line('"update.journal-failed"'), /ENOSPC|not there/);
    t.notMatch(child.errors, rawTrace);
    t.equal(await child.kill('SIGTERM'), 0);
  }
});

void t.test('a state folder that may not be read, or be made', { skip }, async (t) => {
  const state = at('closed');
  await mkdir(state);
  await chown(state, 65534, 65534);
  await chmod(state, 0);
  const nobody = 'exec setpriv --reuid=65534 --regid=65534 --clear-groups "$@"';
  const { child, say } = await hears(t, 'closed', nobody, state);
  await child.line('"outbox.write-failed"');
  await child.line('"update.journal-failed"');
  t.notMatch(child.errors, rawTrace);
  await chmod(state, 0o700);
  await child.line('"outbox.disk-back"');
  await say();
  await until('the journal', () => existsSync(join(state, 'update/journal.json')));
  t.equal(await child.kill('SIGTERM'), 0);
  await rm(state, { recursive: true });

  await mkdir(at('shut'), { mode: 0o555 });
  const none = await hears(t, 'none', nobody, at('shut/state'));
  await none.child.line('"outbox.write-failed"');
  t.notMatch(none.child.errors, rawTrace);
  t.equal(await none.child.kill('SIGTERM'), 0);
});

void t.test('a state folder that goes away meanwhile', async (t) => {
  const { child, say } = await hears(t, 'away', 'exec "$@"', at('away'));
  await rename(at('away'), at('elsewhere'));
  await say();
  t.notMatch(child.errors, rawTrace);
  t.equal(await child.kill('SIGTERM'), 0);
});
