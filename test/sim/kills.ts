/**
 * The daemon as it ships is killed at random moments while it makes transcripts, and its broker too: what arrives is
 * held against what the daemon said that it accepted. Audio comes from standard input, as fast as it is heard.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { randomFrom } from '../../src/measure/evaluate/statistics.js';
import { program } from './daemon.js';
import { LineSim } from './line-sim.js';
import { until } from './mic-sim.js';
import { Mosquitto, Subscriber, type Message } from './mosquitto.js';
import { joined, silence, speak, toneBundle, toneGrammar } from './tone-bundle.js';

export interface KillsPlan {
  readonly seed: number;
  /** Transcripts that are accepted before it is over. */
  readonly transcripts: number;
  readonly kills: number;
  readonly brokerKills: number;
}

/** Of one life of the daemon. */
interface Life {
  /** Ids of the transcripts that it said it had accepted, in order. */
  readonly accepted: string[];
}

export interface Delivery {
  readonly topic: string;
  readonly id: string;
  readonly boot: string;
  readonly seq: number;
  readonly replayed: boolean;
  /** All that must be the same when it comes again. */
  readonly content: string;
}

const sentences = ['stop', 'start', 'go left'] as const;
const pcmOf = (text: string): Buffer => {
  const samples = joined([silence(200), speak(text), silence(600)]);
  const bytes = Buffer.alloc(2 * samples.length);
  samples.forEach((v, i) => bytes.writeInt16LE(Math.round(32767 * v), 2 * i));
  return bytes;
};
/** One kill in so many comes while the daemon still starts. */
const startKillEvery = 5;
const startMs = 1200;
const moreMs = 40;

export class Kills {
  kills = 0;
  startKills = 0;
  brokerKills = 0;
  private readonly lives: Life[] = [];
  private readonly deliveries: Delivery[] = [];
  private readonly random: () => number;
  private readonly utterances = sentences.map(pcmOf);
  private brokerWork: Promise<void> = Promise.resolve();
  private brokerDue: { readonly at: number; readonly away: number }[] = [];
  private acceptedCount = 0;

  private constructor(
    private readonly plan: KillsPlan,
    private readonly folder: string,
    private readonly configPath: string,
    private readonly broker: Mosquitto,
    private readonly line: LineSim,
    private subscriber: Subscriber,
    private readonly progress: (text: string) => void,
  ) {
    this.random = randomFrom(plan.seed);
    const { transcripts, brokerKills } = plan;
    this.brokerDue = Array.from({ length: brokerKills }, () => ({
      at: Math.floor(0.95 * transcripts * this.random()),
      away: Math.floor(40 * this.random()),
    })).sort((a, b) => a.at - b.at);
  }

  static async run(
    plan: KillsPlan,
    progress: (text: string) => void = () => undefined,
  ): Promise<Found & Pick<Kills, 'kills' | 'startKills' | 'brokerKills'>> {
    const folder = await mkdtemp(join(tmpdir(), 'kikitori-kills-'));
    const model = await toneBundle(join(folder, 'tones.tar'), { version: '1.0.0' });
    await writeFile(join(folder, 'sentences.yaml'), toneGrammar);
    // What the broker has acknowledged it hands on at once, or a kill would lose it there.
    const broker = await Mosquitto.open({
      config: ['allow_anonymous true', 'max_inflight_messages 0', 'max_queued_messages 0'],
    });
    const line = await LineSim.to(broker.port);
    const configPath = join(folder, 'config.json');
    const config = {
      device: { id: 'board' },
      model: { path: model.path },
      grammar: { path: join(folder, 'sentences.yaml') },
      capture: { source: 'stdin' },
      publish: { healthMs: '1s', mqtt: { url: line.url } },
      state: { dir: join(folder, 'state') },
    };
    await writeFile(configPath, JSON.stringify(config));
    const subscriber = await Subscriber.open(broker.url, 'kikitori/board/#');
    const kills = new Kills(plan, folder, configPath, broker, line, subscriber, progress);
    try {
      await kills.all();
      const { kills: count, startKills, brokerKills } = kills;
      return { ...kills.found(), kills: count, startKills, brokerKills };
    } finally {
      await kills.subscriber.close();
      await line.close();
      await broker.close();
      await rm(folder, { recursive: true, force: true });
    }
  }

