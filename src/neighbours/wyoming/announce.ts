/** The service told to the network by mDNS (`_wyoming._tcp`), so that Home Assistant offers it by itself. */
import { isIPv6 } from 'node:net';
import { networkInterfaces, type NetworkInterfaceInfo } from 'node:os';
import type { Answer, Question } from 'dns-packet';
import type { MulticastDNS } from 'multicast-dns';
import { messageOf } from '../../runtime/errors.js';
import type { Ground } from '../neighbour.js';
import { guardedMdns, isOwnFault } from './datagrams.js';

/** Addresses come and go: a board often starts before its network does. */
const lookMs = 30_000;
const addressesMax = 8;
/** More than these answers a second are not given. */
const answersPerSecond = 10;
const serviceType = '_wyoming._tcp.local';
const ttlHostS = 120;
const ttlServiceS = 4500;
const mdnsPort = 5353;
const groupV6 = 'ff02::fb';
/** Leaving takes at most this. */
const goodbyeMs = 500;

/** How the service is named there. */
export const labelOf = (device: string) =>
  `kikitori-${device.replace(/[^A-Za-z0-9-]/g, '-')}`.slice(0, 63);

/** Everything that is said of one service. */
export function recordsOf(
  device: string,
  port: number,
  addresses: readonly string[],
  leaving = false,
): Answer[] {
  const label = labelOf(device);
  const [name, target] = [`${label}.${serviceType}`, `${label}.local`];
  const of = (seconds: number) => (leaving ? 0 : seconds);
  return [
    { name: serviceType, type: 'PTR', ttl: of(ttlServiceS), data: name },
    {
      name: '_services._dns-sd._udp.local',
      type: 'PTR',
      ttl: of(ttlServiceS),
      data: serviceType,
    },
    { name, type: 'SRV', ttl: of(ttlHostS), flush: true, data: { port, target } },
    { name, type: 'TXT', ttl: of(ttlServiceS), flush: true, data: '' },
    ...addresses.map((address): Answer => ({
      name: target,
      type: isIPv6(address) ? 'AAAA' : 'A',
      ttl: of(ttlHostS),
      flush: true,
      // The zone is this machine's own matter.
      data: address.split('%')[0] ?? address,
    })),
  ];
}

/** What answers these questions, and what is worth knowing with it. */
export function answersTo(questions: readonly Question[], records: readonly Answer[]) {
  const asked = (record: Answer) =>
    questions.some(
      ({ name, type }) =>
        name.toLowerCase() === record.name.toLowerCase() &&
        (type === record.type || (type as string) === 'ANY'),
    );
  const answers = records.filter(asked);
  const service = answers.some(({ name }) => name === serviceType || name.endsWith(serviceType));
  const additionals = service ? records.slice(2).filter((record) => !answers.includes(record)) : [];
  return { answers, additionals };
}

export class Announcer {
  private readonly speakers = new Map<string, MulticastDNS>();
  private cancelLook: () => void = () => undefined;
  private lastFault = '';
  private answered = 0;
  private secondBeganMs = -Infinity;

  constructor(
    private readonly ground: Ground,
    private readonly at: { readonly host: string; readonly port: number },
    /** Those of this machine: of each interface at most one of each kind, IPv6 with the interface behind a %. */
    private readonly addressesNow: () => string[] = () => ownAddresses(at.host),
  ) {}

  start(): void {
    this.look();
  }

  /** Says that it leaves. */
  async close(): Promise<void> {
    this.cancelLook();
    const leaving = this.records([...this.speakers.keys()], true);
    await Promise.all(
      [...this.speakers.values()].map(
        (speaker) =>
          new Promise<void>((resolve) => {
            const end = () => {
              cancel();
              speaker.destroy(resolve);
            };
            const cancel = this.ground.clock.after(goodbyeMs, end);
            speaker.respond(leaving, end);
          }),
      ),
    );
    this.speakers.clear();
  }

