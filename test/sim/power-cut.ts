/** A disk whose power goes after the nth operation: that one is done by half, everything later fails. */
import { readFile, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { realFiles, type Files, type PartFile } from '../../src/update/trust/index.js';

export class PowerCut implements Files {
  operations = 0;

  constructor(private readonly after: number) {}

  /** Says whether this operation is the one that is cut; throws when the power is gone already. */
  private step(): boolean {
    if (this.operations > this.after) throw this.gone();
    return this.operations++ === this.after;
  }

  private gone(): Error {
    return Object.assign(new Error('the power is gone'), { code: 'EIO' });
  }

  private async operation(whole: () => Promise<void>, half: () => Promise<void>): Promise<void> {
    if (!this.step()) return whole();
    await half();
    throw this.gone();
  }

  private read_<T>(action: () => Promise<T>): Promise<T> {
    return this.operations > this.after ? Promise.reject(this.gone()) : action();
  }

  makeFolder = (path: string, mode?: number) =>
    this.operation(
      () => realFiles.makeFolder(path, mode),
      async () => undefined,
    );
  list = (path: string) => this.read_(() => realFiles.list(path));
  read = (path: string) => this.read_(() => realFiles.read(path));
  size = (path: string) => this.read_(() => realFiles.size(path));
  stream = (path: string) => realFiles.stream(path);
  freeBytes = (path: string) => this.read_(() => realFiles.freeBytes(path));
  /** Cut: half of the temporary file is there, the old content untouched. */
  replace = (path: string, bytes: Uint8Array, mode?: number) =>
    this.operation(
      () => realFiles.replace(path, bytes, mode),
      () =>
        writeFile(
          join(dirname(path), `.${basename(path)}.1.tmp`),
          bytes.subarray(0, bytes.length >> 1),
        ).catch(() => undefined),
    );
  remove = (path: string) =>
    this.operation(
      () => realFiles.remove(path),
      async () => undefined,
    );
  /** Renaming is atomic: cut, it has not happened. */
  rename = (from: string, to: string) =>
    this.operation(
      () => realFiles.rename(from, to),
      async () => undefined,
    );
  /** Cut: what was not yet synced is there in length, but holds zeros. */
  openPart = async (path: string, size: number): Promise<PartFile> => {
    let part: PartFile | undefined;
    await this.operation(
      async () => void (part = await realFiles.openPart(path, size)),
      async () => undefined,
    );
    const file = part;
    if (file === undefined) throw this.gone();
    let unsynced = 0;
    return {
      write: (bytes) =>
        this.operation(
          async () => {
            unsynced += bytes.length;
            await file.write(bytes);
          },
          async () => {
            await file.write(bytes);
            const whole = await readFile(path);
            whole.fill(0, Math.max(0, whole.length - unsynced - bytes.length));
            await writeFile(path, whole);
          },
        ),
      sync: () =>
        this.operation(
          async () => {
            unsynced = 0;
            await file.sync();
          },
          async () => undefined,
        ),
      close: () => file.close(),
    };
  };
}
