/** Power that goes before the nth step that an update takes on disk or in what hears. */
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import type { Disk } from '../../src/update/disk.js';
import type { UpdaterOptions } from '../../src/update/index.js';

/** Power that ends before the step number `cutAt`; afterwards nothing happens any more. */
export class Power {
  steps = 0;
  readonly taken: string[] = [];
  constructor(private readonly cutAt = Infinity) {}
  get gone(): boolean {
    return this.steps >= this.cutAt;
  }
  step(name: string): void {
    if (this.gone) throw new Error('no power');
    this.steps++;
    if (this.gone) throw new Error('no power');
    this.taken.push(name);
  }
}

/** The steps of the real disk without the waiting for it. */
export const diskOf = (power: Power): Disk => ({
  async write(path, data) {
    power.step(`write ${path.split('/').at(-1)}`);
    writeFileSync(`${path}.tmp`, data);
    renameSync(`${path}.tmp`, path);
  },
  async move(from, to) {
    power.step(`move ${to.split('/').at(-1)}`);
    renameSync(from, to);
  },
  async remove(path) {
    power.step(`remove ${path.split('/').at(-1)}`);
    rmSync(path, { recursive: true, force: true });
  },
  async folder(path) {
    mkdirSync(path, { recursive: true });
  },
});

/** Of an updater that nothing but a test moves: no window, no check of its own, a trial of 20 utterances. */
export const stillUpdater = (
  folder: string,
  power: Power,
): Omit<UpdaterOptions, 'factoryPath' | 'source' | 'hearing' | 'bootId' | 'clock' | 'onEvent'> => ({
  slotsFolder: join(folder, 'slots'),
  stateFolder: join(folder, 'update'),
  device: { id: 'board', groups: [] },
  pin: '',
  window: null,
  checkEveryMs: 1e9,
  tickMs: 10_000,
  rules: { utterances: 20, durationMs: 1e9, minSample: 10, realTimeFactor: 0.5 },
  onStatus: () => undefined,
  disk: diskOf(power),
  random: () => 0.5,
  log: pino({ level: 'silent' }),
});
