import { writeSync } from 'node:fs';
import { codeOf, messageOf } from './errors.js';

/** Writes some of the bytes at once and says how many, or throws. */
export type WriteSome = (bytes: Uint8Array) => number;

/** A slow reader gets this long for one line. After that it gets no time until it takes something again. */
const patienceMs = 200;
const pauseMs = 10;

/**
 * Lines to a file descriptor, each written before the call returns. A line that cannot be written is dropped and counted: a
 * full disk or a reader that is gone must not end the daemon.
 */
export class LineSink {
  /** Since the start. */
  dropped = 0;
  private untold = 0;
  private why = '';
  /** The last line was cut off: the next one begins on a line of its own. */
  private torn = false;

  constructor(private readonly writeSome: WriteSome = (bytes) => writeSync(1, bytes)) {}

  /** `tell` makes the line that says how many were dropped, once lines can be written again. */
  write(line: string, tell: (lines: number, why: string) => string): void {
    if (this.untold > 0) {
      // Told with the first line that can be written, or not yet.
      if (!this.put(tell(this.untold, this.why), 0)) return this.drop();
      this.untold = 0;
    }
    if (!this.put(line, patienceMs)) this.drop();
  }

  private drop(): void {
    this.dropped++;
    this.untold++;
  }

  private put(line: string, waitMs: number): boolean {
    const bytes = Buffer.from(this.torn ? `\n${line}` : line);
    let written = 0;
    let leftMs = waitMs;
    while (written < bytes.length) {
      try {
        written += this.writeSome(bytes.subarray(written));
      } catch (error) {
        if (codeOf(error) === 'EINTR') continue;
        if (codeOf(error) === 'EAGAIN' && leftMs > 0) {
          leftMs -= pauseMs;
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, pauseMs);
          continue;
        }
        this.why = codeOf(error) ?? messageOf(error);
        // A line that was begun, and not only its first newline, is ended by the next one.
        if (written > 0) this.torn = !(this.torn && written === 1);
        return false;
      }
    }
    this.torn = false;
    return true;
  }
}
