import lpcm16 from 'node-record-lpcm16';
import type { Clock } from '../runtime/clock.js';
import { recorderPath } from '../runtime/paths.js';

export interface RecorderOptions {
  readonly recorder: 'arecord' | 'rec' | 'sox';
  readonly device: string;
  readonly rateHz: number;
  readonly channels: number;
}

const killAfterMs = 1000;
/** SIGKILL may not end a process that is stuck in a driver, and a child may hold its pipe. After this it is left alone. */
const letGoAfterMs = 500;
const keptErrorBytes = 4096;
/** arecord goes on with another rate than it was asked for, and only says so. */
const otherRate = /rate is not accurate \(requested = (\d+)Hz, got = (\d+)Hz\)/;

/** arecord came too late to the sound card; it says so in the system's language. What follows does not join. */
const overrun = /!!! \([^\d)]*(\d+)[.,]\d+ ms/g;

/**
 * One run of a recorder process, by node-record-lpcm16. Used once, never paused. What that package leaves open is handled
 * here:
 * - audio is raw: its WAV ends after 2 GiB;
 * - a missing program;
 * - errors that are texts, and come on the wrong stream;
 * - an end with status 0;
 * - a process that ends while a child of it holds the pipe;
 * - a process that ignores the stop.
 */
export class Recorder {
  private readonly recording: ReturnType<typeof lpcm16.record>;
  private stopping = false;
  private ended = false;
  private errors = '';
  /** The line that has begun. */
  private unfinished = '';
  private readonly closed: Promise<void>;

  constructor(
    options: RecorderOptions,
    private readonly clock: Clock,
    onData: (bytes: Buffer) => void,
    onEnd: (why: string) => void,
    onOverrun: (lostMs: number) => void,
  ) {
    this.recording = lpcm16.record({
      recorder: recorderPath,
      program: options.recorder,
      audioType: 'raw',
      sampleRate: options.rateHz,
      channels: options.channels,
      ...(options.device === '' ? {} : { device: options.device }),
    });
    const { process: child } = this.recording;
    const stream = this.recording.stream();
    const end = (why: string) => {
      if (this.ended) return;
      this.ended = true;
      if (!this.stopping) onEnd(why);
    };
    const endedWith = (status: number | null, signal: NodeJS.Signals | null) => {
      const said = this.errors.trim().split('\n').at(-1) ?? '';
      const how = status === null ? `by ${String(signal)}` : `with status ${status}`;
      end(`${options.recorder} ended ${how}${said === '' ? '' : `: ${said}`}`);
    };
    let cancelLastWords: () => void = () => undefined;
    this.closed = new Promise((resolve) => {
      child.once('close', (status, signal) => {
        cancelLastWords();
        endedWith(status, signal);
        resolve();
      });
      child.once('exit', (status, signal) => {
        // 'close' brings the last words of stderr; it never comes while something else holds the pipe.
        cancelLastWords = clock.after(letGoAfterMs, () => endedWith(status, signal));
      });
      child.once('error', (error: NodeJS.ErrnoException) => {
        end(
          error.code === 'ENOENT'
            ? `${options.recorder} is not installed (sudo apt-get install alsa-utils sox)`
            : error.message,
        );
        resolve();
      });
    });
    // The package reports a failed process as an 'error' of the stream; 'close' has said it already.
    stream.on('error', () => undefined);
    child.stderr?.on('data', (part: Buffer) => {
      const text = this.unfinished + part.toString();
      const whole = text.lastIndexOf('\n') + 1;
      for (const [, lostMs] of text.slice(0, whole).matchAll(overrun)) onOverrun(Number(lostMs));
      this.unfinished = text.slice(whole).slice(-keptErrorBytes);
      this.errors = (this.errors + part.toString()).slice(-keptErrorBytes);
      const [, asked, got] = otherRate.exec(this.errors) ?? [];
      if (got !== undefined)
        end(
          `the device gives ${got} samples a second in place of ${asked}: set capture.rateHz to ${got}, or name it as plughw: in capture.device`,
        );
    });
    stream.on('data', (bytes: Buffer) => {
      if (!this.stopping) onData(bytes);
    });
  }

  /** Ends the process for certain: it may be stopped (SIGCONT) or deaf (SIGKILL). Resolves in any case. */
  async stop(): Promise<void> {
    this.stopping = true;
    const { process: child } = this.recording;
    if (child.pid === undefined) return;
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGCONT');
      child.kill('SIGTERM');
    }
    const killed = this.within(killAfterMs, () => child.kill('SIGKILL'));
    if (await killed) return;
    if (await this.within(letGoAfterMs, () => undefined)) return;
    this.recording.stream().destroy();
    child.stderr?.destroy();
    child.unref();
  }

  /** Whether the process has closed within `ms`; otherwise `tooLate` is called. */
  private async within(ms: number, tooLate: () => void): Promise<boolean> {
    let cancel: () => void = () => undefined;
    const late = new Promise<boolean>((resolve) => {
      cancel = this.clock.after(ms, () => {
        tooLate();
        resolve(false);
      });
    });
    const closed = await Promise.race([this.closed.then(() => true), late]);
    cancel();
    return closed;
  }
}
