/** update: offers in, a checked and tried bundle as the current one out. */
export { channelNamePattern, parseChannelFile } from './channel.js';
export type { ChannelFile } from './channel.js';
export { cohortOf, eligibility } from './eligibility.js';
export type { Device, Eligibility } from './eligibility.js';
export type { BundleSource, Offer } from './source.js';