  private records(addresses: readonly string[], leaving = false): Answer[] {
    return recordsOf(this.ground.config().device.id, this.at.port, addresses, leaving);
  }

  private look(): void {
    this.cancelLook = this.ground.clock.after(lookMs, () => this.look());
    let addresses: string[];
    try {
      addresses = this.addressesNow().slice(0, addressesMax);
    } catch (error) {
      // A service manager that allows no netlink socket, or no file to open.
      this.fault(`the addresses of this machine cannot be read: ${messageOf(error)}`);
      return;
    }
    if (addresses.length === 0) this.fault('this machine has no address in a network');
    for (const [address, speaker] of this.speakers)
      if (!addresses.includes(address)) {
        speaker.destroy();
        this.speakers.delete(address);
      }
    const fresh = addresses.filter((address) => !this.speakers.has(address));
    for (const address of fresh) this.speakAt(address);
  }

  private speakAt(address: string): void {
    const speaker = guardedMdns(
      isIPv6(address)
        ? { type: 'udp6', ip: groupV6, interface: `::%${address.split('%')[1] ?? ''}`, bind: '::' }
        : { interface: address, bind: '0.0.0.0' },
      this.ground.clock,
    );
    this.speakers.set(address, speaker);
    speaker.on('error', (error) => {
      this.fault(messageOf(error));
      speaker.destroy();
      // Tried again at the next look.
      if (this.speakers.get(address) === speaker) this.speakers.delete(address);
    });
    speaker.on('warning', (error) => {
      if (isOwnFault(error)) this.fault(messageOf(error));
    });
    speaker.on('query', ({ questions }, { address: from, port }) => {
      const { answers, additionals } = answersTo(
        questions,
        this.records([...this.speakers.keys()]),
      );
      if (answers.length === 0 || !this.mayAnswer()) return;
      // Who asks from another port than mDNS's own hears no multicast.
      if (port === mdnsPort) speaker.respond({ answers, additionals });
      else speaker.respond({ answers, additionals, questions }, { address: from, port });
    });
    speaker.on('ready', () => {
      this.lastFault = '';
      this.ground.log.info({ event: 'wyoming.announced', address }, 'announced by mDNS');
      speaker.respond(this.records([...this.speakers.keys()]));
    });
  }

  private mayAnswer(): boolean {
    const now = this.ground.clock.monotonic();
    if (now - this.secondBeganMs >= 1000) {
      this.secondBeganMs = now;
      this.answered = 0;
    }
    return ++this.answered <= answersPerSecond;
  }

  private fault(why: string): void {
    if (why !== this.lastFault)
      this.ground.log.warn(
        { event: 'wyoming.not-announced', why },
        'not announced by mDNS: Home Assistant is told host and port by hand',
      );
    this.lastFault = why;
  }
}

type Interfaces = Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;

/**
 * Of each interface the first address of either kind that the service answers at. 0.0.0.0 is IPv4 alone, :: is both.
 * An IPv6 address of the link alone counts where there is no other: what is told of it needs the same link anyway.
 */
export function ownAddresses(host: string, interfaces: Interfaces = networkInterfaces()): string[] {
  return Object.entries(interfaces).flatMap(([name, addresses = []]) => {
    const own = addresses.filter(({ internal }) => !internal);
    const v4 = own.find(
      ({ family, address }) =>
        family === 'IPv4' && (['0.0.0.0', '::'].includes(host) || address === host),
    );
    const v6 = own
      .filter(({ family, address }) => family === 'IPv6' && (host === '::' || address === host))
      .sort((x, y) => Number(isOfLink(x.address)) - Number(isOfLink(y.address)))[0];
    return [
      ...(v4 === undefined ? [] : [v4.address]),
      ...(v6 === undefined ? [] : [`${v6.address}%${name}`]),
    ];
  });
}

const isOfLink = (address: string) => /^fe[89ab]/i.test(address);
