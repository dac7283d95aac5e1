/**
 * update: offers in, a checked and tried bundle as the current one out. What speaks to a network (`trust/`, `hawkbit/`) is
 * not in this list: the daemon loads it when it first asks.
 */
export { channelNamePattern, parseChannelFile } from './channel.js';
export type { ChannelFile } from './channel.js';
export { cohortOf, eligibility } from './eligibility.js';
export type { Device, Eligibility } from './eligibility.js';
export { costOf, weigh } from './cost.js';
export type { Cost } from './cost.js';
export { realDisk } from './disk.js';
export { LazySource } from './lazy-source.js';
export { FaultError } from './ports.js';
export type { Hearing, Hears, PortFault, UnderWay, UpdaterOptions } from './ports.js';
export { runProbe } from './probe.js';
export type { ProbeEnd, ProbeLimits } from './probe.js';
export type { Place } from './slots.js';
export type { BundleSource, Offer, Wanted } from './source.js';
export type { UpdateStatus } from './status.js';
export { PollTrigger } from './trigger.js';
export type { Board, Gate, UpdateTrigger } from './trigger.js';
export { Updater } from './updater.js';
export { parseWindow } from './window.js';
