/** A board with its page: broker, microphone and the daemon as it ships. */
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defaultGrammarPath, defaultModelPath } from '../../src/runtime/paths.js';
import { Daemon, type DaemonOptions } from './daemon.js';
import { MicSim } from './mic-sim.js';
import { freePort, Mosquitto, Subscriber } from './mosquitto.js';
import { tinyLexicon } from './tiny-checkpoint.js';
import { speak, toneBundle } from './tone-model.js';

const grammar = `# The sentences of this machine.
intents:
  ConveyorStop: {data: [{sentences: ["stop [the] conveyor"]}]}
  ConveyorStart: {data: [{sentences: ["start [the] conveyor"]}]}
  Light:
    data:
      - sentences: ["turn {state} the {room} light"]
  CallSupervisor: {confirm: true, data: [{sentences: ["call [the] supervisor"]}]}
lists:
  state: {values: ["on", "off"]}
  room: {values: ["kitchen", "hall"]}
`;
const lexicon = tinyLexicon();

/** Lines of a server-sent stream as events. */
export interface PageEvent {
  readonly name: string;
  readonly data: Readonly<Record<string, unknown>>;
}

export class PageBoard {
  private constructor(
    readonly daemon: Daemon,
    readonly mic: MicSim,
    readonly broker: Mosquitto,
    readonly subscriber: Subscriber,
    readonly port: number,
  ) {}

  static async start({
    token,
    shipped = false,
    more = {},
  }: {
    readonly token?: string;
    /** With the model and the sentences that ship, instead of tones. */
    readonly shipped?: boolean;
    /** Other neighbours beside the page. */
    readonly more?: Partial<DaemonOptions>;
  } = {}): Promise<PageBoard> {
    const broker = await Mosquitto.open();
    const subscriber = await Subscriber.open(broker.url);
    const mic = await MicSim.create({});
    const model = shipped ? defaultModelPath : (await toneBundle()).path;
    const sentences = shipped ? await readFile(defaultGrammarPath, 'utf8') : grammar;
    const port = await freePort();
    const folder = await mkdtemp(join(tmpdir(), 'kikitori-page-'));
    if (token !== undefined) await writeFile(join(folder, 'token'), `${token}\n`);
    const daemon = await Daemon.start(
      {
        ...{ url: broker.url, model, grammar: sentences, mic },
        page:
          token === undefined
            ? { listen: `127.0.0.1:${port}` }
            : { listen: `0.0.0.0:${port}`, tokenFile: join(folder, 'token') },
        ...more,
      },
      folder,
    );
    await daemon.event('http.listening');
    await daemon.event('mic.up');
    return new PageBoard(daemon, mic, broker, subscriber, port);
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/`;
  }

  async say(text: string): Promise<void> {
    await this.mic.say(speak(text, { beforeMs: 300, afterMs: 400 }, lexicon));
  }

  /** Said, and published as a command: the daemon hears. */
  async hears(text: string, intent: string): Promise<void> {
    const before = this.subscriber.messages.length;
    await this.say(text);
    await this.subscriber.find(
      (m) => this.subscriber.messages.indexOf(m) >= before && m.topic.endsWith(`/intent/${intent}`),
    );
  }

  async get(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
    return fetch(new URL(path, this.url), { headers });
  }

  async post(
    path: string,
    body: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<{ status: number; data: Record<string, unknown>; headers: Headers }> {
    const response = await fetch(new URL(path, this.url), {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
    const data = (await response.json()) as Record<string, unknown>;
    return { status: response.status, data, headers: response.headers };
  }

  async remove(): Promise<void> {
    await this.daemon.remove();
    await this.mic.remove();
    await this.subscriber.close();
    await this.broker.close();
  }
}

/** Follows a stream of events until `wanted` says so; resolves with all of them. */
export async function follow(
  response: Response,
  wanted: (event: PageEvent) => boolean,
): Promise<PageEvent[]> {
  const seen: PageEvent[] = [];
  const decoder = new TextDecoder();
  let rest = '';
  if (response.body === null) throw new Error('no stream');
  for await (const part of response.body) {
    rest += decoder.decode(part as Uint8Array, { stream: true });
    const blocks = rest.split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const [, name, data] = /^event: (\w+)\ndata: (.*)$/.exec(block) ?? [];
      if (name === undefined || data === undefined) continue;
      const event = { name, data: JSON.parse(data) as PageEvent['data'] };
      seen.push(event);
      if (wanted(event)) return seen;
    }
  }
  throw new Error(`the stream ended: ${seen.map((e) => e.name).join(' ')}`);
}
