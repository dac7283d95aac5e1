/**
 * The power is cut before every single step that an update of the language model takes on disk or in what hears. After
 * each the device hears with one that was verified, the journal and what hears agree, and the next check finds its way.
 */
import { cpSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import t from 'tap';
import { Ear } from '../../src/agent/ear.js';
import { LanguageHearing } from '../../src/agent/language-updates.js';
import { Turn } from '../../src/agent/turn.js';
import { sha256 } from '../../src/bundle/index.js';
import { loadConfig } from '../../src/config/index.js';
import { Engine } from '../../src/engine/engine.js';
import type { Hearing } from '../../src/update/ports.js';
import { Updater } from '../../src/update/updater.js';
import { FolderSource, type Published } from '../sim/folder-source.js';
import { languageTar, type LanguageSim } from '../sim/language-bundle.js';
import { Power, stillUpdater } from '../sim/power-steps.js';
import { TestClock } from '../sim/test-clock.js';
import { toneBundle } from '../sim/tone-model.js';

const home = await mkdtemp(join(tmpdir(), 'kikitori-test-'));
const tones = await toneBundle();
const engine = await Engine.open({ modelPath: tones.path });
t.teardown(async () => {
  await engine.close();
  for (const folder of [home, tones.folder]) await rm(folder, { recursive: true, force: true });
});
const grammarPath = await sentences();
const grammar = await engine.compile({ grammarPath });

async function sentences(): Promise<string> {
  const path = join(home, 'sentences.yaml');
  await writeFile(path, 'intents: {Stop: {data: [{sentences: ["stop [the] conveyor"]}]}}\n');
  return path;
}

const text = 'stop the conveyor two\nset the light to blue\n';
async function published(o: Partial<LanguageSim> & { version: string }): Promise<Published> {
  const path = await languageTar(join(home, 'made'), { text, ...o });
  const { size: bytes } = await stat(path);
  const digest = sha256(readFileSync(path));
  const { version } = o;
  return { path, name: 'site', version, sha256: digest, bytes, minAgent: '0.1.0' };
}
const [first, second, torn] = await Promise.all([
  published({ version: '1.0.0' }),
  published({ version: '2.0.0', text: `${text}turn on the hall light\n` }),
  published({ version: '3.0.0', model: (file) => file.subarray(0, 300) }),
]);

const good = '{"passed":true,"peakRssMb":1,"sampleRateHz":16000,"realTimeFactor":0.01}';
const bad = '{"passed":false,"why":"the perplexity is another"}';

/** Real language models in a real ear; each step asks whether there is power. */
class Board {
  readonly clock = new TestClock();
  readonly ear: Ear;
  readonly hearing: LanguageHearing;
  updater!: Updater;

  constructor(
    readonly folder: string,
    readonly source: FolderSource,
    readonly power = new Power(),
    readonly bootId = 'boot-1',
    passes = true,
  ) {
    const log = pino({ level: 'silent' });
    const config = loadConfig(undefined, {
      KIKITORI_GRAMMAR_PATH: grammarPath,
      KIKITORI_RECOGNIZER_MODE: 'dictation',
      KIKITORI_UPDATE_LANGUAGE_CHANNEL: 'english',
    });
    this.ear = new Ear({ engine, grammar }, () => ({}), 'dictation');
    this.hearing = new LanguageHearing({
      config: () => config,
      clock: this.clock,
      log,
      probeCommand: ['sh', '-c', `echo '${passes ? good : bad}'`, '--'],
      replace: (next) => this.ear.replace(next),
      onSwitched: () => undefined,
      turn: new Turn(),
    });
  }

  async start(): Promise<this> {
    const { hearing, power } = this;
    const stepping: Hearing = {
      probe: (path, signal) => (power.step('probe'), hearing.probe(path, signal)),
      prepare: (place, path) => (power.step('prepare'), hearing.prepare(place, path)),
      switchOver: () => (power.step('switch'), hearing.switchOver()),
      discard: () => hearing.discard(),
    };
    this.updater = await Updater.open({
      ...stillUpdater(this.folder, power),
      factoryPath: '',
      source: this.source,
      hearing: stepping,
      bootId: this.bootId,
      onEvent: () => undefined,
      clock: this.clock,
    });
    await this.updater.openCurrent((place, path) => hearing.open(engine, place, path));
    this.ear.replace({ engine, grammar: hearing.sentences ?? grammar });
    hearing.ear = this.ear;
    await this.updater.begin();
    return this;
  }

  get state() {
    return this.updater.status.state;
  }
  /** What is really listened for. */
  get hears(): string {
    return this.ear.newest.grammar.freeWords?.manifest?.version ?? '';
  }
  async check(): Promise<void> {
    await this.updater.request({ action: 'check' }).catch(() => undefined);
    await this.updater.settled();
  }
  async hear(n: number, accepted: boolean): Promise<void> {
    for (let i = 0; i < n; i++) this.updater.heard(this.hearing.at, accepted, 0.9);
    await this.updater.settled();
  }
  journal(): { current: string } {
    return JSON.parse(readFileSync(join(this.folder, 'update', 'journal.json'), 'utf8')) as never;
  }
}

let copies = 0;
const copyOf = (folder: string) => {
  const copy = join(home, `copy-${copies++}`);
  cpSync(folder, copy, { recursive: true });
  return copy;
};

/** A board that has committed 1.0.0 and was switched off properly. */
const base = join(home, 'base');
const seen: string[] = [];
{
  const source = new FolderSource();
  source.publish(first);
  const board = await new Board(base, source).start();
  seen.push(board.hears);
  await board.check();
  await board.hear(20, true);
  seen.push(board.hears);
  await board.updater.stop();
}

void t.test('nothing hears at first, then what came', async (t) => t.same(seen, ['', '1.0.0']));

interface Scenario {
  readonly name: string;
  readonly offers: Published;
  readonly passes?: boolean;
  readonly run: (board: Board) => Promise<void>;
  readonly ends: { readonly state: string; readonly version: string };
}

const scenarios: readonly Scenario[] = [
  {
    name: 'a good one',
    offers: second,
    run: (b) => b.hear(20, true),
    ends: { state: 'committed', version: '2.0.0' },
  },
  {
    name: 'one that fails its self-test',
    offers: second,
    passes: false,
    run: async () => undefined,
    ends: { state: 'rejected', version: '1.0.0' },
  },
  {
    name: 'one that passes it and cannot be opened',
    offers: torn,
    run: async () => undefined,
    ends: { state: 'rejected', version: '1.0.0' },
  },
  {
    name: 'one under which everything is refused',
    offers: second,
    run: (b) => b.hear(12, false),
    ends: { state: 'rolled-back', version: '1.0.0' },
  },
];

for (const { name, offers, passes, run, ends } of scenarios)
  void t.test(`${name}, power cut before every step`, async (t) => {
    const source = new FolderSource();
    source.publish(offers);
    const whole = await new Board(copyOf(base), source, new Power(), 'boot-1', passes).start();
    await whole.check();
    await run(whole);
    t.match({ ...whole.updater.status }, { state: ends.state, installedVersion: ends.version });
    t.equal(whole.hears, ends.version);
    await whole.updater.stop();
    const { steps, taken } = whole.power;
    let restarts = 0;
    for (let cutAt = 1; cutAt <= steps; cutAt++)
      for (const bootId of ['boot-1', 'boot-2']) {
        const where = `before ${taken[cutAt - 1]} (${cutAt} of ${steps}), ${bootId}`;
        const folder = copyOf(base);
        const board = new Board(folder, source, new Power(cutAt), 'boot-1', passes);
        // Without power the start itself may fail: that is the cut.
        const started = await board.start().then(
          () => true,
          () => false,
        );
        if (started) {
          await board.check();
          await run(board);
          await board.updater.stop().catch(() => undefined);
        }
        if (!board.power.gone) t.fail(`${where}: not reached`);

        const again = await new Board(folder, source, new Power(), bootId, passes).start();
        await again.updater.settled();
        restarts++;
        if (!['1.0.0', '2.0.0'].includes(again.hears)) t.fail(`${where}: hears ${again.hears}`);
        await again.check();
        if (again.state === 'trial') await again.hear(20, true);
        if (['downloading', 'verified', 'trial'].includes(again.state))
          t.fail(`${where}: stuck in ${again.state}`);
        if (again.hears !== again.updater.status.installedVersion)
          t.fail(`${where}: says ${again.updater.status.installedVersion}, hears ${again.hears}`);
        await again.updater.stop();
      }
    t.equal(restarts, 2 * steps);
    t.comment(`${steps} steps: ${taken.join(', ')}`);
  });
