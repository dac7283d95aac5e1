/**
 * fleet: the publisher's side. A folder with keys, settings and a static repository; every change is
 * signed in memory, checked as a device would check it, and becomes visible at once.
 */
export { initFleet, writeKey, type InitOptions } from './init.js';
export { Repository, type Edit, type RepositoryOptions } from './repository.js';
export { planPublication, readChannel, type PublishOptions } from './publish.js';
export { planRevocation, planRollout, type RolloutChange } from './rollout.js';
export {
  changedRoot,
  planDelegation,
  planRefresh,
  planUndelegation,
  type KeyChange,
} from './key-change.js';
export { planAcceptance, writeSubmission, type Accepted } from './submission.js';
export { generateKey, keyIdOf, parsePublicKey, type SealedKey } from './keys.js';
export { keyFileName, type Passphrase } from './keyring.js';
export { isTopRole, topRoles } from './metadata.js';
export type { ExpiryWarning } from './expiry.js';
export { firstStage, nextStep, parseStages } from './auto.js';
export type { AutoAction, AutoState, Reports, Stage } from './auto.js';
