import { constants } from 'node:fs';
import { access, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { unlessDiskTrouble } from '../runtime/disk-trouble.js';
import { KikitoriError } from '../runtime/errors.js';
import { readSmall, realDisk, type Disk } from './disk.js';
import type { Slots } from './slots.js';
import { initialState, parseState, reasons, type Refused, type UpdateState } from './state.js';
import { isStatistics, nothingHeard, type Statistics } from './trial.js';

/** Evidence of bundles that failed here; more is dropped, oldest first. */
const evidenceMax = 10;

/** The files of state/update/: journal, statistics of what hears, evidence. */
export class Journal {
  constructor(
    private readonly folder: string,
    private readonly disk: Disk = realDisk,
    private readonly onSetAside: (path: string) => void = () => undefined,
  ) {}

  /** What was on the disk is known: before that nothing is written over it. */
  known = false;

  /**
   * The state as last written. When it cannot be read it is set aside: the pointer says what is
   * current, and the evidence which bundles are not to be tried again.
   */
  async load(slots: Slots): Promise<UpdateState> {
    const made = await this.disk.folder(this.evidenceFolder).then(
      () => true,
      (error: unknown) => {
        unlessDiskTrouble(error);
        return false;
      },
    );
    const source = await readSmall(this.path);
    const unreadable = source === '' && !(await mayRead(this.path));
    this.known = !unreadable && (made || source !== null);
    if (!this.known) return initialState;
    const state = source === null ? null : parseState(source);
    if (state !== null) return state;
    if (source !== null) {
      const aside = `${this.path}.set-aside`;
      await this.disk.move(this.path, aside).then(() => this.onSetAside(aside), unlessDiskTrouble);
    }
    const current = (await slots.pointed()) ?? 'factory';
    return { ...initialState, current, refused: await this.refusedByEvidence() };
  }

  async save(state: UpdateState): Promise<void> {
    if (!this.known)
      throw new KikitoriError('the folder may not be read, or is not there', {
        kind: 'storage',
        where: this.folder,
      });
    await this.disk.write(this.path, `${JSON.stringify(state, null, 1)}\n`);
  }

  /** Whether the disk takes a journal now. */
  takes(state: UpdateState): Promise<boolean> {
    return this.save(state).then(
      () => true,
      () => false,
    );
  }

  async loadStatistics(sha256: string): Promise<Statistics> {
    const source = await readSmall(this.statisticsPath);
    try {
      const value = JSON.parse(source ?? '') as { sha256?: unknown; statistics?: unknown };
      return value.sha256 === sha256 && isStatistics(value.statistics)
        ? value.statistics
        : nothingHeard;
    } catch {
      return nothingHeard;
    }
  }

  async saveStatistics(sha256: string, statistics: Statistics): Promise<void> {
    await this.disk.write(this.statisticsPath, `${JSON.stringify({ sha256, statistics })}\n`);
  }

  /** Keeps why a bundle was refused or given up, and drops the oldest such files. */
  async evidence(state: UpdateState, agentVersion: string, at: string): Promise<void> {
    const { offer, phase, reason, detail, trial } = state;
    if (offer === null) return;
    const path = join(this.evidenceFolder, `${offer.deployment}.json`);
    const content = { at, agentVersion, phase, reason, detail, offer, trial };
    await this.disk.write(path, `${JSON.stringify(content, null, 1)}\n`);
    const files = await this.evidenceFiles();
    for (const { file } of files.slice(evidenceMax)) await this.disk.remove(file);
  }

  private get path(): string {
    return join(this.folder, 'journal.json');
  }

  private get statisticsPath(): string {
    return join(this.folder, 'statistics.json');
  }

  private get evidenceFolder(): string {
    return join(this.folder, 'evidence');
  }

  /** Newest first. */
  private async evidenceFiles(): Promise<{ file: string; atMs: number }[]> {
    const all = await readdir(this.evidenceFolder).catch((error: unknown) => {
      unlessDiskTrouble(error);
      return [];
    });
    const names = all.filter((name) => name.endsWith('.json'));
    const files = await Promise.all(
      names.map(async (name) => {
        const file = join(this.evidenceFolder, name);
        return { file, atMs: (await stat(file)).mtimeMs };
      }),
    );
    return files.sort((a, b) => b.atMs - a.atMs);
  }

  private async refusedByEvidence(): Promise<Refused[]> {
    const found: Refused[] = [];
    for (const { file } of (await this.evidenceFiles()).reverse()) {
      try {
        const { offer, reason } = JSON.parse((await readSmall(file)) ?? '') as UpdateState;
        if (offer === null || reason === null || !reasons.includes(reason)) continue;
        const { sha256, version } = offer.bundle;
        found.push({ sha256, version, reason, atMs: 0 });
      } catch {
        // A damaged file of evidence refuses nothing.
      }
    }
    return found;
  }
}

const mayRead = (path: string) =>
  access(path, constants.R_OK).then(
    () => true,
    () => false,
  );
