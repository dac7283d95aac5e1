/** The port: who is let in, how many at once, and what they are told of the house. */
import { createServer, type Server, type Socket } from 'node:net';
import type { Heard } from '../../records.js';
import { codeOf, messageOf } from '../../runtime/errors.js';
import { isLoopback, parseListen } from '../../runtime/listen-address.js';
import type { Begun, Ground, House, Neighbour } from '../neighbour.js';
import { Announcer } from './announce.js';
import { Connection, type Meaning, type Service } from './connection.js';
import { Ears, wakePhraseOf } from './ears.js';
import { infoOf } from './info.js';
import { Turns } from './turns.js';

/** More are not open at once: the one that has waited longest makes room. */
const connectionsMax = 64;
/** A port that is taken, or an address that is not there yet, is tried again after this. */
const retryMs = 5000;
/** As long as loading a model may take before a client is told to come again. */
const readyMs = 120_000;
/** Of clients that were cut off a line is written no more often. */
const cutLineMs = 60_000;

export class WyomingService implements Begun, Neighbour {
  private readonly server: Server;
  private readonly connections = new Set<Connection>();
  private readonly ready: Promise<House>;
  private readonly turns = new Turns(async () => this.house?.spare());
  private readonly service: Service;
  private house: House | null = null;
  private ears: Ears | null = null;
  private heardAtOnce = 0;
  private closed = false;
  private cutCount = 0;
  private cutLineAtMs = -Infinity;
  private lastFault = '';
  private announcer: Announcer | null = null;
  private cancelRetry: () => void = () => undefined;
  private resolveReady: (house: House) => void = () => undefined;

  constructor(private readonly ground: Ground) {
    this.ready = new Promise((resolve) => (this.resolveReady = resolve));
    this.service = this.serviceOf(ground);
    this.server = createServer({ allowHalfOpen: true }, (socket) => this.welcome(socket));
    this.server.on('error', (error) => this.notListening(error));
    this.server.on('listening', () => this.listening());
    this.listen();
  }

  async open(house: House): Promise<Neighbour> {
    // A phrase that cannot be is said now, not to the first who asks.
    if (house.config().recognizer.wake.phrase !== '') wakePhraseOf(house);
    this.house = house;
    this.ears = new Ears(house, this.turns);
    this.resolveReady(house);
    return this;
  }

  async close(): Promise<void> {
    this.closed = true;
    this.cancelRetry();
    for (const connection of this.connections) connection.cut('the service ends');
    await Promise.all([
      this.announcer?.close(),
      new Promise<void>((resolve) => this.server.close(() => resolve())),
    ]);
  }

  private listen(): void {
    const { host, port } = parseListen(this.ground.config().wyoming.listen);
    this.server.listen({ host, port, backlog: 128 });
  }

  private listening(): void {
    const { log, config } = this.ground;
    const { host } = parseListen(config().wyoming.listen);
    const address = this.server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    this.lastFault = '';
    log.info({ event: 'wyoming.listening', host, port }, 'the Wyoming service is there');
    if (config().wyoming.announce && !isLoopback(host)) {
      this.announcer = new Announcer(this.ground, { host, port });
      this.announcer.start();
    }
  }

  private notListening(error: Error): void {
    const { clock, log } = this.ground;
    if (this.closed) return;
    const why = codeOf(error) === 'EADDRINUSE' ? 'another program has this port' : messageOf(error);
    if (why !== this.lastFault)
      log.error({ event: 'wyoming.no-port', why }, 'the Wyoming service is not there; tried again');
    this.lastFault = why;
    if (this.server.listening) return;
    this.cancelRetry = clock.after(retryMs, () => this.listen());
  }

  private welcome(socket: Socket): void {
    if (this.connections.size >= connectionsMax) {
      const [idlest] = [...this.connections]
        .filter((connection) => !connection.busy)
        .sort((a, b) => a.lastUsedMs - b.lastUsedMs);
      if (idlest === undefined) {
        socket.destroy();
        this.cut('too many connections');
        return;
      }
      this.connections.delete(idlest);
      idlest.cut('too many connections: it did nothing for longest');
    }
    const connection = new Connection(socket, this.service);
    this.connections.add(connection);
    void connection.run().then(() => this.connections.delete(connection));
  }

  private serviceOf({ clock, config }: Ground): Service {
    const wakePhrase = () => config().recognizer.wake.phrase;
    return {
      clock,
      turns: this.turns,
      info: () => infoOf(this.house?.engine() ?? null, wakePhrase()),
      ears: () => this.whenReady(),
      wakePhrase,
      meaningOf: (text) => this.meaningOf(text),
      place: () => this.place(),
      onHeard: (heard) => this.logHeard(heard),
      onCut: (why) => this.cut(why),
    };
  }

  private logHeard({ accepted, intent, reason, confidence, text, slots }: Heard): void {
    const { log, config } = this.ground;
    log.info(
      {
        event: accepted ? 'wyoming.accepted' : 'wyoming.rejected',
        intent: accepted ? intent : undefined,
        reason,
        confidence: Number(confidence.toFixed(3)),
        ...(config().log.transcripts ? { text, slots } : {}),
      },
      accepted ? 'a command of a Wyoming client' : 'no command of a Wyoming client',
    );
  }

  private async whenReady(): Promise<Ears> {
    if (this.ears !== null) return this.ears;
    let cancel: () => void = () => undefined;
    const late = new Promise<never>((_, reject) => {
      cancel = this.ground.clock.after(readyMs, () =>
        reject(new Error('the model is still being loaded')),
      );
    });
    try {
      await Promise.race([this.ready, late]);
    } finally {
      cancel();
    }
    return this.whenReady();
  }

  private meaningOf(text: string): Meaning | null {
    const meaning = this.house?.grammar().understand(text) ?? null;
    if (meaning === null || meaning.refuse === true) return null;
    const { intent, slots } = meaning;
    return { intent, slots };
  }

  private place(): (() => void) | null {
    if (this.heardAtOnce >= this.ground.config().wyoming.clients) return null;
    this.heardAtOnce++;
    let left = false;
    return () => {
      if (!left) this.heardAtOnce--;
      left = true;
    };
  }

  /** A line now and then, with how many there were. */
  private cut(why: string): void {
    const { clock, log } = this.ground;
    this.cutCount++;
    if (this.closed || clock.monotonic() - this.cutLineAtMs < cutLineMs) return;
    log.warn({ event: 'wyoming.cut', why, count: this.cutCount }, 'a Wyoming client was cut off');
    this.cutLineAtMs = clock.monotonic();
    this.cutCount = 0;
  }
}
