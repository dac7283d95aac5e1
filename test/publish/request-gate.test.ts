/** Which requests of the broker are let in: the switches, and a share of the board's time that no flood exceeds. */
import t from 'tap';
import { keysOf, loadConfig, schema } from '../../src/config/index.js';
import { requestsOff } from '../../src/config/index.js';
import { requests } from '../../src/publish/contract/requests.js';
import { budgetMs, leastMs, RequestGate, share } from '../../src/publish/request-gate.js';
import { RequestDesk } from '../../src/publish/requests.js';
import { randomFrom } from '../../src/measure/evaluate/statistics.js';
import { TestClock } from '../sim/test-clock.js';

const clockAt = () => {
  const clock = { ms: 0, monotonic: () => clock.ms };
  return clock;
};

void t.test('each request has a switch, and the switch its request', async (t) => {
  const keys = [...keysOf(schema.publish.requests)].map(({ path }) => path);
  t.same(keys.sort(), Object.keys(requests).sort());
  t.same(requestsOff(loadConfig(undefined, {}).publish.requests), [], 'all are on');
  for (const name of keys) {
    const config = loadConfig(undefined, {
      [`KIKITORI_PUBLISH_REQUESTS_${name.toUpperCase()}`]: 'no',
    });
    t.same(requestsOff(config.publish.requests), [name]);
  }
});

void t.test(
  'what is switched off is refused, whatever comes with it, and nothing is done',
  async (t) => {
    const clock = new TestClock();
    let restarts = 0;
    const handlers = {
      restart: async () => ({ times: ++restarts }),
      mute: async () => ({}),
    };
    const desk = new RequestDesk(handlers, clock);
    const gate = new RequestGate(new Set(['restart']), clock);
    for (const text of ['', '{}', '{"transaction": 7}', '{"force": true}'])
      t.match(await desk.answer('restart', Buffer.from(text), gate), {
        status: 'error',
        data: {},
        error: 'the request "restart" is switched off on this device: publish.requests.restart',
        ...(text.includes('7') ? { transaction: 7 } : {}),
      });
    t.equal(restarts, 0);
    t.match(await desk.answer('mute', Buffer.from(''), gate), { status: 'ok' }, 'others go on');
    t.match(
      await desk.answer('restart', Buffer.from('')),
      { status: 'ok' },
      'the page has its own guard',
    );
  },
);

void t.test('who asks too often is told how long to wait, and is let in then', async (t) => {
  const clock = clockAt();
  const gate = new RequestGate(new Set(), clock);
  const ask = (tookMs: number) => {
    const why = gate.refuse('grammar');
    if (why !== null) return why;
    const done = gate.begin('grammar');
    clock.ms += tookMs;
    done();
    return null;
  };
  let count = 0;
  while (ask(5000) === null) count++;
  t.equal(count, 14, '60 s, and a tenth of the time that it took');
  const seconds = Number(/try again in (\d+) s$/.exec(String(ask(0)))?.[1]);
  t.equal(gate.refuse('mute'), null, 'another kind has a budget of its own');
  clock.ms += 1000 * (seconds - 1) - 1;
  t.type(ask(0), 'string', 'not before');
  clock.ms += 1001;
  t.equal(ask(0), null);
});

void t.test('no flood takes more than its share, in any span of time', async (t) => {
  for (let seed = 0; seed < 200; seed++) {
    const random = randomFrom(seed);
    const clock = clockAt();
    const gate = new RequestGate(new Set(), clock);
    const longestMs = 10 ** (1 + 3.5 * random());
    const work: { beginMs: number; tookMs: number }[] = [];
    for (let i = 0; i < 400; i++) {
      clock.ms += random() < 0.2 ? 2000 * random() : 0;
      if (gate.refuse('x') !== null) {
        clock.ms += 500 * random();
        continue;
      }
      const done = gate.begin('x');
      const tookMs = longestMs * random();
      work.push({ beginMs: clock.ms, tookMs });
      clock.ms += tookMs;
      done();
    }
    // Whatever the span: the budget, its share, and the last one, which began while there was some left.
    for (let from = 0; from < work.length; from += 17) {
      let sum = 0;
      for (const { beginMs, tookMs } of work.slice(from)) {
        sum += Math.max(leastMs, tookMs);
        const spanMs = beginMs + tookMs - (work[from]?.beginMs ?? 0);
        if (sum > budgetMs + share * spanMs + longestMs + leastMs)
          t.fail(`seed ${seed}: ${sum} ms of ${spanMs}`);
      }
    }
  }
  t.pass();
});

void t.test('many at once are charged at once', async (t) => {
  const clock = clockAt();
  const gate = new RequestGate(new Set(), clock);
  let count = 0;
  while (gate.refuse('x') === null) {
    gate.begin('x');
    count++;
  }
  t.equal(count, budgetMs / leastMs, 'none has ended yet');
});
