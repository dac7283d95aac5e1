import { chunkMs } from '../audio/index.js';
import type { Chunk } from '../records.js';
import { BufferLimit } from '../runtime/garbage.js';
import type { Log } from '../runtime/log.js';

/**
 * Audio waiting for the network, 20 s. Of more the oldest 5 s are dropped at once, and said: what is left joins, so that a command
 * in it is heard whole. Dropped chunk by chunk it would be all gaps.
 */
const queuedChunksMax = Math.round(20_000 / chunkMs);
const droppedAtOnce = Math.round(5000 / chunkMs);
/** Said again after 10 s more of it. */
const droppedAgainChunks = 2 * droppedAtOnce;

/** Audio and requests on their way to the ear: one after the other, and no more audio waits than there is time for. */
export class Intake {
  private queue: Chunk[] = [];
  private last: Promise<void> = Promise.resolve();
  private busy = false;
  private readonly buffers = new BufferLimit();
  private droppedChunks = 0;
  /** Audio that waited too long, since the start. */
  droppedSamples = 0;

  constructor(
    /** One chunk through the network, and what is done with the answers. */
    private readonly hear: (chunk: Chunk) => Promise<void>,
    private readonly log: Log,
  ) {}

  /** Resolves when the chunk went through; a microphone does not wait for it. */
  take(chunk: Chunk): Promise<void> {
    this.queue.push(chunk);
    if (this.queue.length > queuedChunksMax) this.dropOldest();
    if (!this.busy) void this.serially(async () => undefined);
    return this.last;
  }

  private dropOldest(): void {
    const dropped = this.queue.slice(0, droppedAtOnce);
    const [next, ...rest] = this.queue.slice(droppedAtOnce);
    // What follows does not join what was heard before: its samples count on from their own place.
    this.queue = next === undefined ? [] : [{ ...next, gapBefore: true }, ...rest];
    this.droppedSamples += dropped.reduce((sum, { samples }) => sum + samples.length, 0);
    if (this.droppedChunks % droppedAgainChunks === 0)
      this.log.error(
        { event: 'audio.dropped', chunks: this.droppedChunks + dropped.length },
        'the processor is too slow for this model: audio was dropped',
      );
    this.droppedChunks += dropped.length;
  }

  /** After the audio that waits; rejects with what the action throws, which also ends the process. */
  serially(action: () => Promise<void>): Promise<void> {
    const next = this.last.then(async () => {
      this.busy = true;
      try {
        for (let chunk = this.queue.shift(); chunk !== undefined; chunk = this.queue.shift()) {
          await this.hear(chunk);
          this.buffers.check();
        }
        await action();
      } finally {
        this.busy = false;
      }
    });
    this.last = next.catch((error: unknown) => {
      // A contradiction inside the recogniser: crash loudly, the service is restarted.
      queueMicrotask(() => {
        throw error;
      });
    });
    return next;
  }

  /** Resolves when nothing waits. */
  async idle(): Promise<void> {
    await this.last;
  }
}
