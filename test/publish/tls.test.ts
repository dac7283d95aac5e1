/** The link over TLS, with and without a client certificate, against a real mosquitto. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { Link, type LinkOptions, type Secrets } from '../../src/publish/index.js';
import { systemClock } from '../../src/runtime/clock.js';
import { makeCertificates } from '../sim/certificates.js';
import { Mosquitto } from '../sim/mosquitto.js';

const folder = await mkdtemp(join(tmpdir(), 'kikitori-tls-'));
const c = makeCertificates(folder);
await rm(folder, { recursive: true });

const files = { 'ca.crt': c.ca, 'server.crt': c.serverCert, 'server.key': c.serverKey };
const tls = [
  'cafile {folder}/ca.crt',
  'certfile {folder}/server.crt',
  'keyfile {folder}/server.key',
];

/** 'up', or why not. */
async function outcome(
  broker: Mosquitto,
  secrets: Secrets,
  more: Partial<LinkOptions> = {},
): Promise<string> {
  let tell: (outcome: string) => void = () => undefined;
  const first = new Promise<string>((resolve) => {
    tell = resolve;
  });
  const link = new Link({
    url: broker.url,
    protocolVersion: 4,
    clientId: 'd',
    secrets: () => secrets,
    rejectUnauthorized: true,
    keepaliveMs: 5000,
    connectTimeoutMs: 5000,
    will: { topic: 'k/d/state', payload: '{}' },
    subscribe: 'k/d/request/+',
    clock: systemClock,
    random: () => 0.5,
    onUp: () => tell('up'),
    onDown: (why) => tell(why),
    onSubscribeRefused: () => undefined,
    onMessage: () => undefined,
    ...more,
  });
  link.open();
  const told = await first;
  await link.close(500);
  return told;
}

void t.test('TLS: the authority and the name are checked', async (t) => {
  const config = ['allow_anonymous true', ...tls];
  const broker = await Mosquitto.open({ scheme: 'mqtts', config, files });
  t.teardown(() => broker.close());
  t.equal(await outcome(broker, { ca: c.ca }), 'up');
  t.equal(await outcome(broker, { ca: c.ca }, { protocolVersion: 5 }), 'up');
  t.equal(await outcome(broker, { ca: c.ca }, { servername: 'broker.test' }), 'up');
  t.match(await outcome(broker, {}), /certificate/i, 'an authority that the system does not know');
  t.match(await outcome(broker, { ca: c.strangerCert }), /certificate/i, 'another authority');
  t.match(
    await outcome(broker, { ca: c.ca }, { servername: 'other.test' }),
    /altnames|other\.test/,
  );
  t.equal(await outcome(broker, {}, { rejectUnauthorized: false }), 'up', 'when it is asked for');
  t.match(await outcome(broker, { ca: 'no certificate' }), /./, 'a file that is no certificate');
});

void t.test('client certificates', async (t) => {
  const config = ['allow_anonymous true', ...tls, 'require_certificate true'];
  const broker = await Mosquitto.open({ scheme: 'mqtts', config, files });
  t.teardown(() => broker.close());
  const { ca, clientCert: cert, clientKey: key } = c;
  t.equal(await outcome(broker, { ca, cert, key }), 'up');
  t.not(await outcome(broker, { ca }), 'up', 'none');
  t.not(
    await outcome(broker, { ca, cert: c.strangerCert, key: c.strangerKey }),
    'up',
    'a stranger',
  );
  t.match(await outcome(broker, { ca, cert, key: c.strangerKey }), /key/i, 'a key of another one');
});
