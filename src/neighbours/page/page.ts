import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Heard, Chunk, Partial } from '../../records.js';
import { messageOf } from '../../runtime/errors.js';
import type { Changed, Context, House, Neighbour } from '../neighbour.js';
import { HttpPort } from '../shared/http-port.js';
import { Allowance } from './allowance.js';
import { apiOf, smallBytesMax, type Api } from './api.js';
import { Board } from './board.js';
import { CheckThread } from './check-thread.js';
import { readFiles, type StaticFile } from './files.js';
import { Gate } from './gate.js';
import { Guard } from './guard.js';
import { answerJson, head, jsonBody, Refusal, textOf } from './http.js';
import { Meter } from './meter.js';
import { Streams } from './streams.js';
import { tokenLettersMax, tokenOf } from './token.js';

const connectionsMax = 48;
/** Longest wait for an answer; requests of MQTT have 30 s. */
const actionMs = 45_000;
/** For each address: opening the page takes some 20. */
const requests = { atOnce: 120, perSecond: 10 };
/** Health and state are told at most so often. */
const stateMs = 1000;

/** The page of the device: what it hears, why it refused, and its sentences, on a phone beside the machine. */
export class Page implements Neighbour {
  private readonly board: Board;
  private readonly meter = new Meter();
  private readonly streams: Streams;
  private readonly guard: Guard;
  private readonly requests: Allowance;
  private readonly checks: CheckThread;
  private readonly api: Api;
  private readonly port: HttpPort;
  private cancelState: (() => void) | null = null;
  private saying = false;

  private constructor(
    private readonly house: House,
    token: string | null,
    private readonly files: ReadonlyMap<string, StaticFile>,
  ) {
    const { clock } = house;
    this.board = new Board(house);
    this.streams = new Streams(clock);
    this.guard = new Guard(clock, token);
    this.requests = new Allowance(clock, requests.atOnce, requests.perSecond);
    this.checks = new CheckThread(clock);
    this.api = apiOf(house, new Gate(clock, () => house.spare()), this.checks);
    this.port = new HttpPort(house, {
      ...{ listen: house.config().page.listen, connectionsMax, name: 'page' },
      handle: (request, response) => void this.answer(request, response),
    });
  }

  static async open(house: House): Promise<Page> {
    return new Page(house, tokenOf(house.config().page), await readFiles());
  }

  async close(): Promise<void> {
    this.cancelState?.();
    this.streams.close();
    await Promise.all([this.port.close(), this.checks.close()]);
  }

  // Told by the daemon

  audio(chunk: Chunk): void {
    if (!this.streams.any) return;
    const { sampleRateHz } = this.house.engine().bundle.manifest.features;
    const level = this.meter.feed(chunk, sampleRateHz);
    if (level !== null) this.streams.sendNow('level', level);
  }

  partial({ text }: Partial): void {
    this.saying = text !== '';
    this.streams.sendNow('partial', { text });
  }

  heard(heard: Heard, context: Context): void {
    const utterance = this.board.heard(heard, context);
    if (this.saying) this.streams.sendNow('partial', { text: '' });
    this.saying = false;
    this.streams.send('utterance', utterance);
    this.tellState();
  }

  event(name: string, data: Readonly<Record<string, unknown>>): void {
    if (name === 'wake') this.streams.send('wake', data);
    this.tellState();
  }

  changed(_what: Changed): void {
    this.tellState();
  }

  private tellState(): void {
    if (!this.streams.any || this.cancelState !== null) return;
    this.cancelState = this.house.clock.after(stateMs, () => {
      this.cancelState = null;
      this.streams.send('state', this.board.state());
    });
  }

