/** Whether a bundle is too slow, found out by a program that says what the test wants. */
import { existsSync, rmSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import t from 'tap';
import { modelSelfTest, Probe, waitsMs } from '../../src/agent/probe.js';
import { loadConfig } from '../../src/config/index.js';
import { systemClock, type Clock } from '../../src/runtime/clock.js';

const folder = await mkdtemp(join(tmpdir(), 'kikitori-probe-'));
t.teardown(() => rm(folder, { recursive: true, force: true }));
const config = loadConfig(undefined, {});

const selftestMs = 10_000;
/** By the clock, of a self-test: it is reached when the fake says that it hangs, and never because the machine is busy. */
const lateMs = 10 * selftestMs;
const hanging = join(folder, 'hanging');
const hangs = `require('fs').writeFileSync(${JSON.stringify(hanging)}, ''); setInterval(() => {}, 1000)`;

function whenItHangs(callback: () => void): () => void {
  let cancel = () => {};
  const look = () => {
    if (existsSync(hanging)) {
      rmSync(hanging);
      callback();
    } else cancel = systemClock.after(20, look);
  };
  look();
  return () => cancel();
}

/** Waits of a minute take none, or never end. */
const waited: number[] = [];
const waits = { end: true, begun: () => {} };
const clock: Clock = {
  ...systemClock,
  after: (ms, callback) => {
    if (ms === lateMs) return whenItHangs(callback);
    if (ms < 2000 || !waitsMs.includes(ms)) return systemClock.after(ms, callback);
    waited.push(ms);
    waits.begun();
    return systemClock.after(waits.end ? 1 : ms, callback);
  },
};

/** One line of answers for each bundle; the last one stays. A text is a program. */
type Answers = Readonly<Record<string, readonly (object | string)[]>>;

const good = { passed: true, logits: 'same', sampleRateHz: 16_000, peakRssMb: 90 };
const takes = (processorFactor: number, times = 1.1) => ({
  ...good,
  processorFactor,
  realTimeFactor: times * processorFactor,
});

async function tried(answers: Answers, signal = new AbortController().signal) {
  waited.length = 0;
  const file = join(folder, 'answers.json');
  await writeFile(file, JSON.stringify(answers));
  const code = `const fs = require('fs');
    const all = JSON.parse(fs.readFileSync(${JSON.stringify(file)}, 'utf8'));
    const mine = all[process.argv.at(-1)];
    const answer = mine.length > 1 ? mine.shift() : mine[0];
    fs.writeFileSync(${JSON.stringify(file)} + '.new', JSON.stringify(all));
    fs.renameSync(${JSON.stringify(file)} + '.new', ${JSON.stringify(file)});
    if (typeof answer === 'string') eval(answer); else console.log(JSON.stringify(answer));`;
  const probe = new Probe({
    config: () => ({
      ...config,
      update: { ...config.update, limits: { ...config.update.limits, selftestMs } },
    }),
    clock,
    log: pino({ level: 'silent' }),
    probeCommand: ['env', '-u', 'NODE_OPTIONS', process.execPath, '-e', code, '--'],
    selftest: modelSelfTest,
    runningPath: () => 'running',
    runningRateHz: () => 16_000,
    compile: async () => undefined,
  });
  const fault = await probe.try('candidate', signal);
  const left = JSON.parse(await readFile(file, 'utf8')) as Answers;
  return { fault, left };
}

void t.test('the files of the site go with it', async (t) => {
  const argv = join(folder, 'argv.json');
  const code = `require('fs').writeFileSync(${JSON.stringify(argv)}, JSON.stringify(process.argv.slice(1)));
    console.log(JSON.stringify(${JSON.stringify(good)}))`;
  const probeWith = async (recognizer: Partial<typeof config.recognizer>) => {
    const probe = new Probe({
      config: () => ({ ...config, recognizer: { ...config.recognizer, ...recognizer } }),
      ...{ clock, log: pino({ level: 'silent' }) },
      probeCommand: ['env', '-u', 'NODE_OPTIONS', process.execPath, '-e', code, '--'],
      ...{
        selftest: modelSelfTest,
        runningPath: () => null,
        runningRateHz: () => 16_000,
        compile: async () => undefined,
      },
    });
    await probe.try('candidate', new AbortController().signal);
    const asked = JSON.parse(await readFile(argv, 'utf8')) as string[];
    return asked.slice(asked.indexOf(config.grammar.path) + 1);
  };
  t.same(await probeWith({}), ['candidate']);
  const files = { languageModelPath: 'site.lm', boostPath: 'terms' };
  const both = ['--language-model', 'site.lm', '--boost', 'terms'];
  t.same(await probeWith(files), [...both, 'candidate']);
  t.same(await probeWith({ ...files, mode: 'dictation' }), [...both, '--dictation', 'candidate']);
});

void t.test('a good bundle on a busy board is taken', async (t) => {
  const { fault } = await tried({ candidate: [takes(0.1, 9)], running: ['throw 1'] });
  t.equal(fault, null, 'by processor time at once');
  const later = await tried({
    candidate: [takes(0.6, 9), takes(0.55, 9), takes(0.45, 9)],
    running: [takes(0.5, 9)],
  });
  t.equal(later.fault, null, 'or when it was measured again');
  t.same(waited, waitsMs.slice(0, 2));
});

void t.test('a slow one is refused, on a calm board and on a busy one', async (t) => {
  const calm = await tried({ candidate: [takes(0.6)], running: [takes(0.2)] });
  t.match(calm.fault, { reason: 'too-slow', ours: false, detail: /0\.600.*at most 0\.5.*0\.200/ });
  const busy = await tried({ candidate: [takes(1.2, 9)], running: [takes(0.2, 9)] });
  t.match(busy.fault, { reason: 'too-slow', ours: false });
  t.same(waited, []);
});

void t.test('in doubt to the end it is not refused: the next check tries it again', async (t) => {
  const { fault } = await tried({ candidate: [takes(0.6, 9)], running: [takes(0.3, 9)] });
  t.match(fault, { reason: 'busy', ours: true, detail: /0\.600/ });
  t.same(waited, waitsMs);
});

void t.test('one that hangs, where what hears does not', async (t) => {
  const { fault } = await tried({ candidate: [hangs], running: [takes(0.2)] });
  t.match(fault, { reason: 'too-slow', ours: false, detail: /not over after 100 s/ });
  t.same(waited, waitsMs.slice(0, 1), 'twice');
});

void t.test('one that came late while the board was busy, and not again', async (t) => {
  const { fault } = await tried({ candidate: [hangs, takes(0.1)], running: [takes(0.2)] });
  t.equal(fault, null);
  t.same(waited, waitsMs.slice(0, 1));
});

void t.test('ended from outside: not its fault', async (t) => {
  const term = 'process.kill(process.pid, "SIGTERM")';
  const { fault } = await tried({ candidate: [term], running: [takes(0.2)] });
  t.match(fault, { reason: 'interrupted', ours: true });
});

void t.test('stopped while it waits', async (t) => {
  const stop = new AbortController();
  const slow: Answers = { candidate: [takes(0.6, 9)], running: [takes(0.3, 9)] };
  Object.assign(waits, { end: false, begun: () => setImmediate(() => stop.abort()) });
  await tried(slow, stop.signal);
  t.same(waited, waitsMs.slice(0, 1), 'it ends in the first wait');
});
