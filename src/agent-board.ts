/** What the agent asks of the configuration and the board: how to reach the broker, whether the clock is right. */
import { readFileSync } from 'node:fs';
import { readSecret, type Config, type Environment } from './config/index.js';

/** Where the broker is and how to prove who we are; a secret that is not there is thrown now, not later. */
export function linkOptions(config: Config, env: Environment) {
  const m = config.publish.mqtt;
  const file = (path: string) => (path === '' ? undefined : readSecret(path, env));
  const secrets = () => ({
    password: file(m.passwordFile),
    ca: file(m.caFile),
    cert: file(m.certFile),
    key: file(m.keyFile),
  });
  secrets();
  return {
    url: m.url,
    protocolVersion: m.protocolVersion === 5 ? (5 as const) : (4 as const),
    clientId: m.clientId === '' ? `kikitori-${config.device.id}` : m.clientId,
    rejectUnauthorized: m.rejectUnauthorized,
    keepaliveMs: m.keepaliveMs,
    connectTimeoutMs: m.connectTimeoutMs,
    ...(m.username === '' ? {} : { username: m.username }),
    secrets,
    ...(m.servername === '' ? {} : { servername: m.servername }),
  };
}

/** Whether the kernel says that the clock is disciplined; a board without a battery begins in the past. */
export function clockSynced(): boolean {
  try {
    readFileSync('/run/systemd/timesync/synchronized');
    return true;
  } catch {
    return false;
  }
}
