/** Updates through a real proxy that the environment names; its password is in no message. */
import { readFile } from 'node:fs/promises';
import t from 'tap';
import { systemClock } from '../../../src/runtime/clock.js';
import { DdiClient } from '../../../src/update/hawkbit/client.js';
import { makeCertificates } from '../../sim/certificates.js';
import { deviceOf, FleetSim, testFolder, update } from '../../sim/fleet-sim.js';
import { ProxySim } from '../../sim/proxy-sim.js';
import { RepositorySim } from '../../sim/repository-sim.js';

const names = ['HTTPS_PROXY', 'HTTP_PROXY', 'ALL_PROXY', 'NO_PROXY'];
const clear = () => {
  for (const name of names.flatMap((n) => [n, n.toLowerCase()])) delete process.env[name];
};
t.beforeEach(clear);
t.teardown(clear);
const secret = 's3cret-marker';

async function scene(t: Parameters<typeof ProxySim.start>[0], tls: boolean, credentials?: string) {
  const fleet = await FleetSim.make(t);
  const { key, cert, ca } = certificates(await testFolder(t));
  const server = await RepositorySim.start(t, fleet.dir, tls ? { key, cert } : undefined);
  await fleet.publish('1.1.0');
  const device = await deviceOf(fleet, server.url, tls ? { ca } : {});
  return { fleet, server, proxy: await ProxySim.start(t, credentials), device };
}
const certificates = (folder: string) => {
  const { serverKey: key, serverCert: cert, ca } = makeCertificates(folder);
  return { key, cert, ca };
};

void t.test('a tunnel for https, a plain proxy for http, in both spellings', async (t) => {
  for (const tls of [true, false]) {
    for (const spelling of [(n: string) => n, (n: string) => n.toLowerCase()]) {
      clear();
      const { server, proxy, device } = await scene(t, tls);
      process.env[spelling(tls ? 'HTTPS_PROXY' : 'HTTP_PROXY')] = `http://127.0.0.1:${proxy.port}`;
      t.ok((await readFile(await update(await device.open()))).length > 0);
      const host = new URL(server.url).host;
      t.ok(proxy.asked.length > 2);
      const wanted = tls ? `CONNECT ${host}` : `GET http://${host}/`;
      t.same(
        proxy.asked.filter((line) => !line.startsWith(wanted)),
        [],
      );
    }
  }
});

void t.test('NO_PROXY', async (t) => {
  const { proxy, device } = await scene(t, true);
  process.env['HTTPS_PROXY'] = `http://127.0.0.1:${proxy.port}`;
  process.env['NO_PROXY'] = 'other.example,127.0.0.1';
  await update(await device.open());
  t.same(proxy.asked, []);
});

void t.test('a name and password: used, and never said', async (t) => {
  for (const tls of [true, false]) {
    const { proxy, device } = await scene(t, tls, `press:${secret}`);
    const name = tls ? 'HTTPS_PROXY' : 'HTTP_PROXY';
    const source = await device.open();
    process.env[name] = `http://press:${secret}@127.0.0.1:${proxy.port}`;
    await update(source);
    const failing: [string, RegExp][] = [
      [`http://press:${secret}x@127.0.0.1:${proxy.port}`, /127\.0\.0\.1:\d+ wants another/],
      [`http://press:${secret}@127.0.0.1:1`, /ECONNREFUSED, by the proxy 127\.0\.0\.1:1/],
      [`http://press:${secret}@127.0.0.1:99999`, /environment cannot be understood/],
      [`socks5://press:${secret}@127.0.0.1:1`, /has the scheme socks5:/],
    ];
    for (const [address, message] of failing) {
      process.env[name] = address;
      const error = await (await device.open()).check().catch((e: Error) => e);
      t.match(error, { code: 'unreachable', message });
      t.notMatch(
        `${JSON.stringify(error)} ${(error as Error).message} ${(error as Error).stack ?? ''}`,
        secret,
      );
    }
    clear();
    process.env[name] = `http://press:${secret}@127.0.0.1:${proxy.port}`;
    proxy.refuse = 403;
    const refused = await (await device.open()).check().catch((e: Error) => e);
    t.match(refused, { message: /403/ });
    t.notMatch((refused as Error).message, secret);
  }
});

void t.test('hawkBit too', async (t) => {
  const { proxy } = await scene(t, false);
  process.env['HTTP_PROXY'] = `http://127.0.0.1:${proxy.port}`;
  const client = new DdiClient({
    url: 'http://hawkbit.invalid',
    tenant: 'DEFAULT',
    controllerId: 'board',
    authorization: () => undefined,
    clock: systemClock,
  });
  await client.base().catch(() => undefined);
  t.match(proxy.asked, [/^GET http:\/\/hawkbit\.invalid\/DEFAULT/]);
  client.close();
});
