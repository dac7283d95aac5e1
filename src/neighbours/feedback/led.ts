import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../runtime/clock.js';
import { codeOf, KikitoriError, messageOf } from '../../runtime/errors.js';
import type { Signal } from './sounds.js';

const ledsFolder = '/sys/class/leds';

/** The folder of a light; throws for what is no name of one. */
export function ledFolderOf(led: string): string {
  if (led.includes('/') && !led.startsWith('/'))
    throw new KikitoriError('a light is named by its name or by its whole path', {
      kind: 'config',
      where: 'feedback.led',
      expected: `a name from ${ledsFolder}, or a path that begins with /`,
    });
  return led.includes('/') ? led : join(ledsFolder, led);
}

/** On and off in turn, ms; the last one ends dark. */
const patterns: Readonly<Record<Signal | 'dark', readonly number[]>> = {
  dark: [],
  heard: [10_000],
  accepted: [1000],
  refused: [150, 150, 150, 150, 150],
};

/** A light of the kernel: a folder with `brightness` and `max_brightness`. */
export class Led {
  private writing: Promise<void> = Promise.resolve();
  private cancel: () => void = () => undefined;
  private waiting = 0;

  constructor(
    private readonly folder: string,
    private readonly clock: Clock,
    private readonly onEnd: (why: string | null) => void,
  ) {
    this.set(false);
  }

  show(signal: Signal | 'dark'): void {
    this.cancel();
    this.step(patterns[signal], 0);
  }

  async close(): Promise<void> {
    this.cancel();
    this.set(false);
    await this.writing;
  }

  private step(pattern: readonly number[], index: number): void {
    this.set(index < pattern.length && index % 2 === 0);
    const ms = pattern[index];
    this.cancel =
      ms === undefined
        ? () => undefined
        : this.clock.after(ms, () => this.step(pattern, index + 1));
  }

  /** One after the other; a driver that hangs does not gather more. */
  private set(on: boolean): void {
    if (this.waiting >= 16) return;
    this.waiting++;
    this.writing = this.writing.then(async () => {
      try {
        await this.write(on);
        this.onEnd(null);
      } catch (error) {
        this.onEnd(`${this.folder}: ${codeOf(error) ?? messageOf(error)}`);
      } finally {
        this.waiting--;
      }
    });
  }

  private async write(on: boolean): Promise<void> {
    const full = on ? (await readFile(join(this.folder, 'max_brightness'), 'utf8')).trim() : '0';
    // A value, not a file: the kernel takes what one write brings. Nothing is created.
    const file = await open(join(this.folder, 'brightness'), 'r+');
    try {
      await file.write(`${full}\n`, 0);
    } finally {
      await file.close();
    }
  }
}