  // Asked by a browser

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on('error', () => undefined);
    try {
      await this.route(request, response);
    } catch (error) {
      if (response.headersSent || response.destroyed) {
        response.destroy();
      } else if (error instanceof Refusal) {
        answerJson(response, error.status, { error: error.message }, error.headers);
      } else {
        this.house.log.error({ event: 'page.failed', why: messageOf(error) }, 'page: no answer');
        answerJson(response, 500, { error: messageOf(error) });
      }
    }
  }

  private async route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', headers } = request;
    const address = request.socket.remoteAddress ?? '';
    const path = (request.url ?? '').split('?')[0] ?? '';
    const asking = { headers, address };
    if (!this.requests.take(address))
      throw new Refusal(429, 'too many requests; wait a few seconds', { 'retry-after': '5' });
    if (!this.guard.knowsHost(asking))
      throw new Refusal(
        421,
        'this page answers to localhost and 127.0.0.1 only; another name needs page.tokenFile',
      );
    const file = this.files.get(path);
    if (file !== undefined) return sendFile(method, file, response);
    const [, name] = /^\/api\/([a-z/]+)$/.exec(path) ?? [];
    if (name === undefined) throw new Refusal(404, 'there is nothing here');
    if (!this.guard.sameOrigin(asking))
      throw new Refusal(403, 'only this page itself may ask that, not another site');
    if (name === 'session') return this.session(request, response);
    const verdict = this.guard.admits(asking);
    if (verdict === 'too-many') throw tooManyTokens();
    if (verdict !== 'yes')
      throw new Refusal(401, verdict === 'no-token' ? 'the token is needed' : 'wrong token');
    if (method === 'GET' && name === 'events') return this.follow(response);
    if (method === 'GET' && name === 'grammar')
      return answerJson(response, 200, await this.api.grammar());
    const action = this.api.actions.get(name);
    if (action === undefined) throw new Refusal(name === 'events' ? 405 : 404, 'no such request');
    if (method !== 'POST') throw new Refusal(405, 'expected POST');
    // Its turn may come late on a board that hears; HttpPort cuts off sooner.
    request.socket.setTimeout(actionMs);
    answerJson(response, 200, await action.act(await jsonBody(request, action.bytesMax)));
  }

  /** GET: is a token needed? POST: here it is. DELETE: forget me. */
  private async session(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { headers } = request;
    const address = request.socket.remoteAddress ?? '';
    switch (request.method) {
      case 'GET': {
        const open = this.guard.admits({ headers, address }) === 'yes';
        return answerJson(response, 200, { open, needsToken: this.guard.needsToken });
      }
      case 'POST': {
        const token = textOf(await jsonBody(request, smallBytesMax), 'token', tokenLettersMax);
        const { verdict, cookie } = this.guard.enter(token.trim(), address);
        if (verdict === 'too-many') throw tooManyTokens();
        if (verdict !== 'yes') throw new Refusal(401, 'This is not the token.');
        return answerJson(
          response,
          200,
          { open: true },
          cookie === undefined ? {} : { 'set-cookie': cookie },
        );
      }
      case 'DELETE':
        return answerJson(
          response,
          200,
          { open: false },
          { 'set-cookie': this.guard.leave({ headers }) },
        );
      default:
        throw new Refusal(405, 'expected GET, POST or DELETE');
    }
  }

  private follow(response: ServerResponse): void {
    if (this.streams.full)
      throw new Refusal(503, 'too many have this page open; close it elsewhere', {
        'retry-after': '10',
      });
    this.port.endless(response);
    head(response, 200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'x-accel-buffering': 'no',
    });
    this.streams.add(response, [
      ['state', this.board.state()],
      ['utterances', this.board.utterances],
    ]);
  }
}

const tooManyTokens = () =>
  new Refusal(429, 'Too many wrong tokens. Wait a minute and try again.', { 'retry-after': '60' });

function sendFile(method: string, { type, bytes }: StaticFile, response: ServerResponse): void {
  if (method !== 'GET' && method !== 'HEAD') throw new Refusal(405, 'expected GET');
  head(response, 200, {
    'content-type': type,
    'content-length': String(bytes.length),
    // Newer ones after an upgrade.
    'cache-control': 'no-cache',
  });
  response.end(method === 'HEAD' ? undefined : bytes);
}
