import { chunkMs, readAudioFile } from '../audio/index.js';
import type { Chunk, MicState } from '../records.js';
import type { Clock } from '../runtime/clock.js';
import { messageOf } from '../runtime/errors.js';
import { amplified, PcmReader } from './pcm.js';
import { Recorder, type RecorderOptions } from './recorder.js';

export interface CaptureOptions extends RecorderOptions {
  readonly source: 'recorder' | 'file' | 'stdin' | 'none';
  readonly channel: number;
  readonly gainDb: number;
  readonly path: string;
  readonly pace: 'realtime' | 'fast';
  readonly silentAfterMs: number;
  readonly stallAfterMs: number;
  readonly backoffMinMs: number;
  readonly backoffMaxMs: number;
}

export interface CaptureEvents {
  /** A file or standard input waits for the promise; a microphone cannot wait. */
  readonly onChunk: (chunk: Chunk) => void | Promise<void>;
  readonly onState: (state: MicState, why: string) => void;
  /** The recorder was too late for the sound card: so much audio is missing. */
  readonly onOverrun?: (lostMs: number) => void;
  /** A file or standard input is over, or could not be read; a microphone never is. */
  readonly onEnd: (error?: unknown) => void;
}

/** Audio faster or slower than these shares of real time, over a few seconds, is no working microphone. */
const tooFast = 2;
const tooSlow = 0.5;
const paceWindowMs = 5000;
/** Over a minute and more: a device with another rate than the one that was asked for. Every word would be wrong. */
const wrongRateWindowMs = 60_000;
const wrongRate = 1.2;
/** Of so long a time this much may have come at once. */
const wrongRateBurstMs = 3000;
/** A look at the microphone that comes later than this says nothing of it: this process was held up. */
const heldUpMs = 1000;
/**
 * What may come at once after this process was held up: a full pipe and the sound card's buffer. What Node calls a pipe is
 * a pair of sockets, which hold 3.6 s of 16 kHz in arecord's pieces of 30 ms and 5.8 s in larger ones.
 */
const burstMs = 8000;
/** A recorder that has given this much audio works: the next pause is a short one again. */
const worksAfterMs = 5000;
/** -90 dBFS. */
const silentPeak = 10 ** (-90 / 20);

/**
 * One microphone, for ever: opens it, watches that bytes come at the pace of real time, says when it is
 * lost or silent, and opens it again with growing pauses. A file or standard input is a microphone
 * that ends.
 */
export class Capture {
  private recorder: Recorder | null = null;
  private closing: Promise<void> = Promise.resolve();
  private stopped = false;
  private attempts = 0;
  private samples = 0;
  private gap = false;
  private state: MicState | null = null;
  private silentSinceMs: number | null = null;
  private cancelWatch: () => void = () => undefined;
  private cancelRetry: () => void = () => undefined;
  private lastBytesMs = 0;
  /** Begins with the first audio of a recorder: opening a device takes its time. */
  private windowStartMs: number | null = null;
  private windowSamples = 0;
  private longStartMs: number | null = null;
  private longSamples = 0;
  private samplesSinceOpened = 0;
  private readonly chunkSamples: number;

  constructor(
    private readonly options: CaptureOptions,
    private readonly rateHz: number,
    private readonly events: CaptureEvents,
    private readonly clock: Clock,
    private readonly random: () => number,
  ) {
    this.chunkSamples = Math.round((chunkMs * rateHz) / 1000);
  }

  start(): void {
    if (this.options.source === 'file') void this.playFile();
    else if (this.options.source === 'stdin') this.readStdin();
    else if (this.options.source === 'none') this.become('none', 'none is wanted');
    else this.openRecorder();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.cancelWatch();
    this.cancelRetry();
    if (this.options.source === 'stdin') process.stdin.destroy();
    await Promise.all([this.recorder?.stop(), this.closing]);
    this.recorder = null;
  }

  private reader(): PcmReader {
    const { channels, channel, gainDb, rateHz } = this.options;
    return new PcmReader(channels, channel, gainDb, rateHz, this.rateHz);
  }

  private openRecorder(): void {
    if (this.stopped) return;
    const reader = this.reader();
    this.lookAnew(this.clock.monotonic());
    this.samplesSinceOpened = 0;
    try {
      this.recorder = new Recorder(
        this.options,
        this.clock,
        (bytes) => this.takeBytes(reader.feed(bytes)),
        (why) => this.lost(why),
        (lostMs) => this.overrun(lostMs),
      );
    } catch (error) {
      this.lost(messageOf(error));
      return;
    }
    this.watch();
  }

  private takeBytes(samples: Float32Array): void {
    const now = this.clock.monotonic();
    this.lastBytesMs = now;
    this.windowStartMs ??= now;
    this.windowSamples += samples.length;
    this.samplesSinceOpened += samples.length;
    this.longStartMs ??= now;
    this.longSamples += samples.length;
    const audioMs = (1000 * this.windowSamples) / this.rateHz;
    if (audioMs > tooFast * (now - this.windowStartMs) + burstMs) {
      this.lost(`audio comes faster than real time: this is no microphone`);
      return;
    }
    if ((1000 * this.samplesSinceOpened) / this.rateHz >= worksAfterMs) this.attempts = 0;
    void this.emit(samples);
  }

