/**
 * Power lost after every operation on the disk of slots, journal, statistics, evidence and of edited files. What is
 * promised of each step (test/update/power.test.ts builds on it): wholly or not at all, and for good once it resolves.
 */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { sha256 } from '../../src/bundle/index.js';
import { editConfig, loadConfig } from '../../src/config/index.js';
import { randomFrom } from '../../src/measure/evaluate/statistics.js';
import { saveGrammar } from '../../src/neighbours/page/grammar-file.js';
import { readAnnounced, writeAnnounced } from '../../src/neighbours/home-assistant/announced.js';
import { Journal } from '../../src/update/journal.js';
import { Slots, type SlotRecord } from '../../src/update/slots.js';
import { initialState, type UpdateState } from '../../src/update/state.js';
import { nothingHeard } from '../../src/update/trial.js';
import { DiskTrace } from '../sim/disk-trace.js';

const home = await mkdtemp(join(tmpdir(), 'kikitori-power-disk-'));
t.teardown(() => rm(home, { recursive: true, force: true }));
let folders = 0;
async function folder(): Promise<string> {
  const path = join(home, String(folders++));
  await mkdir(path);
  return path;
}

/** A step that is under way may be done or not; those before it are. */
class Steps {
  private readonly ends: number[] = [];
  constructor(private readonly disk: DiskTrace) {}
  async do(action: () => Promise<unknown>): Promise<void> {
    await action();
    this.ends.push(this.disk.now);
  }
  /** How many were over after `n` operations. */
  over(n: number): number {
    return this.ends.filter((end) => end <= n).length;
  }
}

async function everyCut(
  trace: DiskTrace,
  look: (target: string, n: number, fate: string) => Promise<void>,
): Promise<number> {
  const random = randomFrom(5);
  const target = join(home, 'after');
  let states = 0;
  for (let n = 0; n <= trace.now; n++)
    for await (const { fate } of trace.after(n, target, random)) {
      states++;
      await look(target, n, fate);
    }
  return states;
}

const bundles = ['one', 'two', 'three'].map((text, i) => {
  const bytes = Buffer.from(text.repeat(2000));
  const record: SlotRecord = {
    format: 1,
    sha256: sha256(bytes),
    bytes: bytes.length,
    name: 'tones',
    version: `${i + 1}.0.0`,
    deployment: `d${i + 1}`,
  };
  return { bytes, record };
});

void t.test('slots and their pointer', async (t) => {
  const dir = await folder();
  const wanted = ['A', 'B', 'A'] as const;
  let steps: Steps | undefined;
  // Each download lies beside the slots, synced, as the source leaves it.
  for (const [i, { bytes }] of bundles.entries()) await writeFile(join(dir, `part-${i}`), bytes);
  const trace = await DiskTrace.of(dir, async (disk) => {
    steps = new Steps(disk);
    const slots = new Slots(join(dir, 'slots'));
    await slots.open();
    for (const [i, name] of wanted.entries()) {
      await steps.do(() => slots.store(name, join(dir, `part-${i}`), bundles[i]!.record));
      await steps.do(() => slots.point(name));
    }
  });
  const states = await everyCut(trace, async (target, n, fate) => {
    const over = steps?.over(n) ?? 0;
    const slots = new Slots(join(target, 'slots'));
    await slots.open();
    const pointed = await slots.pointed();
    const done = Math.floor(over / 2);
    const before = done === 0 ? null : wanted[done - 1];
    const underWay = over % 2 === 1 ? wanted[done] : before;
    if (pointed !== before && pointed !== underWay)
      t.fail(`${fate}: points to ${String(pointed)}, ${over} steps were over`);
    if (pointed === null) return;
    // What the pointer names hears: its bytes are those that were verified.
    const { record } = await slots.verified(pointed as 'A' | 'B').catch((error: unknown) => {
      t.fail(`${fate}: ${String(error)}`);
      return { record: bundles[0]!.record };
    });
    const version =
      pointed === before ? bundles[done - 1]?.record.version : bundles[done]?.record.version;
    if (record.version !== version) t.fail(`${fate}: ${record.version}, not ${String(version)}`);
    for (const name of ['A', 'B'] as const) {
      const slot = await slots.read(name);
      if (slot.state === 'unknown') t.fail(`${fate}: slot ${name}: ${slot.why}`);
      else if (slot.state === 'filled')
        await slots.verified(name).catch((e: unknown) => t.fail(`${fate}: ${String(e)}`));
    }
  });
  t.ok(states > 50);
  t.comment(`${trace.now} operations, ${states} folders`);
});

