import { Worker } from 'node:worker_threads';
import type { Clock } from '../../runtime/clock.js';
import { codeOf } from '../../runtime/errors.js';
import type { Checked, Refused } from './check-grammar.js';

/** Longer is given up: a browser does not wait for ever, and what takes so long would stop hearing when it is taken over. */
const limitMs = 30_000;
/** Of the sentences; the lexicon comes beside it. */
const memoryMb = 256;

export interface CheckJob {
  readonly text: string;
  /** Named in faults. */
  readonly file: string;
  readonly phonesMax: number;
  /** The bundle that hears. */
  readonly modelPath: string;
  /** '': none. */
  readonly wordsPath: string;
  /** There is a language model for any words. */
  readonly openSlots: boolean;
}

/** Checks sentences one at a time, each in a thread of its own that ends with it. */
export class CheckThread {
  private worker: Worker | null = null;

  constructor(
    private readonly clock: Clock,
    private readonly memory = memoryMb,
  ) {}

  /** Null: others are being checked. Rejects when the bundle cannot be read. */
  async check(job: CheckJob): Promise<Checked | Refused | null> {
    if (this.worker !== null) return null;
    const worker = new Worker(new URL('./check-worker.js', import.meta.url), {
      workerData: job,
      resourceLimits: { maxOldGenerationSizeMb: this.memory },
    });
    this.worker = worker;
    let cancel: () => void = () => undefined;
    try {
      return await new Promise((resolve, reject) => {
        cancel = this.clock.after(limitMs, () =>
          resolve(refused(`they take longer than ${limitMs / 1000} s`)),
        );
        worker.once('message', resolve);
        worker.once('error', (error) => {
          if (codeOf(error) === 'ERR_WORKER_OUT_OF_MEMORY')
            resolve(refused(`they need more than ${this.memory} MB of memory`));
          else reject(error);
        });
        worker.once('exit', () => resolve(refused('the daemon is being stopped')));
      });
    } finally {
      cancel();
      await worker.terminate();
      this.worker = null;
    }
  }

  /** What is being checked is given up. */
  async close(): Promise<void> {
    await this.worker?.terminate();
  }
}

const refused = (why: string): Refused => ({
  ok: false,
  refused: `Not checked: ${why}. Make fewer or shorter lists, or fewer optional parts, or check the file with kikitori grammar check.`,
});
