/** The repository behind what docs/fleet.md says to put it behind: nginx as documented, and a bucket. */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { BucketSim } from '../../sim/bucket-sim.js';
import { bundleTar, deviceOf, FleetSim } from '../../sim/fleet-sim.js';
import { until } from '../../sim/mic-sim.js';
import { freePort } from '../../sim/mosquitto.js';

const nginx = ['/usr/sbin/nginx', '/usr/local/sbin/nginx'].find((p) => existsSync(p));

/** The block of the document itself, with its folder moved. */
async function documented(root: string): Promise<string> {
  const path = fileURLToPath(new URL('../../../docs/fleet.md', import.meta.url));
  const block = /```nginx\n([^]*?)```/.exec(await readFile(path, 'utf8'))?.[1];
  if (block === undefined) throw new Error('docs/fleet.md shows no nginx configuration');
  return block.replace('root /srv;', `root ${root};`);
}

async function startNginx(t: Test, fleet: FleetSim) {
  if (nginx === undefined) throw new Error('nginx is not installed');
  const folder = join(fleet.folder, 'nginx');
  await mkdir(join(folder, 'srv'), { recursive: true });
  await symlink(join(fleet.dir, 'repository'), join(folder, 'srv/kikitori'));
  const port = await freePort();
  const log = join(folder, 'access.log');
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${folder}/${name};`)
    .join('\n');
  const config = `
daemon off; master_process off; pid ${folder}/nginx.pid; error_log ${folder}/error.log;
${process.getuid?.() === 0 ? 'user root;' : ''}
events { worker_connections 64; }
http {
  ${paths}
  log_format short '$status $uri $http_range';
  access_log ${log} short;
  default_type application/octet-stream;
  gzip on; gzip_min_length 1; gzip_types *;
  server { listen 127.0.0.1:${port};
    ${await documented(join(folder, 'srv'))}
  }
}`;
  await writeFile(join(folder, 'nginx.conf'), config);
  const child = spawn(nginx, ['-p', folder, '-c', join(folder, 'nginx.conf')], { stdio: 'ignore' });
  const ended = new Promise((resolve) => child.once('close', resolve));
  t.teardown(async () => {
    child.kill('SIGQUIT');
    await ended;
  });
  const answers = () =>
    new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1');
      socket.once('connect', () => resolve(socket.destroy() !== undefined));
      socket.once('error', () => resolve(false));
    });
  await until('nginx answers', answers);
  const lines = async () => (await readFile(log, 'utf8')).trim().split('\n');
  return { url: `http://127.0.0.1:${port}/kikitori`, lines };
}

void t.test(
  'nginx as documented',
  { skip: nginx === undefined && 'nginx is not installed (apt-get install nginx-light)' },
  async (t) => {
    t.match(execFileSync(nginx ?? '', ['-v'], { stdio: 'pipe' }).toString(), /.*/);
    const fleet = await FleetSim.make(t);
    const { bundle } = await fleet.publish('1.0.0');
    const { url, lines } = await startNginx(t, fleet);
    const device = await deviceOf(fleet, url);
    let source = await device.open();
    const offer = await source.check();

    // Half of it is there since an earlier attempt, with the validator that nginx gave.
    const [name = ''] = bundle.path.split('/').slice(-1);
    const file = `${url}/targets/bundles/${bundle.sha256}.${name}`;
    const answer = await fetch(file, { headers: { 'accept-encoding': 'identity' } });
    const whole = Buffer.from(await answer.arrayBuffer());
    const etag = answer.headers.get('etag') ?? '';
    t.notMatch(etag, /^W\//, 'a strong ETag, which resuming needs');
    const staging = join(device.stateDir, 'staging');
    await mkdir(staging, { recursive: true });
    const half = whole.length >> 1;
    await writeFile(join(staging, `${bundle.sha256}.part`), whole.subarray(0, half));
    await writeFile(join(staging, `${bundle.sha256}.etag`), etag);
    t.ok(await source.download(offer));
    // It writes a line after its answer.
    await until('it is resumed', async () =>
      (await lines()).some((l) => l.startsWith('206') && l.endsWith(`bytes=${half}-`)),
    );

    const kept = async (path: string) => {
      const { status, headers } = await fetch(`${url}/${path}`);
      return `${status} ${headers.get('cache-control') ?? 'nothing'}`;
    };
    t.equal(await kept('metadata/timestamp.json'), '200 no-cache');
    t.equal(await kept('metadata/1.root.json'), '200 public, max-age=60');
    t.equal(await kept('metadata/2.root.json'), '404 nothing', 'no newer root, kept by nobody');
    t.equal(await kept('metadata/2.targets.json'), '200 public, max-age=31536000, immutable');
    t.equal(
      await kept(`targets/bundles/${bundle.sha256}.${name}`),
      '200 public, max-age=31536000, immutable',
    );
    t.equal((await fetch(`${url}/metadata/`)).status, 403, 'nobody lists it');

    // What comes later is seen at once.
    await fleet.publish('1.1.0');
    await (await fleet.open()).commit({ renew: new Set(['root']) });
    source = await device.open();
    t.ok(await source.download(await source.check()));
    t.notOk(
      (await lines()).some((l) => /^[35]/.test(l)),
      'no redirect, no error',
    );
  },
);

void t.test('a bucket', async (t) => {
  const fleet = await FleetSim.make(t, { channels: ['stable', 'acme/stable'] });
  const { bundle } = await fleet.publish('1.0.0');
  const bucket = await BucketSim.start(t, join(fleet.dir, 'repository'));
  const device = await deviceOf(fleet, bucket.url);
  const source = await device.open();
  const offer = await source.check();
  t.ok(
    bucket.requests.some((r) => /^403 .*2\.root\.json/.test(r)),
    '403 says: no newer root',
  );
  bucket.cutAfter = bundle.bytes >> 1;
  t.ok(await source.download(offer), 'cut in the middle, and resumed');
  t.ok(bucket.requests.some((r) => r.startsWith('206') && r.includes('bytes=')));

  // If-Range is not known there: bytes of another object are found out and fetched anew.
  await fleet.publish('1.1.0');
  const again = await device.open();
  const next = await again.check();
  const staging = join(device.stateDir, 'staging');
  await mkdir(staging, { recursive: true });
  await writeFile(join(staging, `${next.bundle.sha256}.part`), Buffer.alloc(100, 'x'));
  await writeFile(join(staging, `${next.bundle.sha256}.etag`), '"another"');
  t.ok(await again.download(next));

  await t.rejects((await device.open({ channel: 'acme/stable' })).check(), { code: 'no-channel' });
  const wrong = await deviceOf(fleet, `${bucket.url}-elsewhere`);
  await t.rejects((await wrong.open()).check(), { code: 'http-status', message: /status 403/ });

  // A name with a space.
  const odd = await fleet.publish('2.0.0', {
    bundle: await bundleTar(fleet.folder, '2.0.0', 'a b'),
  });
  t.match(odd.bundle.path, /bundles\/a-b-2/);
  const oddly = await device.open();
  t.ok(await oddly.download(await oddly.check()));
});
