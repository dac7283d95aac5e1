/** The metrics' port before those who mean harm: the daemon hears all the while. */
import t from 'tap';
import { sizeOf } from '../../../bench/lib/process-size.js';
import { randomFrom } from '../../../src/measure/evaluate/statistics.js';
import { until } from '../../sim/mic-sim.js';
import { freePort } from '../../sim/mosquitto.js';
import { PageBoard } from '../../sim/page-board.js';
import { crowd, letters, Rude, spoiled } from '../../sim/rude.js';

const connectionsMax = 16;
const moreMbMax = 80;
const scrape = 'GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n';

void t.test('a daemon with metrics', async (t) => {
  const port = await freePort();
  const board = await PageBoard.start({ more: { metrics: { listen: `127.0.0.1:${port}` } } });
  t.teardown(async () => board.remove());
  const { daemon } = board;
  await until('both ports are open', () => daemon.events('http.listening').length === 2);
  const pid = daemon.child.child.pid ?? 0;
  await board.hears('stop the conveyor', 'ConveyorStop');
  const text = async () => (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  t.match(await text(), 'kikitori_microphone_up 1');
  const before = await sizeOf(pid);
  const linesBefore = daemon.child.lines.length;

  const slow = [0, 1, 2, 3].map(() => new Rude(port).drip(scrape));

  const random = randomFrom(25);
  const answers = new Map<string, number>();
  for (let round = 0; round < 30; round++) {
    const some = [0, 1, 2, 3].map((i) => {
      const first = i === 3 ? letters(random, 400) : spoiled(random, Buffer.from(scrape));
      return new Rude(port, { first });
    });
    await Promise.all(some.map((one) => one.sent));
    // What came before this one has been read when it is answered.
    const probe = new Rude(port, { first: 'GET /x HTTP/1.1\r\nhost: x\r\n\r\n' });
    await until('the next is answered or refused', () => probe.got !== '' || probe.over);
    for (const one of [...some, probe]) {
      for (const [, status = ''] of one.got.matchAll(/HTTP\/1\.1 (\d{3})/g))
        answers.set(status, (answers.get(status) ?? 0) + 1);
      one.leave();
    }
  }
  t.ok(
    [...answers.keys()].every((status) => /^[1-4]/.test(status)),
    [...answers.keys()].join(' '),
  );
  t.ok((answers.get('404') ?? 0) > 0 && (answers.get('400') ?? 0) > 0);

  // Asked for again and again before the first answer, and not read.
  const ahead = crowd(port, 8, () => scrape.repeat(5000));
  await until('they are cut off', () => ahead.every(({ over }) => over));

  const many = crowd(port, 1000, (i) => (i % 2 === 0 ? scrape : ''));
  await until(
    'the others are refused',
    () => many.filter(({ over }) => over).length >= 1000 - connectionsMax,
  );
  await board.hears('turn on the hall light', 'Light');
  for (const one of many) one.leave();
  await Promise.all(slow.map((one) => one.closed));
  t.pass('who sends a byte a second is cut off');

  await until('it answers again', () =>
    text().then(
      (now) => now.includes('kikitori_intents_total{intent="Light"} 1'),
      () => false,
    ),
  );
  const after = await sizeOf(pid);
  t.ok(after.peakMb - before.peakMb < moreMbMax, `${(after.peakMb - before.peakMb).toFixed(0)} MB`);
  t.ok(daemon.child.lines.length - linesBefore < 30, 'no line for each of them');
  await until('nothing stays open', async () => (await sizeOf(pid)).files <= before.files + 3);
});
