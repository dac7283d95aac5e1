import { codeOf } from '../runtime/errors.js';
import type { BundleSource, Offer, Wanted } from './source.js';

/** A question may begin just before a download: so often it is waited for. */
const triesMax = 5;

/**
 * Opens the source when it is first asked, and again while that fails: a root of trust that is missing
 * or wrong is said where updates are shown, and does not keep a board from hearing.
 */
export class LazySource implements BundleSource {
  private opened: BundleSource | null = null;
  /** The offer whose metadata the opened source has seen. */
  private asked = false;
  /** The last question; never rejects. */
  private asking: Promise<unknown> = Promise.resolve();

  constructor(private readonly open: () => Promise<BundleSource>) {}

  async check(signal?: AbortSignal): Promise<Offer | null> {
    this.opened ??= await this.open();
    const offer = await this.question(this.opened.check(signal));
    this.asked = true;
    return offer;
  }

  async find(wanted: Wanted, signal?: AbortSignal): Promise<Offer> {
    this.opened ??= await this.open();
    if (this.opened.find === undefined) throw new Error('this source finds no bundle by name');
    const offer = await this.question(this.opened.find(wanted, signal));
    this.asked = true;
    return offer;
  }

  /** After a start a download may go on that was begun before: the repository is asked first. */
  async download(
    offer: Offer,
    onProgress: (bytesDone: number) => void,
    signal?: AbortSignal,
  ): Promise<string> {
    if (!this.asked || this.opened === null) await this.check(signal);
    if (this.opened === null) throw new Error('the source is not open');
    // One at a time: what a person wants must not fail because the regular question is being asked.
    for (let tries = 1; ; tries++) {
      await this.asking;
      try {
        return await this.opened.download(offer, onProgress, signal);
      } catch (error) {
        if (codeOf(error) !== 'busy' || tries === triesMax) throw error;
      }
    }
  }

  private async question<T>(answer: Promise<T>): Promise<T> {
    this.asking = answer.catch(() => undefined);
    return answer;
  }
}
