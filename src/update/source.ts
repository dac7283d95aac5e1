import type { ChannelFile } from './channel.js';
import type { Wanted } from './trigger.js';

/** A bundle that the channel offers, with everything that was signed about it. */
export type Offer = ChannelFile;

/**
 * Where offers come from. Both calls may take long, reject with a KikitoriError in words, and end soon
 * after `signal` aborts.
 */
export interface BundleSource {
  /** The newest signed word on the channel; null when it offers nothing. */
  check(signal?: AbortSignal): Promise<Offer | null>;
  /** A bundle that somebody names, if the repository vouches for it, for this device whatever the percentage. */
  find?(wanted: Wanted, signal?: AbortSignal): Promise<Offer>;
  /**
   * Fetches the bundle's .tar and resolves with its path, once bytes and SHA-256 are those of the offer.
   * The file is the caller's to move away; a second call for the same offer may go on where a cut one ended.
   */
  download(
    offer: Offer,
    onProgress: (bytesDone: number) => void,
    signal?: AbortSignal,
  ): Promise<string>;
}
