/** Whoever stands beside the daemon can harm neither hearing nor another neighbour. */
import t from 'tap';
import type { EarlyKind, House, Neighbour, NeighbourKind } from '../../src/neighbours/index.js';
import { Neighbours } from '../../src/neighbours/index.js';
import { KikitoriError } from '../../src/runtime/errors.js';
import { LinesLog } from '../sim/lines-log.js';
import { TestClock } from '../sim/test-clock.js';

/** As the daemon does: those that are early, then all. */
async function opened(house: House, kinds: readonly NeighbourKind[]): Promise<Neighbours> {
  const neighbours = await Neighbours.begin(house, kinds);
  await neighbours.enter(house);
  return neighbours;
}

function stage() {
  const clock = new TestClock();
  const lines = new LinesLog();
  const house = { clock, log: lines.log, config: () => ({}) } as unknown as House;
  const kind = (name: string, neighbour: Partial<Neighbour>, enabled = true): NeighbourKind => ({
    name,
    enabled: () => enabled,
    open: async () => ({ close: async () => undefined, ...neighbour }),
  });
  return { clock, lines, house, kind };
}

void t.test('each is told, also beside one that throws', async (t) => {
  const { house, kind, lines } = stage();
  const told: string[] = [];
  const throwing = () => {
    throw new Error('broken');
  };
  const neighbours = await opened(house, [
    kind('broken', { event: throwing, changed: throwing }),
    kind('well', { event: (name) => told.push(name), changed: (what) => told.push(what) }),
    kind('off', { event: () => told.push('off') }, false),
  ]);
  neighbours.event('mic-lost', {});
  for (let i = 0; i < 1500; i++) neighbours.changed('health');
  neighbours.audio({
    samples: new Float32Array(1),
    firstSample: 0,
    receivedAtMs: 0,
    gapBefore: false,
  });
  t.same(told.slice(0, 2), ['mic-lost', 'health']);
  t.equal(told.length, 1501);
  t.equal(lines.with('neighbour.failed').length, 2, 'not a line for each of 1501 faults');
});

void t.test('one that does not close is left behind', async (t) => {
  const { house, kind, clock, lines } = stage();
  let closed = 0;
  const neighbours = await opened(house, [
    kind('hangs', { close: () => new Promise(() => undefined) }),
    kind('well', { close: async () => void closed++ }),
  ]);
  const closing = neighbours.close();
  await clock.advance(2000);
  await closing;
  t.equal(closed, 1);
  t.match(lines.with('neighbour.failed'), [{ neighbour: 'hangs' }]);
});

void t.test('a wrong setting ends the start, and closes those that are open', async (t) => {
  const { house, kind } = stage();
  let closed = 0;
  const wrong: NeighbourKind = {
    name: 'wrong',
    enabled: () => true,
    open: async () => {
      throw new KikitoriError('no token', { kind: 'config', where: 'page.token' });
    },
  };
  const open = opened(house, [kind('well', { close: async () => void closed++ }), wrong]);
  await t.rejects(open, /no token/);
  t.equal(closed, 1);
});

void t.test('one that cannot be opened for another reason is done without', async (t) => {
  const { house, kind, lines } = stage();
  const told: string[] = [];
  const unlucky: NeighbourKind = {
    name: 'unlucky',
    enabled: () => true,
    open: async () => Promise.reject(new Error('out of luck')),
  };
  const neighbours = await opened(house, [
    unlucky,
    kind('well', { event: (name) => told.push(name) }),
  ]);
  neighbours.event('wake', {});
  t.same(told, ['wake']);
  t.match(lines.with('neighbour.failed'), [{ neighbour: 'unlucky', why: 'out of luck' }]);
});

void t.test(
  'one that must answer early is there before the house, and closed if that never is',
  async (t) => {
    const { house, kind, lines } = stage();
    const told: string[] = [];
    const early = (name: string, closed: string[]): EarlyKind => ({
      name,
      enabled: () => true,
      begin: async () => {
        told.push(`${name} begins`);
        return {
          open: async () => ({ event: (event) => told.push(event), close: async () => undefined }),
          close: async () => void closed.push(name),
        };
      },
    });
    const closed: string[] = [];
    const neighbours = await Neighbours.begin(house, [
      early('first', closed),
      kind('late', { event: (name) => told.push(`late ${name}`) }),
      { ...early('off', closed), enabled: () => false },
    ]);
    t.same(told, ['first begins']);
    neighbours.event('too-early', {});
    await neighbours.enter(house);
    neighbours.event('wake', {});
    t.same(told, ['first begins', 'wake', 'late wake']);

    const given = await Neighbours.begin(house, [early('given up', closed)]);
    await given.close();
    t.same(closed, ['given up']);

    const wrong: EarlyKind = {
      ...early('wrong', closed),
      begin: async () => {
        throw new KikitoriError('no port', { kind: 'config', where: 'x.listen' });
      },
    };
    await t.rejects(Neighbours.begin(house, [early('second', closed), wrong]), /no port/);
    t.same(closed, ['given up', 'second']);
    t.equal(lines.with('neighbour.failed').length, 0);
  },
);
