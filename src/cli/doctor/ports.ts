/** Whether a port can be opened, or who has it. */
import { readFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { codeOf, messageOf } from '../../runtime/errors.js';
import { parseListen } from '../../runtime/listen-address.js';
import { failed, ok, type Finding } from './finding.js';

const answerMs = 3000;
const answerBytesMax = 256 * 1024;

export interface PortAsked {
  readonly check: string;
  /** Of the configuration, such as metrics.listen. */
  readonly key: string;
  readonly listen: string;
  /** What is sent, and what a kikitori answers. */
  readonly ask: string;
  readonly knownBy: RegExp;
}

export async function portFinding(asked: PortAsked): Promise<Finding> {
  const { check, key, listen } = asked;
  const { host, port } = parseListen(listen);
  const lowest = await lowestPort();
  if (port > 0 && port < lowest)
    return failed(
      check,
      `${listen}: ports below ${lowest} are for root alone, and the service is another user`,
      `set ${key} to a port from ${lowest} on`,
    );
  const fault = await faultOf(host, port);
  if (fault === null) return ok(check, `${listen} is free`);
  if (codeOf(fault) === 'EADDRINUSE') {
    const here = ['0.0.0.0', '::'].includes(host) ? '127.0.0.1' : host;
    if (await isKnown(here, port, asked))
      return ok(check, `${listen} is open: a running kikitori answers there`);
    return failed(
      check,
      `another program has ${listen}`,
      `end it (sudo ss -ltnp "sport = :${port}" names it), or set ${key} to another port`,
    );
  }
  return failed(
    check,
    `${listen}: ${messageOf(fault)}`,
    ['EADDRNOTAVAIL', 'ENOTFOUND', 'EAI_AGAIN'].includes(codeOf(fault) ?? '')
      ? `set ${key} to an address of this machine (ip -brief address lists them), or to 0.0.0.0:${port} for all`
      : `set ${key} to another address`,
  );
}

async function faultOf(host: string, port: number): Promise<Error | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', resolve);
    server.listen({ host, port }, () => server.close(() => resolve(null)));
  });
}

async function lowestPort(): Promise<number> {
  try {
    return Number(await readFile('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8'));
  } catch {
    return 1024;
  }
}

/** Whether a kikitori answers. */
async function isKnown(host: string, port: number, { ask, knownBy }: PortAsked): Promise<boolean> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect({ host, port }, () => socket.write(ask));
    const end = () => {
      clearTimeout(limit);
      socket.destroy();
      resolve(knownBy.test(text));
    };
    const limit = setTimeout(end, answerMs);
    socket.setEncoding('utf8');
    socket.on('data', (part: string) => {
      text += part;
      if (knownBy.test(text) || text.length > answerBytesMax) end();
    });
    socket.on('end', end);
    socket.on('error', end);
  });
}
