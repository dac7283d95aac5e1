import { brokerSecrets, type Config } from '../../config/index.js';
import type { PublisherOptions } from '../../publish/index.js';

type Broker = PublisherOptions['link'];

/** How the edge node's broker is reached; `same`: as all else is published. */
export function linkOf(s: Config['publish']['sparkplug'], same: Broker): Broker {
  const clientId = `${same.clientId}-sparkplug`;
  if (s.url === '') return { ...same, clientId };
  const { protocolVersion, rejectUnauthorized, keepaliveMs, connectTimeoutMs } = same;
  return {
    ...{ url: s.url, clientId, protocolVersion, rejectUnauthorized },
    ...{ keepaliveMs, connectTimeoutMs },
    secrets: brokerSecrets(s, 'publish.sparkplug'),
    ...(s.username === '' ? {} : { username: s.username }),
  };
}
