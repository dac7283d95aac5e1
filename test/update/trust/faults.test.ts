/** What the device's own side can do to an update: full disks, torn files, long absences. */
import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { openWhenAsked, realFiles, type Files } from '../../../src/update/trust/index.js';
import { deviceOf, FleetSim, update } from '../../sim/fleet-sim.js';
import { RepositorySim } from '../../sim/repository-sim.js';

const run = promisify(execFile);
const tarFile = /bundles\/.*\.tar$/;

async function world(t: Test) {
  const fleet = await FleetSim.make(t);
  const server = await RepositorySim.start(t, fleet.dir);
  return { fleet, server, device: await deviceOf(fleet, server.url) };
}

void t.test('any file of the state torn in any way', async (t) => {
  const { fleet, server, device } = await world(t);
  await fleet.publish('1.0.0');
  await fleet.rotateTimestampKey();
  await update(await device.open());
  const all = (await readdir(device.stateDir, { recursive: true, withFileTypes: true }))
    .filter((e) => e.isFile())
    .map((e) => join(e.parentPath, e.name));
  t.ok(all.some((p) => p.endsWith('metadata/root.json')));
  for (const path of all) {
    const whole = await readFile(path).catch(() => Buffer.alloc(0));
    for (const [how, bytes] of [
      ['empty', Buffer.alloc(0)],
      ['half', whole.subarray(0, whole.length >> 1)],
      ['zeros', Buffer.alloc(whole.length)],
      ['other JSON', Buffer.from('{"signed":{},"signatures":[]}')],
    ] as const) {
      await writeFile(path, bytes);
      const result = await update(await device.open()).catch((e: unknown) => String(e));
      if (!result.endsWith('.tar')) t.fail(`${path} ${how}: ${result}`);
    }
  }
  await rm(device.stateDir, { recursive: true });
  t.ok(await update(await device.open()), 'all of it gone');
  server.requests.length = 0;
  await update(await device.open());
  t.same(
    server.requests.map((r) => r.replace(/^\w+\/(channels\/)?[0-9a-f]{64}\./, '$1')),
    ['metadata/3.root.json', 'metadata/timestamp.json', 'channels/stable.json'],
    'an update that is there already costs three small requests',
  );
});

void t.test(
  'a content-range that is none is refused, and the address stays in the message',
  async (t) => {
    const { fleet, server, device } = await world(t);
    await fleet.publish('1.0.0');
    for (const [range, shown] of [
      ['bytes 7-9/10', 'content-range bytes 7-9/10'],
      ['bytes 7-9@5/26', 'content-range that is none'],
    ] as const) {
      server.fault = ({ path, response, bytes }) => {
        if (!tarFile.test(path) || bytes === undefined) return false;
        response.writeHead(206, { 'content-range': range }).end(bytes);
        return true;
      };
      const message = await update(await device.open()).catch((e: unknown) => (e as Error).message);
      t.ok(message.startsWith(`${server.url}/`), message);
      t.ok(message.includes(shown), message);
    }
  },
);

void t.test('cut off and taken up again', async (t) => {
  const { fleet, server, device } = await world(t);
  const { bundle } = await fleet.publish('1.0.0');
  const cutAfter = Math.floor(bundle.bytes / 3);
  let cuts = 2;
  server.fault = ({ path, request, response, bytes }) => {
    if (!tarFile.test(path) || bytes === undefined || cuts-- <= 0) return false;
    const from = Number(/\d+/.exec(request.headers.range ?? '0')?.[0]);
    response.writeHead(from === 0 ? 200 : 206, {
      etag: server.etag(bytes),
      'content-length': bytes.length - from,
      'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}`,
    });
    response.write(bytes.subarray(from, from + cutAfter), () =>
      setImmediate(() => response.destroy()),
    );
    return true;
  };
  const seen: number[] = [];
  const source = await device.open();
  await source.download(await source.check(), (done) => void seen.push(done));
  const ranges = server.requests.filter((r) => tarFile.test(r.split(' ')[0] ?? ''));
  t.equal(ranges.length, 3, ranges.map((r) => r.split(' ')[1] ?? 'whole').join(', '));
  t.ok(
    ranges.slice(1).every((r) => / bytes=[1-9]/.test(r)),
    'two of them go on',
  );
  t.same(
    seen,
    [...seen].sort((a, b) => a - b),
    'progress never goes back',
  );
  t.equal(seen.at(-1), bundle.bytes);

  await t.test('what lay on the disk was torn', async (t) => {
    await fleet.publish('1.1.0');
    const [part = ''] = await startedPart(fleet, server, device);
    await writeFile(part, Buffer.alloc((await readFile(part)).length));
    t.ok(await update(await device.open()), 'it is fetched once more from the start');
  });

  await t.test('the file on the server has become another one', async (t) => {
    await fleet.publish('1.2.0');
    await startedPart(fleet, server, device);
    server.etag = () => '"other"';
    server.requests.length = 0;
    t.ok(await update(await device.open()));
    const again = server.requests.filter((r) => tarFile.test(r.split(' ')[0] ?? ''));
    t.match(again[0], / bytes=/, 'asked to go on, got the whole file (If-Range)');
  });

  await t.test('a server that knows no ranges', async (t) => {
    await fleet.publish('1.3.0');
    await startedPart(fleet, server, device);
    server.ranges = false;
    t.ok(await update(await device.open()));
  });
});

