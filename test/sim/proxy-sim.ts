/** A real HTTP proxy: CONNECT tunnels and plain requests, with a password if wanted; it remembers what it was asked. */
import http from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import type { Test } from 'tap';

export class ProxySim {
  readonly asked: string[] = [];
  /** The status of every answer in place of a connection; 0: as it should be. */
  refuse = 0;
  private constructor(
    readonly port: number,
    private readonly authorization: string | undefined,
  ) {}

  static async start(t: Test, credentials?: string): Promise<ProxySim> {
    const server = http.createServer();
    const sockets = new Set<Socket>();
    server.on('connection', (socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const wanted =
      credentials === undefined
        ? undefined
        : `Basic ${Buffer.from(credentials).toString('base64')}`;
    const proxy = new ProxySim((server.address() as AddressInfo).port, wanted);
    server.on('connect', (request: http.IncomingMessage, socket: Socket) => {
      proxy.asked.push(`CONNECT ${request.url ?? ''}`);
      const status = proxy.statusFor(request);
      if (status !== 200) {
        socket.end(`HTTP/1.1 ${status} No\r\ncontent-length: 0\r\n\r\n`);
        return;
      }
      const [host = '', port = ''] = (request.url ?? '').split(':');
      const target = connect(Number(port), host, () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        target.pipe(socket);
        socket.pipe(target);
      });
      sockets.add(target);
      target.on('error', () => socket.destroy());
    });
    server.on('request', (request, response) => {
      proxy.asked.push(`${request.method} ${request.url}`);
      const status = proxy.statusFor(request);
      if (status !== 200) {
        response.writeHead(status).end();
        return;
      }
      const onward = http.request(request.url ?? '', { method: request.method }, (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      });
      onward.on('error', () => response.destroy());
      request.pipe(onward);
    });
    t.teardown(async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    });
    return proxy;
  }

  private statusFor({ headers }: http.IncomingMessage): number {
    if (this.refuse !== 0) return this.refuse;
    const { authorization } = this;
    return authorization === undefined || headers['proxy-authorization'] === authorization
      ? 200
      : 407;
  }
}
