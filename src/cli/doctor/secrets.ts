/** Every file with a secret or a certificate that the configuration names: readable, and a certificate that holds. */
import { X509Certificate } from 'node:crypto';
import { keysOf, readSecret, schema, type Config } from '../../config/index.js';
import { messageOf } from '../../runtime/errors.js';
import { failed, ok, warning, type Finding } from './finding.js';

const check = 'secrets';
const dayMs = 86_400_000;
/** So long before its end somebody should know. */
const soonDays = 14;

/** None where the configuration names none. */
export function secretFindings(config: Config, nowMs: number): Finding[] {
  const named = [...keysOf(schema)]
    .filter(({ key }) => key.path === 'secret')
    .map(({ path: name }) => ({ name, path: String(valueAt(config, name)) }))
    .filter(({ path }) => path !== '');
  if (named.length === 0) return [];
  const findings = named.flatMap(({ name, path }) => findingOf(name, path, nowMs));
  if (findings.length > 0) return findings;
  return [ok(check, `can be read: ${named.map(({ name }) => name).join(', ')}`)];
}

function valueAt(config: Config, name: string): unknown {
  return name
    .split('.')
    .reduce<unknown>((at, key) => (at as Readonly<Record<string, unknown>>)[key], config);
}

function findingOf(name: string, path: string, nowMs: number): Finding[] {
  let text: string;
  try {
    text = readSecret(path, name);
  } catch (error) {
    return [failed(check, messageOf(error), `put the file there, or correct ${name}`)];
  }
  return /\.(ca|cert)File$/.test(name) ? certificateFindings(name, text, nowMs) : [];
}

function certificateFindings(name: string, text: string, nowMs: number): Finding[] {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  const renew = `put a new certificate into the file of ${name}`;
  if (blocks.length === 0)
    return [failed(check, `${name}: there is no certificate in it`, `${renew}, in PEM form`)];
  return blocks.flatMap((block) => {
    let found: X509Certificate;
    try {
      found = new X509Certificate(block);
    } catch {
      return [failed(check, `${name}: a certificate in it is damaged`, renew)];
    }
    const { subject, validFrom, validTo } = found;
    const who = `${name}: the certificate of ${subject.replaceAll('\n', ', ')}`;
    const leftMs = Date.parse(validTo) - nowMs;
    if (leftMs < 0) return [failed(check, `${who} ended on ${validTo}`, renew)];
    if (Date.parse(validFrom) > nowMs)
      return [
        failed(check, `${who} begins on ${validFrom}`, 'is the clock of this machine right?'),
      ];
    if (leftMs < soonDays * dayMs) return [warning(check, `${who} ends on ${validTo}`, renew)];
    return [];
  });
}