/** Leaves a third of the newest bundle in the device's staging folder. */
async function startedPart(
  fleet: FleetSim,
  server: RepositorySim,
  device: Awaited<ReturnType<typeof deviceOf>>,
): Promise<string[]> {
  const stop = new AbortController();
  server.fault = ({ path, response, bytes }) => {
    if (!tarFile.test(path) || bytes === undefined) return false;
    response.writeHead(200, { 'content-length': bytes.length, etag: server.etag(bytes) });
    response.write(bytes.subarray(0, Math.floor(bytes.length / 3)));
    return true;
  };
  const source = await device.open();
  const offer = await source.check();
  await source
    .download(
      offer,
      (done) => done >= Math.floor(offer.bundle.bytes / 3) && stop.abort(),
      stop.signal,
    )
    .catch(() => undefined);
  server.fault = () => false;
  const folder = join(device.stateDir, 'staging');
  return (await readdir(folder)).filter((n) => n.endsWith('.part')).map((n) => join(folder, n));
}

void t.test('disk full', async (t) => {
  const { fleet, server, device } = await world(t);
  await fleet.publish('1.0.0');
  await t.rejects(
    update(await device.open({ reserveBytes: 1e15 })),
    { code: 'disk-full' },
    'noticed before a byte is fetched',
  );
  t.notOk(server.requests.some((r) => tarFile.test(r)));
  const full: Files = {
    ...realFiles,
    openPart: async (path, size) => {
      const part = await realFiles.openPart(path, size);
      let room = 100_000;
      return {
        ...part,
        write: async (bytes) => {
          room -= bytes.length;
          if (room < 0) throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
          await part.write(bytes);
        },
      };
    },
  };
  await t.rejects(update(await device.open({ files: full })), { code: 'disk-full' });
  t.same(
    await readdir(join(device.stateDir, 'staging')).then((n) =>
      n.filter((x) => x.endsWith('.part')),
    ),
    [],
    'the space is given back',
  );
  t.ok(await update(await device.open()), 'and later it works');

  await t.test('a real full disk', async (t) => {
    const small = join(fleet.folder, 'small');
    await mkdir(small);
    const mounted = await run('mount', ['-t', 'tmpfs', '-o', 'size=100k', 'tmpfs', small]).then(
      () => true,
      () => false,
    );
    if (!mounted) {
      t.pass('this user may not mount: the simulated one above has to do');
      return;
    }
    t.teardown(() => run('umount', [small]));
    const stateDir = join(small, 'trust');
    const files: Files = { ...realFiles, freeBytes: async () => 1e12 };
    await t.rejects(update(await device.open({ stateDir, files })), { code: 'disk-full' });
    await truncate(join(stateDir, 'metadata', 'root.json'), 0);
    await t.rejects(update(await device.open({ stateDir })), { code: 'disk-full' });
  });
});

void t.test('two at once', async (t) => {
  const { fleet, server, device } = await world(t);
  await fleet.publish('1.0.0');
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  let reached: () => void = () => undefined;
  const inside = new Promise<void>((resolve) => (reached = resolve));
  server.fault = async ({ path }) => {
    if (!path.includes('timestamp')) return false;
    reached();
    await held;
    return false;
  };
  const first = (await device.open()).check();
  await inside;
  await t.rejects((await device.open()).check(), { code: 'busy' });
  release();
  t.ok(await first);
  t.ok(await (await device.open()).check());
});

void t.test('the repository away for a week', async (t) => {
  const { fleet, server, device } = await world(t);
  await fleet.publish('1.0.0');
  const source = await device.open();
  const offer = await source.check();
  await server.down();
  for (let day = 0; day < 7; day++) {
    fleet.clock.addDays(1);
    await t.rejects(source.check(), { code: 'unreachable' });
    await t.rejects(source.download(offer), { code: 'unreachable' });
  }
  await server.up();
  t.ok(await update(source), 'it goes on by itself, within the dates of the metadata');
  fleet.clock.addDays(10);
  await t.rejects(source.check(), { code: 'expired' });
  await (await fleet.open()).commit({ renew: new Set(['snapshot', 'timestamp']) });
  t.ok(await update(source), 'and after the publisher signed again');
});

