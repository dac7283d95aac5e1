/** Every attack and fault against a real HTTP server: what is refused, and under which code. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { join } from 'node:path';
import { pack, type Header } from 'tar-stream';
import t, { type Test } from 'tap';
import { changedRoot, generateKey } from '../../../src/fleet/index.js';
import { keyFileName } from '../../../src/fleet/keyring.js';
import type { RootJson, TimestampJson } from '../../../src/fleet/metadata.js';
import { UpdateError } from '../../../src/update/trust/index.js';
import { writeKey } from '../../../src/fleet/index.js';
import { realFiles } from '../../../src/update/trust/index.js';
import { cheap, deviceOf, FleetSim, passphrase, update } from '../../sim/fleet-sim.js';
import { instead, RepositorySim, type Fault } from '../../sim/repository-sim.js';

type Device = Awaited<ReturnType<typeof deviceOf>>;

async function world(t: Test, options = {}) {
  const fleet = await FleetSim.make(t, options);
  const server = await RepositorySim.start(t, fleet.dir);
  const device = await deviceOf(fleet, server.url);
  return { fleet, server, device };
}

/** Runs an update that must fail, and looks that nothing was left that could be taken for verified. */
async function refused(
  t: Test,
  device: Device,
  code: string,
  why: string,
  more: Parameters<Device['open']>[0] = {},
): Promise<UpdateError> {
  let caught: unknown;
  try {
    await update(await device.open(more));
  } catch (error) {
    caught = error;
  }
  if (!(caught instanceof UpdateError)) throw new Error(`${why}: not refused (${String(caught)})`);
  t.equal(caught.code, code, `${why}: ${caught.message}`);
  const left = await readdir(join(device.stateDir, 'staging')).catch(() => []);
  t.equal(left.filter((name) => name.endsWith('.tar')).length, 0, `${why}: nothing handed out`);
  t.notMatch(caught.message, /\[object/, `${why}: in words`);
  return caught;
}

const tarFile = /bundles\/.*\.tar$/;
/** For the slow one alone: a busy machine is silent for as long. */
const impatient = {
  limits: { metadata: { windowMs: 150 }, bundle: { windowMs: 150, windowBytes: 1000 } },
};

void t.test('bytes on the way', async (t) => {
  const { fleet, server, device } = await world(t);
  await fleet.publish('1.0.0');
  const flip = (bytes: Buffer) => {
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
    return bytes;
  };
  const laterDate = (bytes: Buffer) =>
    Buffer.from(bytes.toString('utf8').replace('"expires": "2', '"expires": "3'));
  const objectType = (bytes: Buffer) =>
    Buffer.from(bytes.toString('utf8').replace('"_type": "timestamp"', '"_type": {"a": 1}'));
  const drip: Fault = async ({ path, response }) => {
    if (!tarFile.test(path)) return false;
    response.writeHead(200, { 'content-length': 1_000_000 });
    const timer = setInterval(() => response.write('x'), 1000);
    response.on('close', () => clearInterval(timer));
    return true;
  };
  const endless =
    (pattern: RegExp): Fault =>
    async ({ path, response }) => {
      if (!pattern.test(path)) return false;
      const more = () => {
        while (!response.destroyed && response.write(Buffer.alloc(65536, 'x')));
      };
      response.on('drain', more);
      more();
      return true;
    };
  const redirect: Fault = ({ path, response }) => {
    if (!tarFile.test(path)) return false;
    response.writeHead(302, { location: 'http://127.0.0.1:1/elsewhere' }).end();
    return true;
  };
  const status =
    (code: number): Fault =>
    ({ path, response }) => {
      if (!tarFile.test(path)) return false;
      response.writeHead(code).end();
      return true;
    };
  const rows: [string, Fault, string][] = [
    ['one byte of the bundle', instead(tarFile, flip), 'mismatch'],
    ['right length, wrong content', instead(tarFile, (b) => Buffer.alloc(b.length)), 'mismatch'],
    ['one byte of the channel', instead(/channels\//, flip), 'mismatch'],
    ['one digit of the timestamp', instead(/timestamp/, laterDate), 'unsigned'],
    ['truncated bundle', instead(tarFile, (b) => b.subarray(0, 5000)), 'cut-off'],
    ['truncated timestamp', instead(/timestamp/, (b) => b.subarray(0, 100)), 'malformed'],
    ['a type that is no text', instead(/timestamp/, objectType), 'malformed'],
    ['endless bundle', endless(tarFile), 'too-long'],
    ['endless timestamp', endless(/timestamp/), 'too-long'],
    ['one byte a second', drip, 'too-slow'],
    ['redirect', redirect, 'redirected'],
    ['server error', status(500), 'http-status'],
    ['bundle not there', status(404), 'http-status'],
    [
      'compressed answer',
      ({ path, response, bytes }) => {
        if (!tarFile.test(path)) return false;
        response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(bytes ?? ''));
        return true;
      },
      'malformed',
    ],
  ];
  for (const [why, fault, code] of rows) {
    server.fault = fault;
    await refused(t, device, code, why, code === 'too-slow' ? impatient : {});
  }
  server.fault = () => false;
  const path = await update(await device.open());
  t.ok(path.endsWith('.tar'), 'the same device, once the server is honest again');
});

void t.test('older and mixed metadata', async (t) => {
  const { fleet, server, device } = await world(t);
  await fleet.publish('1.0.0');
  const restoreOld = await fleet.save();
  await fleet.publish('1.1.0');
  const restoreNew = await fleet.save();
  await update(await device.open());
  const old = await readFile(fleet.metadataPath('2.snapshot.json'));
  const oldTargets = await readFile(fleet.metadataPath('2.targets.json'));

  const second = await deviceOf(fleet, server.url);
  server.fault = instead(/3\.snapshot/, (b) => Buffer.concat([b.subarray(1), b.subarray(0, 1)]));
  await refused(t, second, 'mismatch', 'a snapshot that was tampered with');
  server.fault = instead(/3\.snapshot/, () => old);
  await refused(t, second, 'mismatch', 'old snapshot under a new timestamp');
  server.fault = instead(/3\.targets/, () => oldTargets);
  await refused(t, second, 'mismatch', 'old targets under a new snapshot');
  server.fault = () => false;

  await restoreOld();
  const fresh = await deviceOf(fleet, server.url);
  await t.rejects((await device.open()).check(), { code: 'replayed' }, 'a whole old repository');
  const replayed = await (await fresh.open()).check();
  t.equal(replayed.bundle.version, '1.0.0', 'one that never saw the newer believes it ...');
  fleet.clock.addDays(15);
  await t.rejects((await fresh.open()).check(), { code: 'expired' }, '... until its date');
  fleet.clock.addDays(-15);
  await restoreNew();
  t.equal((await (await fresh.open()).check()).bundle.version, '1.1.0');
});

void t.test('dates', async (t) => {
  for (const role of ['root', 'targets', 'snapshot', 'timestamp'] as const) {
    const { fleet, device } = await world(t, { expiresDays: { [role]: 1 } });
    await fleet.publish('1.0.0');
    fleet.clock.addDays(2);
    const error = await refused(t, device, 'expired', `${role} expired`);
    t.match(error.message, role, 'and it is said which');
  }
  const { fleet, server, device } = await world(t);
  await fleet.publish('1.0.0');
  await (await device.open()).check();
  const now = fleet.clock.nowMs;
  fleet.clock.nowMs = 0;
  await refused(t, device, 'clock-behind', 'a board without a battery');
  const virgin = await deviceOf(fleet, server.url);
  await refused(t, virgin, 'clock-behind', 'even one that has never seen the repository');
  fleet.clock.nowMs = now - 60_000;
  t.ok(await (await device.open()).check(), 'a minute is no reason');
  fleet.clock.nowMs = now + 5 * 86_400_000;
  t.ok(await (await device.open()).check(), 'a clock ahead, within the dates');
  fleet.clock.nowMs = now;
  t.ok(await (await device.open()).check(), 'and it may be corrected: only signed dates are kept');
});

void t.test('signatures', async (t) => {
  const { fleet, server, device } = await world(t);
  await fleet.publish('1.0.0');
  const honest = await fleet.save();
  const rootKeys = await fleet.signers('root');
  const oldTimestampKey = await fleet.signers('timestamp');

  await fleet.forge<RootJson>('1.root.json', '2.root.json', rootKeys.slice(0, 1), () => ({
    version: 2,
  }));
  const short = await refused(t, device, 'unsigned', 'one signature short');
  t.match(short.message, '1 of 2');
  await honest();

  await fleet.forge<TimestampJson>('timestamp.json', 'timestamp.json', rootKeys, (j) => ({
    version: j.version + 1,
  }));
  await refused(t, device, 'unsigned', 'a timestamp by keys of another role');
  await honest();

  // The timestamp key is stolen, the owner changes it.
  const repository = await fleet.open();
  const key = await generateKey('timestamp', passphrase, '2026-01-01T00:00:00Z', cheap);
  await writeKey(realFiles, join(fleet.dir, 'keys', keyFileName(key)), key);
  const { keyids } = repository.state.root.json.roles.timestamp;
  await repository.commit({
    root: changedRoot(repository.state.root.json, {
      role: 'timestamp',
      add: [key],
      remove: keyids,
    }),
  });
  t.ok(await (await device.open()).check(), 'a new key is learnt from the new root');
  await (await fleet.open()).commit({ renew: new Set(['timestamp']) });
  t.ok(await (await device.open()).check());
  await fleet.forge<TimestampJson>('timestamp.json', 'timestamp.json', oldTimestampKey, (j) => ({
    version: j.version + 1,
  }));
  await refused(t, device, 'unsigned', 'the revoked key');
  const other = await deviceOf(fleet, server.url);
  await refused(t, other, 'unsigned', 'the revoked key, to a device with the old root');
});

void t.test('a stolen timestamp key cannot lock the fleet out for ever', async (t) => {
  const { fleet, device } = await world(t);
  await fleet.publish('1.0.0');
  await fleet.forge<TimestampJson>(
    'timestamp.json',
    'timestamp.json',
    await fleet.signers('timestamp'),
    () => ({
      version: 1_000_000,
      issued_at: '2099-01-01T00:00:00Z',
      expires: '2099-02-01T00:00:00Z',
    }),
  );
  await refused(t, device, 'clock-behind', 'a date far ahead');
  const nowMs = fleet.clock.nowMs;
  const key = await generateKey('timestamp', passphrase, '2026-01-01T00:00:00Z', cheap);
  await writeKey(realFiles, join(fleet.dir, 'keys', keyFileName(key)), key);
  // The owner restores the repository from before and changes the key.
  const { signed } = JSON.parse(await readFile(fleet.metadataPath('timestamp.json'), 'utf8')) as {
    signed: TimestampJson;
  };
  await fleet.forge<TimestampJson>(
    'timestamp.json',
    'timestamp.json',
    await fleet.signers('timestamp'),
    () => ({
      ...signed,
      version: 3,
      issued_at: new Date(nowMs).toISOString(),
      expires: new Date(nowMs + 86_400_000).toISOString(),
    }),
  );
  const restored = await fleet.open();
  const { keyids } = restored.state.root.json.roles.timestamp;
  await restored.commit({
    root: changedRoot(restored.state.root.json, { role: 'timestamp', add: [key], remove: keyids }),
  });
  t.ok(
    await update(await device.open()),
    'the new root makes the device forget what the thief signed',
  );
});

async function tarOf(
  entries: (Partial<Header> & { name: string; bytes?: Buffer })[],
): Promise<Buffer> {
  const archive = pack();
  const parts: Buffer[] = [];
  const done = (async () => {
    for await (const part of archive) parts.push(part as Buffer);
  })();
  for (const { bytes, ...header } of entries) archive.entry(header, bytes ?? Buffer.alloc(0));
  archive.finalize();
  await done;
  return Buffer.concat(parts);
}

void t.test('well signed, but no bundle', async (t) => {
  const { fleet, device } = await world(t);
  const bomb = gzipSync(Buffer.alloc(50_000_000));
  const claims = await tarOf([{ name: 'manifest.json', bytes: Buffer.from('{}') }]);
  // The size field of the header says 8 GiB - 1: octal sevens, and a checksum that fits.
  claims.write('77777777777', 124, 'latin1');
  let sum = 8 * 32;
  for (let i = 0; i < 512; i++) if (i < 148 || i >= 156) sum += claims[i] ?? 0;
  claims.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  const evil: [string, Buffer][] = [
    ['path escape', await tarOf([{ name: '../../etc/cron.d/evil', bytes: Buffer.from('x') }])],
    ['absolute path', await tarOf([{ name: '/etc/passwd', bytes: Buffer.from('x') }])],
    [
      'symbolic link',
      await tarOf([{ name: 'model.onnx', type: 'symlink', linkname: '/etc/shadow' }]),
    ],
    ['hard link', await tarOf([{ name: 'model.onnx', type: 'link', linkname: '/etc/shadow' }])],
    ['device node', await tarOf([{ name: 'model.onnx', type: 'character-device' }])],
    ['decompression bomb', bomb],
    ['a size of 8 GiB claimed', claims],
    ['empty', Buffer.from(' ')],
  ];
  for (const [why, bytes] of evil) {
    await fleet.publishBytes(bytes);
    await refused(t, device, 'bad-bundle', why);
  }
  await fleet.publishBytes(Buffer.from('x'), (c) => Object.assign(c.bundle, { bytes: 2 }));
  await refused(t, device, 'mismatch', 'channel and target disagree');
  await fleet.publishBytes(Buffer.from('x'), (c) => Object.assign(c.bundle, { path: '../x.tar' }));
  await refused(t, device, 'malformed', 'a path that leads out');
  await fleet.publishBytes(Buffer.from('x'), (c) =>
    Object.assign(c.bundle, { path: 'bundles/none.tar' }),
  );
  await refused(t, device, 'not-signed', 'a file nobody signed');
  await fleet.publishBytes(Buffer.from('x'), (c) => Object.assign(c, { channel: 'beta' }));
  await refused(t, device, 'malformed', "another channel's file");
  await refused(t, device, 'no-channel', 'a channel that is not there', { channel: 'nightly' });
});

void t.test('a server that is not one', async (t) => {
  const { fleet, server, device } = await world(t);
  await fleet.publish('1.0.0');
  await server.down();
  await refused(t, device, 'unreachable', 'nobody listens');
  await server.up();
  server.fault = ({ response }) => {
    response.socket?.end('SSH-2.0-OpenSSH_9.2\r\n');
    return true;
  };
  await refused(t, device, 'malformed', 'another protocol');
  server.fault = ({ response }) => {
    response.socket?.destroy();
    return true;
  };
  await refused(t, device, 'unreachable', 'connections that are reset');
  for (const url of ['ftp://x/', 'nonsense', 'http://user:secret@host/', 'http://host/?token=1']) {
    const error: unknown = await device.open({ url }).catch((e: unknown) => e);
    t.ok(error instanceof UpdateError, url);
    t.notMatch(String(error), 'secret');
  }
  await writeFile(join(fleet.folder, 'empty.json'), '');
  await t.rejects(device.open({ rootPath: join(fleet.folder, 'empty.json') }), {
    code: 'bad-root',
  });
  await t.rejects(device.open({ rootPath: join(fleet.folder, 'none.json') }), { code: 'bad-root' });
});
