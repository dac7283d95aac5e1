/** A small HTTP server with a limit on everything, that comes back by itself: metrics and the page stand on it. */
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { codeOf, messageOf } from '../../runtime/errors.js';
import { parseListen } from '../../runtime/listen-address.js';
import type { Ground } from '../neighbour.js';

/** A port that is taken, or an address that is not there yet, is tried again after this. */
const retryMs = 5000;
/** Of a request's first line and headers. */
const headerBytesMax = 8192;
/** A client that has not sent its request by then is cut off. */
const requestMs = 10_000;
const headersMs = 5000;
const keepAliveMs = 5000;
/** One that neither sends nor reads for so long is cut off. */
const idleMs = 20_000;
/** From a request to its answer, read to the end: also one that reads a byte now and then is cut off. */
const answerMs = 60_000;
/** Requests that are sent before the answer to the one before; more end the connection. */
const aheadMax = 4;

export interface HttpPortOptions {
  /** host:port */
  readonly listen: string;
  /** More at once are refused. */
  readonly connectionsMax: number;
  readonly handle: RequestListener;
  /** Of the log, such as "metrics". */
  readonly name: string;
}

export class HttpPort {
  readonly server: Server;
  private closed = false;
  private lastFault = '';
  private cancelRetry: () => void = () => undefined;
  /** Requests of a connection that are not answered yet. */
  private readonly unanswered = new WeakMap<Socket, number>();
  private readonly cancelLimits = new WeakMap<ServerResponse, () => void>();

  constructor(
    private readonly ground: Pick<Ground, 'clock' | 'log'>,
    private readonly options: HttpPortOptions,
  ) {
    this.server = createServer(
      {
        maxHeaderSize: headerBytesMax,
        requestTimeout: requestMs,
        headersTimeout: headersMs,
        keepAliveTimeout: keepAliveMs,
        connectionsCheckingInterval: 1000,
      },
      (request, response) => this.take(request, response),
    );
    this.server.maxConnections = options.connectionsMax;
    this.server.setTimeout(idleMs);
    this.server.on('error', (error) => this.notListening(error));
    this.server.on('listening', () => this.listening());
    this.listen();
  }

  /** Null while it does not listen. */
  get address(): AddressInfo | null {
    const address = this.server.address();
    return typeof address === 'object' ? address : null;
  }

  /** This answer has no end: its reader is watched by whoever writes it. */
  endless(response: ServerResponse): void {
    this.cancelLimits.get(response)?.();
  }

  async close(): Promise<void> {
    this.closed = true;
    this.cancelRetry();
    await new Promise<void>((resolve) => {
      this.server.close(() => resolve());
      this.server.closeAllConnections();
    });
  }

  private take(request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request;
    // Node reads on to the end of what came, also after the connection was ended.
    if (socket.destroyed) return;
    const ahead = this.unanswered.get(socket) ?? 0;
    if (ahead > aheadMax) {
      socket.destroy();
      return;
    }
    this.unanswered.set(socket, ahead + 1);
    const cancel = this.ground.clock.after(answerMs, () => socket.destroy());
    this.cancelLimits.set(response, cancel);
    // An answer whose turn never came is not told of the end.
    socket.once('close', cancel);
    response.once('finish', () => {
      cancel();
      socket.off('close', cancel);
      this.unanswered.set(socket, (this.unanswered.get(socket) ?? 1) - 1);
    });
    this.options.handle(request, response);
  }

  private listen(): void {
    this.server.listen(parseListen(this.options.listen));
  }

  private listening(): void {
    const { name } = this.options;
    const { address: host = '', port = 0 } = this.address ?? {};
    this.lastFault = '';
    this.ground.log.info({ event: 'http.listening', name, host, port }, 'a port is open');
  }

  private notListening(error: Error): void {
    const { clock, log } = this.ground;
    if (this.closed || this.server.listening) return;
    const why = codeOf(error) === 'EADDRINUSE' ? 'another program has this port' : messageOf(error);
    const { name } = this.options;
    if (why !== this.lastFault)
      log.error({ event: 'http.no-port', name, why }, 'no port; it is tried again');
    this.lastFault = why;
    this.cancelRetry = clock.after(retryMs, () => this.listen());
  }
}
