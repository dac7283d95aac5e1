/** Nothing that was accepted is lost: the process is killed, the broker goes away, the disk is full. */
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import t from 'tap';
import { randomFrom } from '../../src/measure/evaluate/statistics.js';
import { Mosquitto, Subscriber } from '../sim/mosquitto.js';
import { Child } from '../sim/process.js';

const persistent = [
  'allow_anonymous true',
  'persistence true',
  'persistence_location {folder}/',
  'max_queued_messages 0',
];
const path = fileURLToPath(new URL('../sim/talker.js', import.meta.url));
const talker = (options: {
  url: string;
  dir: string;
  first: number;
  count: number;
  everyMs: number;
}) => Child.node([path, JSON.stringify(options)]);
const acceptedOf = (child: Child) =>
  child.lines.filter((l) => l.startsWith('accepted ')).map((l) => Number(l.slice(9)));
const numberOf = (json: Record<string, unknown>) =>
  Number((json['slots'] as { number: number }).number);

void t.test(
  'killed ten times while the broker comes and goes: all accepted arrive, in order',
  async (t) => {
    const random = randomFrom(3);
    const dir = await mkdtemp(join(tmpdir(), 'kikitori-loss-'));
    const broker = await Mosquitto.open({ config: persistent });
    const subscriber = await Subscriber.open(broker.url, 'k/d/intent/Count', {
      clean: false,
      clientId: 'consumer',
    });
    const accepted: number[] = [];
    let child: Child | null = null;
    t.teardown(async () => {
      await child?.kill();
      await subscriber.close();
      await broker.close();
      await rm(dir, { recursive: true, force: true });
    });
    for (let round = 0; round < 10; round++) {
      const first = round * 10_000;
      const running = talker({ url: broker.url, dir, first, count: 9000, everyMs: 2 });
      child = running;
      await running.line('accepted');
      if (round % 3 === 1) {
        await broker.stop();
        await running.line(`accepted ${first + 40}`, running.lines.length);
        // Once it is killed with all of them unsent.
        if (round === 7) await running.kill();
        await broker.start();
      }
      await new Promise((resolve) => setTimeout(resolve, 100 + 300 * random()));
      await running.kill();
      accepted.push(...acceptedOf(running));
    }
    child = talker({ url: broker.url, dir, first: 900_000, count: 1, everyMs: 1 });
    await subscriber.find(({ json }) => numberOf(json) === 900_000);
    const got = subscriber.messages.map(({ json }) => numberOf(json));
    const unique = [...new Set(got)];
    const missing = accepted.filter((n) => !unique.includes(n));
    t.ok(accepted.length >= 100, `${accepted.length} accepted`);
    t.same(missing, [], 'none is lost');
    t.same(
      unique,
      [...unique].sort((a, b) => a - b),
      'first deliveries are in order',
    );
    t.comment(`${accepted.length} accepted, ${got.length - unique.length} delivered twice`);
    const late = subscriber.messages.filter(({ json }) => json['replayed'] === true);
    t.ok(late.length > 0, 'those of an earlier run say replayed');
  },
);

void t.test(
  'a full disk: commands go on over MQTT, and are on disk again when there is room',
  async (t) => {
    const dir = await mkdtemp(join(tmpdir(), 'kikitori-full-'));
    const broker = await Mosquitto.open();
    const subscriber = await Subscriber.open(broker.url, 'k/d/transcript');
    const child = talker({ url: broker.url, dir, first: 0, count: 1e6, everyMs: 5 });
    t.teardown(async () => {
      await child.kill();
      await subscriber.close();
      await broker.close();
      await rm(dir, { recursive: true, force: true });
    });
    const limit = (bytes: string) =>
      execFileSync('prlimit', ['--pid', String(child.child.pid), `--fsize=${bytes}:unlimited`]);
    await child.line('accepted 20');
    limit('4096');
    await child.line('outbox.write-failed');
    const during = acceptedOf(child).at(-1) ?? 0;
    await subscriber.find(({ json }) => json['text'] === `number ${during + 20}`);
    t.pass('commands arrive while the disk takes nothing');
    await broker.stop();
    await child.line('mqtt.down');
    await child.line(`accepted ${(acceptedOf(child).at(-1) ?? 0) + 20}`);
    limit('unlimited');
    await child.line('outbox.disk-back');
    const known = acceptedOf(child).at(-1) ?? 0;
    await child.line(`accepted ${known + 1}`);
    await child.kill();
    t.equal(child.lines.filter((l) => l.includes('outbox.write-failed')).length, 1, 'said once');
    await broker.start();
    const next = talker({ url: broker.url, dir, first: 1e7, count: 1, everyMs: 1 });
    await subscriber.find(({ json }) => json['text'] === 'number 10000000');
    await next.kill();
    const texts = new Set(subscriber.messages.map(({ json }) => json['text']));
    const missing = Array.from({ length: known + 1 }, (_, i) => `number ${i}`).filter(
      (x) => !texts.has(x),
    );
    t.same(missing, [], 'also those that were accepted in memory and saved later');
  },
);
