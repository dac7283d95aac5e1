import lpcm16 from 'node-record-lpcm16';
import type { Clock } from '../runtime/clock.js';

export interface RecorderOptions {
  readonly recorder: 'arecord' | 'rec' | 'sox';
  readonly device: string;
  readonly rateHz: number;
  readonly channels: number;
}

const killAfterMs = 2000;
const keptErrorBytes = 4096;

/**
 * One run of one recorder process, from node-record-lpcm16. Everything that package leaves open is
 * closed here: raw audio (its WAV ends after 2 GiB), a missing program, errors that are texts and come
 * on the wrong stream, an end with status 0, and a stop that the process ignores. Used once, never paused.
 */
export class Recorder {
  private readonly recording: ReturnType<typeof lpcm16.record>;
  private stopping = false;
  private ended = false;
  private errors = '';
  private readonly closed: Promise<void>;

  constructor(
    options: RecorderOptions,
    private readonly clock: Clock,
    onData: (bytes: Buffer) => void,
    onEnd: (why: string) => void,
  ) {
    this.recording = lpcm16.record({
      recorder: options.recorder,
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
    this.closed = new Promise((resolve) => {
      child.once('close', (status) => {
        const said = this.errors.trim().split('\n').at(-1) ?? '';
        end(
          `${options.recorder} ended with status ${String(status)}${said === '' ? '' : `: ${said}`}`,
        );
        resolve();
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
      this.errors = (this.errors + part.toString()).slice(-keptErrorBytes);
    });
    stream.on('data', (bytes: Buffer) => {
      if (!this.stopping) onData(bytes);
    });
  }

  /** Ends the process for certain: it may be stopped (SIGCONT) or deaf (SIGKILL). */
  async stop(): Promise<void> {
    this.stopping = true;
    const { process: child } = this.recording;
    if (child.exitCode === null && child.signalCode === null && child.pid !== undefined) {
      child.kill('SIGCONT');
      child.kill('SIGTERM');
      const cancel = this.clock.after(killAfterMs, () => child.kill('SIGKILL'));
      await this.closed;
      cancel();
    }
  }
}
