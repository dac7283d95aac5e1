import type { BundleSource } from '../source.js';
import { UpdateError } from './errors.js';
import { TrustedSource, type TrustedSourceOptions } from './source.js';

/**
 * A trusted source that is opened at its first check, and again at the next if that failed: a root of
 * trust that is missing is a reason for no updates, none for a microphone that does not hear.
 */
export function openWhenAsked(options: () => Promise<TrustedSourceOptions>): BundleSource {
  let source: TrustedSource | undefined;
  return {
    check: async (signal) => {
      source ??= await TrustedSource.open(await options());
      return source.check(signal);
    },
    download: (offer, onProgress, signal) =>
      source === undefined
        ? Promise.reject(new UpdateError('not-signed', { where: offer.bundle.path }))
        : source.download(offer, onProgress, signal),
  };
}