  private watch(): void {
    const waitMs = Math.max(100, this.options.stallAfterMs / 4);
    const dueMs = this.clock.monotonic() + waitMs;
    this.cancelWatch = this.clock.after(waitMs, () => {
      const now = this.clock.monotonic();
      if (now - dueMs > heldUpMs) {
        this.lookAnew(now);
        this.watch();
        return;
      }
      if (now - this.lastBytesMs > this.options.stallAfterMs) {
        this.lost(`no audio for ${Math.round(now - this.lastBytesMs)} ms`);
        return;
      }
      const elapsedMs = now - (this.windowStartMs ?? now);
      if (elapsedMs > paceWindowMs) {
        const pace = (1000 * this.windowSamples) / this.rateHz / elapsedMs;
        if (pace < tooSlow) {
          this.lost(`only ${pace.toFixed(2)} s of audio a second`);
          return;
        }
        this.windowStartMs = now;
        this.windowSamples = 0;
      }
      const longMs = now - (this.longStartMs ?? now);
      if (longMs > wrongRateWindowMs) {
        const pace = ((1000 * this.longSamples) / this.rateHz - wrongRateBurstMs) / longMs;
        if (pace > wrongRate) {
          this.lost(
            `${(pace * this.options.rateHz).toFixed(0)} samples a second and more come in place of ${this.options.rateHz}: see capture.rateHz`,
          );
          return;
        }
        this.longStartMs = now;
        this.longSamples = 0;
      }
      this.watch();
    });
  }

  /** What came and did not come before is forgotten: only audio that comes from now on is judged. */
  private lookAnew(now: number): void {
    this.lastBytesMs = now;
    this.windowStartMs = null;
    this.windowSamples = 0;
    this.longStartMs = null;
    this.longSamples = 0;
  }

  private lost(why: string): void {
    if (this.stopped) return;
    this.cancelWatch();
    const { recorder } = this;
    this.recorder = null;
    this.gap = true;
    this.silentSinceMs = null;
    this.become('lost', why);
    const { backoffMinMs, backoffMaxMs } = this.options;
    const ceiling = Math.min(backoffMaxMs, backoffMinMs * 2 ** Math.min(this.attempts++, 12));
    const waitMs = ceiling * (0.75 + 0.5 * this.random());
    this.closing = recorder === null ? Promise.resolve() : recorder.stop();
    void this.closing.then(() => {
      if (!this.stopped) this.cancelRetry = this.clock.after(waitMs, () => this.openRecorder());
    });
  }

  private overrun(lostMs: number): void {
    if (this.stopped) return;
    this.gap = true;
    this.events.onOverrun?.(lostMs);
  }

  private become(state: MicState, why: string): void {
    if (this.state === state) return;
    this.state = state;
    this.events.onState(state, why);
  }

  private async emit(samples: Float32Array): Promise<void> {
    const { chunkSamples } = this;
    for (let at = 0; at < samples.length && !this.stopped; at += chunkSamples) {
      const part = samples.slice(at, at + chunkSamples);
      const chunk = {
        samples: part,
        firstSample: this.samples,
        receivedAtMs: this.clock.now(),
        gapBefore: this.gap,
      };
      this.samples += part.length;
      this.gap = false;
      this.notice(part);
      const taken = this.events.onChunk(chunk);
      // A microphone's chunks follow each other at once: nothing may come between them.
      if (this.options.source !== 'recorder') await taken;
    }
  }

  /** up or silent. */
  private notice(samples: Float32Array): void {
    const silent = samples.every((v) => Math.abs(v) < silentPeak);
    const audioMs = (1000 * this.samples) / this.rateHz;
    if (!silent) {
      this.silentSinceMs = null;
      this.become('up', '');
      return;
    }
    this.silentSinceMs ??= audioMs;
    if (audioMs - this.silentSinceMs >= this.options.silentAfterMs) {
      this.become(
        'silent',
        `nothing but digital silence for ${Math.round(audioMs - this.silentSinceMs)} ms: is it muted?`,
      );
    } else if (this.state !== 'silent') this.become('up', '');
  }

  private async playFile(): Promise<void> {
    const { path, pace, channel, gainDb } = this.options;
    let failure: unknown;
    try {
      const clip = await readAudioFile(path, {
        rateHz: this.rateHz,
        channel: channel < 0 ? 'mix' : channel,
      });
      const samples = amplified(clip.samples, gainDb);
      const begin = this.clock.monotonic();
      const { chunkSamples } = this;
      for (let at = 0; at < samples.length && !this.stopped; at += chunkSamples) {
        const dueMs = begin + (1000 * (at + chunkSamples)) / this.rateHz;
        const waitMs = pace === 'fast' ? 0 : Math.max(0, dueMs - this.clock.monotonic());
        await new Promise<void>((resolve) => void this.clock.after(waitMs, resolve));
        await this.emit(samples.subarray(at, at + chunkSamples));
      }
    } catch (error) {
      failure = error;
      this.become('lost', messageOf(error));
    }
    if (!this.stopped) this.events.onEnd(failure);
  }

  private readStdin(): void {
    const reader = this.reader();
    const { channels, rateHz } = this.options;
    const pieceBytes = 2 * channels * Math.round((chunkMs * rateHz) / 1000);
    const end = (error?: unknown) => {
      if (this.stopped) return;
      if (error !== undefined) this.become('lost', messageOf(error));
      this.events.onEnd(error);
    };
    const read = async () => {
      // One piece after the other: what comes faster than it is heard waits in the pipe. A pipe hands over seconds at once; as one
      // buffer their samples would live until a full collection.
      for await (const bytes of process.stdin)
        for (let at = 0; at < (bytes as Buffer).length; at += pieceBytes) {
          if (this.stopped) return;
          await this.emit(reader.feed((bytes as Buffer).subarray(at, at + pieceBytes)));
        }
    };
    read().then(
      () => end(),
      (error: unknown) => end(error),
    );
  }
}
