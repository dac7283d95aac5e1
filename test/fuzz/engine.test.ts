/** Whether the fuzzer finds what is there to be found: a mistake behind three conditions, a hang, a polluted prototype. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { KikitoriError } from '../../src/runtime/errors.js';
import { judge } from './engine/judge.js';
import { mutateJson } from './engine/mutate-json.js';
import { mutateProtobuf } from './engine/mutate-protobuf.js';
import { mutated } from './engine/mutate.js';
import { Random } from './engine/random.js';
import { Wrong, type Target } from './engine/target.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const target = (run: (input: Buffer) => void, more: Partial<Target> = {}): Target => ({
  ...{ name: 'toy', right: 'nothing', covers: ['none'], seeds: () => ['a'] },
  ...more,
  run,
});
const refusal = (what: string) => new KikitoriError(what, { kind: 'input', where: 'file:1' });
const verdict = async (run: (input: Buffer) => void, more: Partial<Target> = {}) =>
  (await judge(target(run, more), Buffer.from('input')))?.key;

void t.test('what is a find, and what is a refusal as it must be', async (t) => {
  t.equal(await verdict(() => undefined), undefined);
  t.equal(
    await verdict(() => {
      throw refusal('this is no file');
    }),
    undefined,
  );
  t.match(
    await verdict(() => {
      throw new TypeError('x is not a function');
    }),
    /TypeError test\/fuzz\/engine\.test/,
  );
  t.match(
    await verdict(() => {
      throw refusal('Cannot read properties of undefined');
    }),
    /internals/,
  );
  t.match(
    await verdict(
      () => {
        throw refusal('wrong');
      },
      { where: 'other' },
    ),
    /does not say where/,
  );
  t.equal(
    await verdict(() => {
      throw new Wrong('7 values, not 8');
    }),
    'N values, not N',
  );
  t.equal(
    await verdict(() => {
      (Object.prototype as { polluted?: number }).polluted = 1;
    }),
    'pollution',
  );
  t.notOk('polluted' in {}, 'and it is gone');
  t.equal(
    await verdict(
      () => {
        const until = process.cpuUsage().user + 60_000;
        while (process.cpuUsage().user < until);
      },
      { processorMsMax: 20 },
    ),
    'slow',
  );
});

void t.test(
  'changes are the same with the same seed, within the limit, and never throw',
  async (t) => {
    const json = Buffer.from('{"a":[1,{"b":"c"}],"d":null}');
    const message = Buffer.from([8, 150, 1, 18, 7, 10, 5, 104, 101, 108, 108, 111]);
    const limits = { words: ['word'], text: true, bytesMax: 500 };
    const run = (seed: number) => {
      const random = new Random(seed);
      const made: string[] = [];
      let [a, b, c]: [Buffer, Buffer, Buffer] = [json, json, message];
      for (let i = 0; i < 300; i++) {
        a = mutated(a.length > 400 ? json : a, random, b, limits);
        b = mutateJson(b.length > 2000 ? json : b, random, json);
        c = mutateProtobuf(c.length > 2000 ? message : c, random, message);
        JSON.parse(b.toString());
        t.ok(a.length <= 500 || a === json);
        made.push(a.toString('hex'), b.toString('hex'), c.toString('hex'));
      }
      return made;
    };
    t.same(run(3), run(3));
    t.notSame(run(3), run(4));
  },
);

const search = (name: string, ...more: string[]) =>
  spawnSync(
    process.execPath,
    [
      ...['--import', './scripts/lib/transpiled.js', '--import', './scripts/lib/instrumented.js'],
      ...['test/fuzz/engine/main.ts', name, '--targets', 'test/fuzz/toys', ...more],
    ],
    // Where tap measures coverage its own loader is not handed on.
    { cwd: root, encoding: 'utf8', env: { ...process.env, NODE_OPTIONS: '' } },
  );

void t.test('a mistake that only branches lead to is found', async (t) => {
  const { status, stdout } = search('maze', '--seconds', '60', '--seed', '2', '--finds', '1');
  t.equal(status, 1, stdout);
  t.match(stdout, /FOUND in maze: .*the middle of the maze/);
  t.match(stdout, /maze: \d+ executions in \d+ s of the processor/);
});

void t.test('an execution without an end is found, and its input is there', async (t) => {
  const path = `${root}tmp/fuzz/endless-hang`;
  rmSync(path, { force: true });
  const { signal, stdout } = search('endless', '--seconds', '20', '--hang', '500');
  t.equal(signal, 'SIGKILL', stdout);
  t.match(stdout, /FOUND hang/);
  t.ok(existsSync(path));
  t.match(readFileSync(path, 'latin1'), /h/);
});
