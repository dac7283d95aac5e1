/** A factory's own certificate authority, by openssl: devices get certificates, and some are revoked. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Issued {
  readonly cert: string;
  readonly key: string;
}

export class Authority {
  private constructor(private readonly folder: string) {}

  static make(): Authority {
    const authority = new Authority(mkdtempSync(join(tmpdir(), 'kikitori-authority-')));
    authority.begin();
    return authority;
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  get ca(): string {
    return this.read('ca.crt');
  }

  /** Of everyone that was revoked so far. */
  get revoked(): string {
    this.openssl('ca', '-config', this.at('ca.cnf'), '-gencrl', '-out', this.at('revoked.pem'));
    return this.read('revoked.pem');
  }

  /** A certificate whose common name is the user name at the broker; of a server with its address. */
  issue(name: string, address?: string): Issued {
    this.newKey(name);
    const request = ['req', '-new', '-key', this.at(`${name}.key`), '-subj', `/CN=${name}`];
    this.openssl(...request, '-out', this.at(`${name}.csr`));
    const usage = address === undefined ? 'clientAuth' : 'serverAuth';
    const names = address === undefined ? '' : `subjectAltName=IP:${address}\n`;
    writeFileSync(this.at('extensions'), `extendedKeyUsage=${usage}\n${names}`);
    this.openssl(
      ...['ca', '-batch', '-config', this.at('ca.cnf'), '-in', this.at(`${name}.csr`)],
      ...['-notext', '-extfile', this.at('extensions'), '-out', this.at(`${name}.crt`)],
    );
    return { cert: this.read(`${name}.crt`), key: this.read(`${name}.key`) };
  }

  revoke(name: string): void {
    this.openssl('ca', '-config', this.at('ca.cnf'), '-revoke', this.at(`${name}.crt`));
  }

  private begin(): void {
    mkdirSync(this.at('issued'));
    writeFileSync(this.at('index'), '');
    // A board that is given a second certificate keeps its name.
    writeFileSync(this.at('index.attr'), 'unique_subject = no\n');
    writeFileSync(
      this.at('ca.cnf'),
      `[ca]\ndefault_ca = own\n[own]\ndatabase = ${this.at('index')}\nnew_certs_dir = ${this.at('issued')}
certificate = ${this.at('ca.crt')}\nprivate_key = ${this.at('ca.key')}\nrand_serial = yes\ndefault_md = sha256
default_days = 2\ndefault_crl_days = 2\npolicy = any\n[any]\ncommonName = supplied\n`,
    );
    this.newKey('ca');
    const own = ['req', '-x509', '-new', '-key', this.at('ca.key'), '-days', '2'];
    this.openssl(...own, '-subj', '/CN=factory', '-out', this.at('ca.crt'));
  }

  private newKey(name: string): void {
    const key = ['ecparam', '-name', 'prime256v1', '-genkey', '-noout'];
    this.openssl(...key, '-out', this.at(`${name}.key`));
  }

  private at(name: string): string {
    return join(this.folder, name);
  }

  private read(name: string): string {
    return readFileSync(this.at(name), 'utf8');
  }

  private openssl(...args: string[]): void {
    execFileSync('openssl', args, { stdio: 'pipe' });
  }
}