void t.test('a root of trust that is installed later', async (t) => {
  const { fleet, server } = await world(t);
  await fleet.publish('1.0.0');
  const rootPath = join(fleet.folder, 'later.json');
  const stateDir = join(fleet.folder, 'later');
  const source = openWhenAsked(async () => ({
    rootPath,
    stateDir,
    url: server.url,
    channel: 'stable',
    clock: fleet.clock,
    reserveBytes: 0,
  }));
  await t.rejects(source.check(), { code: 'bad-root' });
  await writeFile(rootPath, await readFile(join(fleet.dir, 'root.json')));
  const offer = await source.check();
  t.ok(offer !== null && (await source.download(offer, () => undefined)));
});

void t.test('stopped on request', async (t) => {
  const { fleet, server, device } = await world(t);
  await fleet.publish('1.0.0');
  const stop = new AbortController();
  server.fault = ({ path }) => {
    if (path.includes('timestamp')) stop.abort();
    return path.includes('timestamp');
  };
  await t.rejects((await device.open()).check(stop.signal), { code: 'aborted' });
  await t.rejects((await device.open()).check(stop.signal), { code: 'aborted' }, 'before it began');
});

/** A certificate of that key that was good for January 2020 only. `req` makes none that has run out, `ca` does. */
async function runOut(folder: string, name: string): Promise<string> {
  const at = (file: string) => join(folder, file);
  const config = `[ca]
default_ca=own
[own]
database=${at('index')}
serial=${at('serial')}
new_certs_dir=${folder}
default_md=sha256
policy=any
x509_extensions=subject
[any]
commonName=supplied
[subject]
subjectAltName=IP:127.0.0.1
`;
  await writeFile(at('ca.conf'), config);
  await writeFile(at('index'), '');
  await writeFile(at('serial'), '01');
  const key = at(`${name}.key`);
  const request = ['-new', '-key', key, '-subj', '/CN=old', '-out', at('old.csr')];
  await run('openssl', ['req', ...request]);
  const dates = ['-startdate', '20200101000000Z', '-enddate', '20200201000000Z'];
  const paths = ['-keyfile', key, '-in', at('old.csr'), '-out', at('old.crt')];
  const how = ['-batch', '-selfsign', '-notext', '-config', at('ca.conf')];
  await run('openssl', ['ca', ...how, ...dates, ...paths]);
  return readFile(at('old.crt'), 'utf8');
}

void t.test('the wrong server behind the right name (TLS)', async (t) => {
  const fleet = await FleetSim.make(t, { nowMs: Date.now() });
  await fleet.publish('1.0.0');
  const certificate = async (name: string, subject: string) => {
    const [key, cert] = [join(fleet.folder, `${name}.key`), join(fleet.folder, `${name}.crt`)];
    const options = `-x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=${name}`;
    await run('openssl', [
      'req',
      ...options.split(' '),
      '-addext',
      `subjectAltName=${subject}`,
      '-keyout',
      key,
      '-out',
      cert,
    ]);
    return { key: await readFile(key, 'utf8'), cert: await readFile(cert, 'utf8') };
  };
  const right = await certificate('right', 'IP:127.0.0.1');
  const other = await certificate('other', 'IP:127.0.0.1');
  const elsewhere = await certificate('elsewhere', 'DNS:elsewhere.example');
  const expired = { ...right, cert: await runOut(fleet.folder, 'right') };
  const server = await RepositorySim.start(t, fleet.dir, right);
  const device = await deviceOf(fleet, server.url);
  await t.rejects(update(await device.open()), { code: 'tls' }, 'an authority nobody knows');
  await t.rejects(update(await device.open({ ca: other.cert })), { code: 'tls' }, 'another one');
  t.ok(await update(await device.open({ ca: right.cert })), 'the right one');
  const wrong = await RepositorySim.start(t, fleet.dir, elsewhere);
  await t.rejects(
    update(await device.open({ url: wrong.url, ca: elsewhere.cert })),
    { code: 'tls' },
    'a certificate for another name',
  );
  const old = await RepositorySim.start(t, fleet.dir, expired);
  await t.rejects(
    update(await device.open({ url: old.url, ca: expired.cert })),
    { code: 'tls', message: /CERT_HAS_EXPIRED/ },
    'one that has run out, though its authority is known',
  );
  const plain = await RepositorySim.start(t, fleet.dir);
  await t.rejects(
    update(await device.open({ url: plain.url.replace('http:', 'https:') })),
    { code: 'tls' },
    'no TLS at all',
  );
});
