import { createSocket } from 'node:dgram';

/** Whether this machine lets a socket hear multicast on its loopback. */
export function hearsMulticast(): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket({ type: 'udp4', reuseAddr: true });
    socket.on('error', () => resolve(false));
    socket.bind(5353, () => {
      try {
        socket.addMembership('224.0.0.251', '127.0.0.1');
        resolve(true);
      } catch {
        resolve(false);
      }
      socket.close();
    });
  });
}
