import type { ChannelFile } from './channel.js';

/** A bundle that the channel offers, with everything that was signed about it. */
export type Offer = ChannelFile;

/** A bundle as somebody outside names it. Nothing of it is believed: the repository must vouch for it. */
export interface Wanted {
  /** Names this order; the state of the update is told under it. */
  readonly deployment: string;
  /** The bundle's file in the repository, without folders, if it is called that. */
  readonly file: string;
  readonly name: string;
  readonly version: string;
  /** Of the .tar. */
  readonly sha256: string;
}

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