  private async all(): Promise<void> {
    const { kills, transcripts } = this.plan;
    const share = transcripts / Math.max(1, kills);
    while (this.kills < kills) {
      if (this.kills % startKillEvery === startKillEvery - 1) await this.killedAtStart();
      else await this.killedAfter(this.left(share));
      this.kills++;
      if (this.kills % 10 === 0)
        this.progress(
          `${this.kills} kills of ${kills}, ${this.acceptedCount} transcripts, ${this.brokerKills} kills of the broker`,
        );
    }
    await this.lastLife();
  }

  /** So many more in this life; the whole comes out at the end whatever chance says. */
  private left(share: number): number {
    const { kills, transcripts } = this.plan;
    const running = Math.max(1, Math.ceil((kills - this.kills) * (1 - 1 / startKillEvery)));
    const even = Math.max(share, (transcripts - this.acceptedCount) / running);
    return Math.round(2 * even * this.random());
  }

  private async killedAtStart(): Promise<void> {
    const daemon = this.start();
    await sleep(startMs * this.random());
    this.startKills++;
    await daemon.kill();
  }

  private async killedAfter(count: number): Promise<void> {
    const daemon = this.start();
    const afterMs = moreMs * this.random();
    await daemon.accepted(count);
    await sleep(afterMs);
    await daemon.kill();
  }

  /** Until everything that was promised has arrived: one more transcript comes after all others. */
  private async lastLife(): Promise<void> {
    const wanted = this.plan.transcripts - this.acceptedCount;
    const daemon = this.start();
    await daemon.accepted(Math.max(1, wanted));
    await this.brokerWork;
    const last = daemon.life.accepted.length;
    await daemon.accepted(last + 1);
    daemon.quiet();
    const id = daemon.life.accepted[last] ?? '';
    const arrived = () => this.subscriber.messages.filter(({ json }) => json['id'] === id).length;
    await until('the last transcript', () => arrived() >= 2);
    await daemon.stop();
    this.take();
  }

  private start(): Running {
    const life: Life = { accepted: [] };
    this.lives.push(life);
    return new Running(
      this.configPath,
      life,
      () => this.utterances[Math.floor(this.utterances.length * this.random())] ?? Buffer.alloc(0),
      () => this.oneMore(),
    );
  }

  private oneMore(): void {
    this.acceptedCount++;
    const [due] = this.brokerDue;
    if (due === undefined || due.at > this.acceptedCount) return;
    this.brokerDue.shift();
    const back = this.acceptedCount + due.away;
    this.brokerWork = this.brokerWork.then(() => this.killBroker(back));
  }

  /** In the middle of what it carries; it comes back when some transcripts more have been made. */
  private async killBroker(back: number): Promise<void> {
    await until('something under way', () => this.line.carried > 2000);
    const { client } = this.subscriber;
    const closed = new Promise<void>((resolve) => client.once('close', () => resolve()));
    await this.broker.kill();
    this.line.shut();
    this.brokerKills++;
    await closed;
    this.take();
    await this.subscriber.close();
    await until('more transcripts', () => this.acceptedCount >= back);
    await this.broker.start();
    this.subscriber = await Subscriber.open(this.broker.url, 'kikitori/board/#');
    // Only now: otherwise the device could publish to a broker that has nobody to hand it to.
    this.line.open();
  }

  private take(): void {
    for (const message of this.subscriber.messages.splice(0)) {
      const delivery = deliveryOf(message);
      if (delivery !== null) this.deliveries.push(delivery);
    }
  }

  private found(): Found {
    return judge(
      this.lives.map(({ accepted }) => accepted),
      this.deliveries,
    );
  }
}

export function deliveryOf({ topic, json }: Message): Delivery | null {
  const { id, boot, seq, replayed, ...rest } = json;
  if (!/\/(transcript|intent\/\w+)$/.test(topic)) return null;
  return {
    topic: topic.includes('/intent/') ? 'intent' : 'transcript',
    id: String(id),
    boot: String(boot),
    seq: Number(seq),
    replayed: replayed === true,
    content: JSON.stringify([topic, boot, seq, rest]),
  };
}