void t.test('journal, statistics, evidence', async (t) => {
  const dir = await folder();
  const stateOf = (i: number): UpdateState => ({ ...initialState, detail: `step ${i}` });
  let steps: Steps | undefined;
  const trace = await DiskTrace.of(dir, async (disk) => {
    steps = new Steps(disk);
    const journal = new Journal(join(dir, 'update'));
    await journal.load(new Slots(join(dir, 'slots')));
    for (let i = 0; i < 3; i++) {
      await steps.do(() => journal.save(stateOf(i)));
      await steps.do(() => journal.saveStatistics(String(i), { ...nothingHeard, audioMs: i }));
    }
  });
  const states = await everyCut(trace, async (target, n, fate) => {
    const over = steps?.over(n) ?? 0;
    const aside: string[] = [];
    const journal = new Journal(join(target, 'update'), undefined, (path) => aside.push(path));
    const { detail } = await journal.load(new Slots(join(target, 'slots')));
    if (aside.length > 0) t.fail(`${fate}: the journal was torn`);
    const details = [initialState, stateOf(0), stateOf(1), stateOf(2)].map((one) => one.detail);
    const saved = Math.ceil(over / 2);
    const allowed = over % 2 === 0 ? details.slice(saved, saved + 2) : [details[saved]];
    if (!allowed.includes(detail)) t.fail(`${fate}: ${detail}, not ${allowed.join(' or ')}`);
    const heard = await Promise.all([0, 1, 2].map((i) => journal.loadStatistics(String(i))));
    const written = Math.floor(over / 2);
    const whole = heard.some(({ audioMs }, i) => audioMs === i && i >= written - 1);
    if (written > 1 && !whole) t.fail(`${fate}: the statistics are lost`);
  });
  t.comment(`${trace.now} operations, ${states} folders`);
});

void t.test(
  'files that are edited: configuration, sentences, what Home Assistant was told',
  async (t) => {
    const dir = await folder();
    const config = join(dir, 'config.yaml');
    const grammar = join(dir, 'sentences.yaml');
    const grammarOf = (word: string) => `intents:\n  Stop: {data: [{sentences: ["${word}"]}]}\n`;
    await writeFile(config, '# kept\ncapture: {gainDb: 1}\n');
    await writeFile(grammar, grammarOf('stop'));
    let steps: Steps | undefined;
    const told = (topic: string) => [
      { topic: `${topic}/device/x/config`, platforms: { a: 'sensor' } },
    ];
    const trace = await DiskTrace.of(dir, async (disk) => {
      steps = new Steps(disk);
      await steps.do(() => editConfig(config, { 'capture.gainDb': 2 }, {}));
      await steps.do(() =>
        saveGrammar(grammarOf('go'), sha256(grammarOf('stop')), {
          path: grammar,
          check: async () => ({ ok: true as const, sentences: 1, warnings: [] }),
          reload: async () => null,
        }),
      );
      await steps.do(() => writeAnnounced(join(dir, 'told.json'), told('one')));
      await steps.do(() => writeAnnounced(join(dir, 'told.json'), told('two')));
    });
    const states = await everyCut(trace, async (target, n, fate) => {
      const over = steps?.over(n) ?? 0;
      const is = (what: string, found: unknown, step: number, old: unknown, fresh: unknown) => {
        const allowed = over > step ? [fresh] : over === step ? [old, fresh] : [old];
        if (!allowed.some((one) => JSON.stringify(one) === JSON.stringify(found)))
          t.fail(`${fate}: ${what} is ${JSON.stringify(found)}`);
      };
      const edited = await readFile(join(target, 'config.yaml'), 'utf8');
      if (!edited.startsWith('# kept')) t.fail(`${fate}: ${edited}`);
      is('gain', loadConfig(join(target, 'config.yaml'), {}).capture.gainDb, 0, 1, 2);
      const sentences = await readFile(join(target, 'sentences.yaml'), 'utf8');
      is('sentences', sentences, 1, grammarOf('stop'), grammarOf('go'));
      const [one] = await readAnnounced(join(target, 'told.json'));
      const topic = one?.topic.split('/')[0];
      if (over <= 2) is('told', topic ?? 'none', 2, 'none', 'one');
      else is('told', topic, 3, 'one', 'two');
    });
    t.comment(`${trace.now} operations, ${states} folders`);
  },
);
