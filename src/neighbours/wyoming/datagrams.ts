/** What other machines send to mDNS's port: looked at before it is taken apart, which takes time from hearing. */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import multicastDns, { type MulticastDNS, type Options } from 'multicast-dns';
import type { Clock } from '../../runtime/clock.js';
import { codeOf } from '../../runtime/errors.js';

/** RFC 6762, section 17. */
const bytesMax = 9000;
/** A busy network has some ten. */
const perSecondMax = 200;

/** multicast-dns on a socket that is guarded. */
export function guardedMdns(options: Options, clock: Pick<Clock, 'monotonic'>): MulticastDNS {
  const socket = createSocket({ type: options.type ?? 'udp4', reuseAddr: true });
  const speaker = multicastDns({ ...options, socket });
  guardDatagrams(socket, clock);
  return speaker;
}

/** Puts it between a socket and multicast-dns, which listens to it already. */
export function guardDatagrams(socket: Socket, clock: Pick<Clock, 'monotonic'>): void {
  const [hear, ...others] = socket.listeners('message') as ((
    bytes: Buffer,
    from: RemoteInfo,
  ) => void)[];
  if (hear === undefined || others.length > 0)
    throw new Error('multicast-dns listens to its socket in another way than it did');
  let secondBeganMs = -Infinity;
  let count = 0;
  socket.on('message', (bytes, from) => {
    const now = clock.monotonic();
    if (now - secondBeganMs >= 1000) {
      secondBeganMs = now;
      count = 0;
    }
    // Nobody can be answered at port 0: sending there throws.
    if (bytes.length > bytesMax || from.port === 0 || ++count > perSecondMax) return;
    hear.call(socket, bytes, from);
  });
  socket.off('message', hear);
}

/** Of the network or the machine; otherwise somebody sent what is no mDNS, which is no fault of ours. */
export function isOwnFault(error: Error): boolean {
  return /^E(?!RR_)/.test(codeOf(error) ?? '');
}