export interface Found {
  readonly accepted: number;
  readonly delivered: number;
  /** Accepted, and on one of its topics never delivered. */
  readonly lost: readonly string[];
  /** Delivered for the first time after a later one of the same boot, or of a later boot. */
  readonly outOfOrder: readonly string[];
  readonly duplicates: number;
  /** The furthest that a duplicate came behind: messages whose first delivery was between its two. */
  readonly furthestDuplicate: number;
  /** Came again with other content, or without saying `replayed`. */
  readonly strange: readonly string[];
}

/** What arrived against what was accepted: lives in order, ids in order. */
export function judge(
  lives: readonly (readonly string[])[],
  deliveries: readonly Delivery[],
): Found {
  const accepted = lives.flat();
  const first = new Map<string, { readonly content: string; readonly place: number }>();
  const boots: string[] = [];
  const highest = new Map<string, number>();
  const outOfOrder: string[] = [];
  const strange: string[] = [];
  let duplicates = 0;
  let furthestDuplicate = 0;
  for (const { topic, id, boot, seq, replayed, content } of deliveries) {
    const key = `${topic} ${id}`;
    const before = first.get(key);
    if (before !== undefined) {
      duplicates++;
      furthestDuplicate = Math.max(furthestDuplicate, first.size - before.place);
      if (before.content !== content || !replayed) strange.push(key);
      continue;
    }
    first.set(key, { content, place: first.size });
    const last = highest.get(`${topic} ${boot}`) ?? -1;
    if (!boots.includes(boot)) boots.push(boot);
    if (seq <= last || boot !== boots.at(-1)) outOfOrder.push(key);
    highest.set(`${topic} ${boot}`, Math.max(last, seq));
  }
  const lost = accepted.flatMap((id) =>
    ['transcript', 'intent'].map((topic) => `${topic} ${id}`).filter((key) => !first.has(key)),
  );
  return {
    ...{ accepted: accepted.length, delivered: first.size, lost, outOfOrder },
    ...{ duplicates, furthestDuplicate, strange },
  };
}

/** One life: fed with speech until it is killed. */
class Running {
  private readonly child: ChildProcess;
  private readonly closed: Promise<number | null>;
  private over = false;
  private talking = true;
  private errors = '';

  constructor(
    configPath: string,
    readonly life: Life,
    private readonly next: () => Buffer,
    onAccepted: () => void,
  ) {
    // tap's own loader in the environment would cost a second a start.
    const { NODE_OPTIONS: _, ...env } = process.env;
    this.child = spawn(process.execPath, [program, 'run', '--config', configPath], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env,
    });
    const { stdin, stdout, stderr } = this.child;
    this.closed = new Promise((resolve) =>
      this.child.once('close', (status) => {
        this.over = true;
        resolve(status);
      }),
    );
    stdin?.on('error', () => undefined);
    stderr?.on('data', (part: Buffer) => (this.errors += part.toString()));
    if (stdout !== null)
      createInterface({ input: stdout }).on('line', (text) => {
        if (!text.includes('"heard.accepted"')) return;
        try {
          life.accepted.push((JSON.parse(text) as { id: string }).id);
          onAccepted();
        } catch {
          // A line that the kill cut off promises nothing.
        }
      });
    void this.feed();
  }

  /** Until so many were accepted in this life; fails when it ended by itself. */
  async accepted(count: number): Promise<void> {
    await until(`${count} transcripts`, () => {
      if (this.over) throw new Error(`the daemon ended by itself: ${this.errors}`);
      return this.life.accepted.length >= count;
    });
  }

  /** Says nothing more; standard input stays open. */
  quiet(): void {
    this.talking = false;
  }

  async kill(): Promise<void> {
    this.talking = false;
    this.child.kill('SIGKILL');
    await this.closed;
  }

  async stop(): Promise<void> {
    this.talking = false;
    this.child.kill('SIGTERM');
    const status = await this.closed;
    if (status !== 0) throw new Error(`the last stop ended with ${status}: ${this.errors}`);
  }

  private async feed(): Promise<void> {
    const { stdin } = this.child;
    while (this.talking && !this.over && stdin !== null) {
      if (stdin.write(this.next())) await new Promise((resolve) => setImmediate(resolve));
      else
        await Promise.race([new Promise((resolve) => stdin.once('drain', resolve)), this.closed]);
    }
  }
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
