/** Certificates for one test, made by openssl: an authority, a server for 127.0.0.1, a client, and a stranger. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Certificates {
  readonly ca: string;
  readonly serverCert: string;
  readonly serverKey: string;
  readonly clientCert: string;
  readonly clientKey: string;
  /** Signed by nobody that the others know. */
  readonly strangerCert: string;
  readonly strangerKey: string;
}

export function makeCertificates(folder: string): Certificates {
  const at = (name: string) => join(folder, name);
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'pipe' });
  const newKey = (name: string) =>
    openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', at(`${name}.key`));
  const selfSigned = (name: string, subject: string) => {
    newKey(name);
    openssl(
      ...[
        'req',
        '-x509',
        '-new',
        '-key',
        at(`${name}.key`),
        '-days',
        '2',
        '-subj',
        `/CN=${subject}`,
      ],
      ...['-out', at(`${name}.crt`)],
    );
  };
  const signed = (name: string, subject: string, extension: string) => {
    newKey(name);
    writeFileSync(at(`${name}.ext`), extension);
    openssl(
      ...['req', '-new', '-key', at(`${name}.key`), '-subj', `/CN=${subject}`],
      ...['-out', at(`${name}.csr`)],
    );
    openssl(
      ...['x509', '-req', '-in', at(`${name}.csr`), '-CA', at('ca.crt'), '-CAkey', at('ca.key')],
      ...[
        '-CAcreateserial',
        '-days',
        '2',
        '-extfile',
        at(`${name}.ext`),
        '-out',
        at(`${name}.crt`),
      ],
    );
  };
  selfSigned('ca', 'test authority');
  signed('server', 'broker.test', 'subjectAltName=IP:127.0.0.1,DNS:broker.test\n');
  signed('client', 'd', 'extendedKeyUsage=clientAuth\n');
  selfSigned('stranger', 'stranger');
  const read = (name: string) => readFileSync(at(name), 'utf8');
  return {
    ca: read('ca.crt'),
    serverCert: read('server.crt'),
    serverKey: read('server.key'),
    clientCert: read('client.crt'),
    clientKey: read('client.key'),
    strangerCert: read('stranger.crt'),
    strangerKey: read('stranger.key'),
  };
}
