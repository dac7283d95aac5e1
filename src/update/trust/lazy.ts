import { LazySource } from '../lazy-source.js';
import type { BundleSource } from '../source.js';
import { TrustedSource, type TrustedSourceOptions } from './source.js';

/** A trusted source whose options are read when it is first asked, and again while that fails. */
export function openWhenAsked(options: () => Promise<TrustedSourceOptions>): BundleSource {
  return new LazySource(async () => TrustedSource.open(await options()));
}
