import http from 'node:http';
import { HttpProxyAgent } from 'http-proxy-agent';
import { HttpsProxyAgent } from 'https-proxy-agent';
import { getProxyForUrl } from 'proxy-from-env';
import { UpdateError } from './errors.js';

export interface Proxy {
  readonly agent: http.Agent;
  /** host:port; the name and password in its address are never shown. */
  readonly name: string;
}

/**
 * The proxy that HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY (or in small letters) name for an address;
 * null: none. For https it is a tunnel: what is inside only the repository can read.
 */
export function proxyFor(url: string): Proxy | null {
  const address = getProxyForUrl(url);
  if (address === '') return null;
  const secure = url.startsWith('https:');
  let proxy: URL;
  try {
    proxy = new URL(address);
  } catch {
    throw badProxy(url, 'cannot be understood');
  }
  if (proxy.protocol !== 'http:' && proxy.protocol !== 'https:')
    throw badProxy(url, `has the scheme ${proxy.protocol}//`);
  const agent = secure ? new HttpsProxyAgent(proxy) : new HttpProxyAgent(proxy);
  return { agent, name: proxy.host };
}

const badProxy = (where: string, what: string) =>
  new UpdateError('unreachable', {
    where,
    what: `the address of the proxy in the environment ${what}`,
    hint: 'set HTTPS_PROXY to an address like http://proxy.example:3128',
  });

/** What the proxy itself answered in place of a connection. */
export function refusedByProxy(where: string, name: string, status: number): UpdateError {
  const what =
    status === 407
      ? `the proxy ${name} wants another name or password`
      : `the proxy ${name} answered with status ${status}`;
  return new UpdateError('unreachable', {
    where,
    what,
    hint: 'check HTTPS_PROXY and NO_PROXY, and what the proxy allows; it is tried again at the next check',
  });
}
