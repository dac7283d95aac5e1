/** update: offers in, a checked and tried bundle as the current one out. */
export { channelNamePattern, parseChannelFile } from './channel.js';
export type { ChannelFile } from './channel.js';
export { cohortOf, eligibility } from './eligibility.js';
export type { Device, Eligibility } from './eligibility.js';
export { LazySource } from './lazy-source.js';
export { FaultError } from './ports.js';
export type { Hearing, Hears, PortFault } from './ports.js';
export { runProbe } from './probe.js';
export type { ProbeEnd, ProbeLimits } from './probe.js';
export type { Place } from './slots.js';
export type { BundleSource, Offer } from './source.js';
export type { UpdateStatus } from './status.js';
export { TrustedSource } from './trust/index.js';
export { Updater } from './updater.js';
export { parseWindow } from './window.js';
