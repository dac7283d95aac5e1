import { join } from 'node:path';
import { unlessDiskTrouble } from '../runtime/disk-trouble.js';
import { KikitoriError, messageOf } from '../runtime/errors.js';
import { readSmall, realDisk, sha256OfFile, type Disk } from './disk.js';

export type SlotName = 'A' | 'B';
/** Where a bundle lies: a slot, or what came with the installation (model.path), which is never written. */
export type Place = SlotName | 'factory';

/** What is known of a slot's bundle since it was verified. */
export interface SlotRecord {
  readonly format: 1;
  readonly sha256: string;
  readonly bytes: number;
  readonly name: string;
  readonly version: string;
  readonly deployment: string;
}

export type SlotState =
  | { readonly state: 'empty' }
  | { readonly state: 'filled'; readonly record: SlotRecord }
  | { readonly state: 'unknown'; readonly why: string };

export const isPlace = (value: unknown): value is Place =>
  value === 'A' || value === 'B' || value === 'factory';

/**
 * Two folders for bundles and a pointer to the current one:
 *
 *     slots/A/bundle.tar  slots/A/slot.json  slots/B/...  slots/current
 *
 * slot.json is written last and only for bytes whose SHA-256 is the signed one, so a slot without it
 * is empty. The slot that the pointer names is never written.
 */
export class Slots {
  constructor(
    private readonly folder: string,
    private readonly disk: Disk = realDisk,
    private readonly onSetAside: (name: SlotName, path: string, why: string) => void = () =>
      undefined,
  ) {}

  async open(): Promise<void> {
    for (const name of ['A', 'B'])
      await this.disk.folder(join(this.folder, name)).catch(unlessDiskTrouble);
  }

  bundlePath(name: SlotName): string {
    return join(this.folder, name, 'bundle.tar');
  }

  /** What the slot says of itself; its bytes are not looked at. */
  async read(name: SlotName): Promise<SlotState> {
    const source = await readSmall(this.recordPath(name));
    if (source === null) return { state: 'empty' };
    const record = parseRecord(source);
    return record === null
      ? { state: 'unknown', why: 'slot.json cannot be read' }
      : { state: 'filled', record };
  }

  /** The path of a bundle whose bytes are still those that were verified; else the slot is set aside. */
  async verified(name: SlotName): Promise<{ path: string; record: SlotRecord }> {
    const slot = await this.read(name);
    if (slot.state === 'empty')
      throw new KikitoriError('there is no bundle in it', {
        kind: 'bundle',
        where: `slot ${name}`,
      });
    const why = slot.state === 'unknown' ? slot.why : await this.differs(name, slot.record);
    if (slot.state === 'filled' && why === null)
      return { path: this.bundlePath(name), record: slot.record };
    await this.setAside(name, why ?? '').catch(unlessDiskTrouble);
    throw new KikitoriError(why ?? '', {
      kind: 'bundle',
      where: `slot ${name}`,
      hint: 'it was set aside; the next update fills the slot again',
    });
  }

  /** Takes a downloaded file over. Refuses bytes that are not those of the record, and the current slot. */
  async store(name: SlotName, staged: string, record: SlotRecord): Promise<void> {
    if ((await this.pointed()) === name)
      throw new Error(`slot ${name} is the current one and is never written`);
    await this.disk.folder(join(this.folder, name));
    await this.disk.remove(this.recordPath(name));
    await this.disk.move(staged, this.bundlePath(name));
    const why = await this.differs(name, record);
    if (why !== null) {
      await this.disk.remove(this.bundlePath(name));
      throw new KikitoriError(why, { kind: 'bundle', where: record.name });
    }
    await this.disk.write(this.recordPath(name), `${JSON.stringify(record)}\n`);
  }

  /** What the pointer names; null when there is none or it makes no sense. */
  async pointed(): Promise<Place | null> {
    const text = (await readSmall(this.pointerPath))?.trim();
    return isPlace(text) ? text : null;
  }

  async point(place: Place): Promise<void> {
    if ((await this.pointed()) === place) return;
    await this.disk.write(this.pointerPath, `${place}\n`);
  }

  /** Keeps what cannot be trusted for a look, the newest only, and leaves the slot empty. */
  async setAside(name: SlotName, why: string): Promise<void> {
    const aside = join(this.folder, `${name}.set-aside`);
    await this.disk.remove(aside);
    await this.disk.move(join(this.folder, name), aside);
    await this.disk.folder(join(this.folder, name));
    this.onSetAside(name, aside, why);
  }

  private get pointerPath(): string {
    return join(this.folder, 'current');
  }

  private recordPath(name: SlotName): string {
    return join(this.folder, name, 'slot.json');
  }

  private async differs(name: SlotName, record: SlotRecord): Promise<string | null> {
    try {
      const { sha256, bytes } = await sha256OfFile(this.bundlePath(name));
      if (sha256 === record.sha256 && bytes === record.bytes) return null;
      return `bundle.tar has ${bytes} bytes with SHA-256 ${sha256}, ${record.bytes} with ${record.sha256} were verified`;
    } catch (error) {
      return `bundle.tar cannot be read: ${messageOf(error)}`;
    }
  }
}

function parseRecord(source: string): SlotRecord | null {
  try {
    const value = JSON.parse(source) as Partial<SlotRecord> | null;
    const texts = [value?.sha256, value?.name, value?.version, value?.deployment];
    return value?.format === 1 &&
      typeof value.bytes === 'number' &&
      texts.every((v) => typeof v === 'string')
      ? (value as SlotRecord)
      : null;
  } catch {
    return null;
  }
}
