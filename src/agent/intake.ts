import { chunkMs } from '../audio/index.js';
import type { Chunk } from '../records.js';
import { BufferLimit } from '../runtime/garbage.js';
import type { Log } from '../runtime/log.js';

/** Audio waiting for the network, 20 s; more is dropped, oldest first, and said, again after 10 s more of it. */
const queuedChunksMax = Math.round(20_000 / chunkMs);
const droppedAgainChunks = Math.round(10_000 / chunkMs);

/** Audio and requests on their way to the ear: one after the other, and no more audio waits than there is time for. */
export class Intake {
  private readonly queue: Chunk[] = [];
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
    if (this.queue.length > queuedChunksMax) {
      const oldest = this.queue.shift();
      this.droppedSamples += oldest?.samples.length ?? 0;
      if (this.droppedChunks++ % droppedAgainChunks === 0) {
        this.log.error(
          { event: 'audio.dropped', chunks: this.droppedChunks },
          'the processor is too slow for this model: audio was dropped',
        );
      }
    }
    if (!this.busy) void this.serially(async () => undefined);
    return this.last;
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
