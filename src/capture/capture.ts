import { readAudioFile } from '../audio/index.js';
import type { Chunk, MicState } from '../records.js';
import type { Clock } from '../runtime/clock.js';
import { messageOf } from '../runtime/errors.js';
import { PcmReader } from './pcm.js';
import { Recorder, type RecorderOptions } from './recorder.js';

export interface CaptureOptions extends RecorderOptions {
  readonly source: 'recorder' | 'file' | 'stdin';
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
  readonly onChunk: (chunk: Chunk) => void;
  readonly onState: (state: MicState, why: string) => void;
  /** A file or standard input is over; a microphone never is. */
  readonly onEnd: () => void;
}

/** Audio beyond this share of real time, over a few seconds, is no microphone. */
const tooFast = 2;
const paceWindowMs = 5000;
/** Samples handed on at once: 100 ms at 16 kHz. */
const chunkSamples = 1600;
/** -90 dBFS. */
const silentPeak = 10 ** (-90 / 20);

/**
 * One microphone, for ever: opens it, watches that bytes come at the pace of real time, says when it is
 * lost or silent, and opens it again with growing pauses. A file or standard input is a microphone
 * that ends.
 */
export class Capture {
  private recorder: Recorder | null = null;
  private stopped = false;
  private attempts = 0;
  private samples = 0;
  private gap = false;
  private state: MicState | null = null;
  private silentSinceMs: number | null = null;
  private cancelWatch: () => void = () => undefined;
  private cancelRetry: () => void = () => undefined;
  private lastBytesMs = 0;
  private windowStartMs = 0;
  private windowSamples = 0;

  constructor(
    private readonly options: CaptureOptions,
    private readonly rateHz: number,
    private readonly events: CaptureEvents,
    private readonly clock: Clock,
    private readonly random: () => number,
  ) {}

  start(): void {
    if (this.options.source === 'file') void this.playFile();
    else if (this.options.source === 'stdin') this.readStdin();
    else this.openRecorder();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.cancelWatch();
    this.cancelRetry();
    await this.recorder?.stop();
    this.recorder = null;
  }

  private reader(): PcmReader {
    const { channels, channel, gainDb, rateHz } = this.options;
    return new PcmReader(channels, channel, gainDb, rateHz, this.rateHz);
  }

  private openRecorder(): void {
    if (this.stopped) return;
    const reader = this.reader();
    const now = this.clock.monotonic();
    this.lastBytesMs = now;
    this.windowStartMs = now;
    this.windowSamples = 0;
    try {
      this.recorder = new Recorder(
        this.options,
        this.clock,
        (bytes) => {
          this.lastBytesMs = this.clock.monotonic();
          this.emit(reader.feed(bytes));
        },
        (why) => this.lost(why),
      );
    } catch (error) {
      this.lost(messageOf(error));
      return;
    }
    this.watch();
  }

  private watch(): void {
    this.cancelWatch = this.clock.after(Math.max(100, this.options.stallAfterMs / 4), () => {
      const now = this.clock.monotonic();
      const elapsedMs = now - this.windowStartMs;
      const audioMs = (1000 * this.windowSamples) / this.rateHz;
      if (now - this.lastBytesMs > this.options.stallAfterMs) {
        this.lost(`no audio for ${Math.round(now - this.lastBytesMs)} ms`);
        return;
      }
      if (elapsedMs > paceWindowMs) {
        if (audioMs > tooFast * elapsedMs + 2000) {
          this.lost(`${(audioMs / elapsedMs).toFixed(1)} times real time: this is no microphone`);
          return;
        }
        this.windowStartMs = now;
        this.windowSamples = 0;
      }
      this.watch();
    });
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
    const closed = recorder === null ? Promise.resolve() : recorder.stop();
    void closed.then(() => {
      this.cancelRetry = this.clock.after(waitMs, () => this.openRecorder());
    });
  }

  private become(state: MicState, why: string): void {
    if (this.state === state) return;
    this.state = state;
    this.events.onState(state, why);
  }

  private emit(samples: Float32Array): void {
    this.windowSamples += samples.length;
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
      this.events.onChunk(chunk);
    }
  }

  /** up or silent; audio that keeps coming also ends the growth of the pauses. */
  private notice(samples: Float32Array): void {
    const silent = samples.every((v) => Math.abs(v) < silentPeak);
    const audioMs = (1000 * this.samples) / this.rateHz;
    if (!silent) {
      this.silentSinceMs = null;
      this.attempts = 0;
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
    const { path, pace, channel } = this.options;
    try {
      const clip = await readAudioFile(path, {
        rateHz: this.rateHz,
        channel: channel < 0 ? 'mix' : channel,
      });
      const begin = this.clock.monotonic();
      for (let at = 0; at < clip.samples.length && !this.stopped; at += chunkSamples) {
        const dueMs = begin + (1000 * (at + chunkSamples)) / this.rateHz;
        const waitMs = pace === 'fast' ? 0 : Math.max(0, dueMs - this.clock.monotonic());
        await new Promise<void>((resolve) => void this.clock.after(waitMs, resolve));
        this.emit(clip.samples.slice(at, at + chunkSamples));
      }
    } catch (error) {
      this.become('lost', messageOf(error));
    }
    if (!this.stopped) this.events.onEnd();
  }

  private readStdin(): void {
    const reader = this.reader();
    process.stdin.on('data', (bytes: Buffer) => this.emit(reader.feed(bytes)));
    process.stdin.on('end', () => {
      if (!this.stopped) this.events.onEnd();
    });
    process.stdin.on('error', (error) => this.become('lost', error.message));
  }
}
