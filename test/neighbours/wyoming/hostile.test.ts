/** The Wyoming port before those who mean harm: the daemon hears its microphone, and others, all the while. */
import t from 'tap';
import { sizeOf } from '../../../bench/lib/process-size.js';
import { randomFrom } from '../../../src/measure/evaluate/statistics.js';
import { until } from '../../sim/mic-sim.js';
import { PageBoard } from '../../sim/page-board.js';
import { crowd, letters, Rude, spoiled } from '../../sim/rude.js';
import { tinyLexicon } from '../../sim/tiny-checkpoint.js';
import { speak } from '../../sim/tone-model.js';
import { WyomingClient } from '../../sim/wyoming-client.js';

const connectionsMax = 64;
const moreMbMax = 120;
const lexicon = tinyLexicon();
const said = (text: string) => speak(text, { beforeMs: 300, afterMs: 900 }, lexicon);
const line = (event: object) => `${JSON.stringify(event)}\n`;

void t.test('a daemon with the Wyoming service', async (t) => {
  const board = await PageBoard.start({ more: { wyoming: { listen: '127.0.0.1:0' } } });
  t.teardown(async () => board.remove());
  const { daemon } = board;
  const port = Number((await daemon.event('wyoming.listening'))['port']);
  const pid = daemon.child.child.pid ?? 0;
  const open: WyomingClient[] = [];
  const client = async () => {
    const one = await WyomingClient.open(port);
    open.push(one);
    return one;
  };
  t.teardown(() => open.forEach((one) => one.close()));
  await board.hears('stop the conveyor', 'ConveyorStop');
  const first = await client();
  t.equal(await first.order(said('stop the conveyor')).text(), 'stop the conveyor');
  first.close();
  const before = await sizeOf(pid);
  const linesBefore = daemon.child.lines.length;

  // A byte a second: of a line, of data, of a payload.
  const slow = [
    new Rude(port).drip('{"type": "describe"}'),
    new Rude(port, { first: line({ type: 'recognize', data_length: 1000 }) }).drip('{"text":'),
    new Rude(port, { first: line({ type: 'played', payload_length: 1000 }) }).drip('xxxx'),
  ];

  // Orders with something wrong in them. What has no end is let go of.
  const random = randomFrom(26);
  const clip = said('turn on the hall light');
  const order = Buffer.concat([
    Buffer.from(line({ type: 'transcribe' })),
    Buffer.from(line({ type: 'audio-start', data: { rate: 16_000, width: 2, channels: 1 } })),
    Buffer.from(
      line({
        type: 'audio-chunk',
        data: { rate: 16_000, width: 2, channels: 1 },
        payload_length: 4000,
      }),
    ),
    Buffer.from(clip.buffer, 4 * 8000, 4000),
    Buffer.from(line({ type: 'recognize', data: { text: 'stop the conveyor' } })),
    Buffer.from(line({ type: 'audio-stop' })),
  ]);
  const kinds = new Map<string, number>();
  for (let round = 0; round < 25; round++) {
    const some = Array.from({ length: 12 }, (_, i) => {
      const bytes = i % 6 === 5 ? letters(random, 500) : spoiled(random, order);
      return new Rude(port, { first: bytes });
    });
    await Promise.all(some.map((one) => one.sent));
    const probe = await client();
    await probe.send('describe').event('info');
    probe.close();
    for (const one of some) {
      for (const [, kind = ''] of one.got.matchAll(/"type":"([a-z-]+)"/g))
        kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
      one.leave();
    }
  }
  t.ok((kinds.get('error') ?? 0) > 0, JSON.stringify([...kinds]));

  // Longer than they may be: each is told so, and nothing of it is held.
  for (const [bytes, why] of [
    ['x'.repeat(70_000), 'a line'],
    [line({ type: 'recognize', data_length: 300_000 }), 'data_length'],
    [line({ type: 'audio-chunk', payload_length: 2 ** 40 }), 'payload_length'],
    [line({ type: 'recognize', data_length: -1 }), 'data_length'],
    [`${'['.repeat(60_000)}\n`, 'a line'],
    [`{"type": "recognize", "data": {"text": ${'['.repeat(20_000)}${']'.repeat(20_000)}}}\n`, ''],
    [
      line({ type: 'recognize', data: JSON.parse('{"__proto__": {"text": "stop"}}') as object }),
      '',
    ],
  ] as const) {
    const one = new Rude(port, { first: bytes });
    await until('it is answered', () => one.got.includes('"type"'));
    if (why === '') t.match(one.got, '"not-recognized"');
    else t.match(one.got, new RegExp(`"error".*${why}`, 's'));
    one.leave();
  }

  // Every connection half-way through as much data as one may send, and a payload that nobody asked for.
  const half = crowd(
    port,
    60,
    (i) => line({ type: 'recognize', data_length: 256 * 1024 }) + 'x'.repeat(200_000 + (i % 5)),
  );
  const payload = Buffer.alloc(64 * 1024);
  const long = new Rude(port, { first: line({ type: 'played', payload_length: 100e6 }) });
  for (let i = 0; i < 200 && !long.over; i++)
    await new Promise<void>((resolve) => long.socket.write(payload, () => resolve()));
  await board.hears('start the conveyor', 'ConveyorStart');
  for (const one of [...half, long]) one.leave();

  // A thousand: the newest are served, and who is in use stays.
  const using = await client();
  await using.send('ping').event('pong');
  const speaking = await client();
  speaking.send('transcribe').audio(clip.subarray(0, 8000)).send('ping');
  await speaking.event('pong');
  const many: Rude[] = [];
  for (let i = 0; i < 1000; i += 40) {
    const some = crowd(port, 40, (n) => (n % 2 === 0 ? line({ type: 'describe' }) : '{'));
    many.push(...some);
    await Promise.all(some.map((one) => one.sent));
    // Let in after them.
    const probe = await client();
    await probe.send('describe').event('info');
    probe.close();
    await using.send('ping').event('pong', 2 + i / 40);
    // Who says nothing for half a minute is let go of, and this takes longer on a busy machine.
    speaking.audio(clip.subarray(8000 + i, 8040 + i));
  }
  await until(
    'most are let go of',
    () => many.filter(({ over }) => over).length >= 1000 - connectionsMax,
  );
  await board.hears('turn off the kitchen light', 'Light');
  speaking.audio(clip.subarray(9000)).send('audio-stop');
  t.equal(await speaking.text(), 'turn on the hall light', 'who speaks is heard to the end');
  await using.send('ping').event('pong', 27);
  t.pass('who did something lately stays');
  for (const one of many) one.leave();

  await Promise.all(slow.map((one) => one.closed));
  t.pass('who sends a byte a second is cut off');
  const after = await sizeOf(pid);
  t.ok(after.peakMb - before.peakMb < moreMbMax, `${(after.peakMb - before.peakMb).toFixed(0)} MB`);
  t.ok(daemon.child.lines.length - linesBefore < 60, 'no line for each of them');
  t.same(daemon.events('neighbour.failed'), []);
  await until('nothing stays open', async () => (await sizeOf(pid)).files <= before.files + 4);
});
