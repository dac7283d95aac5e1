/** update/hawkbit: Eclipse hawkBit's Direct Device Integration API as the trigger (docs/hawkbit.md). */
export { DdiClient, type DdiClientOptions } from './client.js';
export { HawkbitTrigger, type HawkbitOptions } from './trigger.js';
