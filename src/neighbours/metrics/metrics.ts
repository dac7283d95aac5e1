import type { IncomingMessage, ServerResponse } from 'node:http';
import { atomicWrite } from '../../runtime/atomic-write.js';
import { KikitoriError, messageOf } from '../../runtime/errors.js';
import { Timers } from '../../runtime/timers.js';
import type { House, Neighbour } from '../neighbour.js';
import { HttpPort } from '../shared/http-port.js';
import { Numbers } from './numbers.js';

/** Prometheus asks so often by default. */
const textfileMs = 15_000;
const connectionsMax = 16;
/** Who asks more often gets the same: making the text takes time from hearing. */
const freshMs = 250;

/** Numbers for Prometheus: over HTTP, into a file, or both. */
export class Metrics implements Neighbour {
  private readonly timers: Timers;
  private port: HttpPort | null = null;
  private lastFault = '';
  private made: { readonly text: Promise<string>; readonly atMs: number } | null = null;
  private writing: Promise<void> = Promise.resolve();
  readonly audio;
  readonly computed;
  readonly heard;
  readonly event;

  private constructor(
    private readonly house: House,
    private readonly numbers: Numbers,
  ) {
    this.timers = new Timers(house.clock);
    this.audio = numbers.audio.bind(numbers);
    this.computed = numbers.computed.bind(numbers);
    this.heard = numbers.heard.bind(numbers);
    this.event = numbers.event.bind(numbers);
  }

  static async open(house: House): Promise<Metrics> {
    const { listen, textfile } = house.config().metrics;
    if (textfile !== '' && !textfile.endsWith('.prom'))
      throw new KikitoriError('the textfile collector reads only files that end in .prom', {
        kind: 'config',
        where: 'metrics.textfile',
        expected: 'a name like kikitori.prom',
      });
    const metrics = new Metrics(house, new Numbers(house));
    if (listen !== '')
      metrics.port = new HttpPort(house, {
        ...{ listen, connectionsMax, name: 'metrics' },
        handle: (request, response) => void metrics.answer(request, response),
      });
    if (textfile !== '') {
      metrics.write(textfile);
      metrics.timers.every(textfileMs, () => metrics.write(textfile));
    }
    return metrics;
  }

  async close(): Promise<void> {
    this.timers.cancel();
    await Promise.all([this.port?.close(), this.writing]);
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? '').split('?')[0];
    const end = (status: number, text: string, type = 'text/plain; charset=utf-8') => {
      response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' });
      response.end(request.method === 'HEAD' ? undefined : text);
    };
    if (request.method !== 'GET' && request.method !== 'HEAD') return end(405, 'only GET\n');
    if (path !== '/metrics') return end(404, 'the numbers are at /metrics\n');
    try {
      end(200, await this.text(), this.numbers.contentType);
    } catch (error) {
      end(500, `${messageOf(error)}\n`);
    }
  }

  private text(): Promise<string> {
    const now = this.house.clock.monotonic();
    if (this.made === null || now - this.made.atMs >= freshMs)
      this.made = { text: this.numbers.text(), atMs: now };
    return this.made.text;
  }

  /** Beside it and renamed: the collector never reads a half. A disk that refuses is said once. */
  private write(path: string): void {
    this.writing = this.writing.then(async () => {
      try {
        await atomicWrite(path, await this.numbers.text(), 0o644);
        this.lastFault = '';
      } catch (error) {
        const why = messageOf(error);
        if (why !== this.lastFault)
          this.house.log.error({ event: 'metrics.not-written', path, why }, 'no file of metrics');
        this.lastFault = why;
      }
    });
  }
}
