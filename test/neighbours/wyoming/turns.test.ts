/** The microphone first, then everybody else in turn. */
import t from 'tap';
import { InTurn, Turns } from '../../../src/neighbours/wyoming/turns.js';
import type { AcousticStream, LogProbs } from '../../../src/recognizer/index.js';

void t.test('nobody gets two turns while another waits', async (t) => {
  const turns = new Turns(async () => undefined);
  const order: string[] = [];
  const client = async (name: string) => {
    for (let i = 0; i < 5; i++) await turns.take(() => order.push(name));
  };
  await Promise.all(['a', 'b', 'c'].map(client));
  t.equal(order.join(''), 'abc'.repeat(5));
});

void t.test('no turn while audio of the microphone waits', async (t) => {
  let waits = true;
  let release: () => void = () => undefined;
  const quiet = new Promise<void>((resolve) => (release = resolve));
  const turns = new Turns(async () => (waits ? quiet : undefined));
  let done = false;
  const work = turns.take(() => (done = true));
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
  t.equal(done, false);
  waits = false;
  release();
  await work;
  t.equal(done, true);
});

void t.test('work that fails is the failure of who gave it alone', async (t) => {
  const turns = new Turns(async () => undefined);
  const failing = turns.take(() => Promise.reject(new Error('no')));
  const next = turns.take(() => 7);
  await t.rejects(failing, /no/);
  t.equal(await next, 7);
});

/** Answers each row with its own number, and says how many rows came in a call. */
function counting(calls: number[]) {
  const begin = (): AcousticStream => {
    let seen = 0;
    const feed = async (rows: Float32Array): Promise<LogProbs> => {
      calls.push(rows.length / 2);
      const steps = rows.length / 2;
      return { data: Float32Array.from({ length: steps }, () => seen++), steps };
    };
    return { feed, finish: async () => ({ data: Float32Array.of(seen), steps: 1 }) };
  };
  return { units: 1, dim: 2, begin };
}

void t.test('the network in turn gives what it gives at once', async (t) => {
  const calls: number[] = [];
  let turnsTaken = 0;
  const turns = new Turns(async () => void turnsTaken++);
  const acoustic = new InTurn(counting(calls), turns, 4);
  const stream = acoustic.begin();
  t.same([...(await stream.feed(new Float32Array(20))).data], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  t.same(calls, [4, 4, 2], 'no call of more than it takes');
  t.equal((await stream.feed(new Float32Array(0))).steps, 0);
  t.same([...(await acoustic.whole(new Float32Array(12))).data], [0, 1, 2, 3, 4, 5, 6]);
  t.ok(turnsTaken >= 6);
});
