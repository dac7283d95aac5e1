/** publish: what was heard in, MQTT out; nothing accepted is lost. */
export type { PublishedEvent } from './contract/events.js';
export type { RequestName } from './contract/requests.js';
export { RefusedError, TooLargeError } from './connection.js';
export type { Limits } from './connection.js';
export { Link } from './link.js';
export type { Down, LinkOptions, Secrets } from './link.js';
export type { Letter } from './letter-file.js';
export { Outbox } from './outbox.js';
export type { DropReason, OutboxOptions } from './outbox.js';
export {
  intentPayload,
  rejectedPayload,
  topicsOf,
  transcriptId,
  transcriptPayload,
} from './payloads.js';
export type { Context, Topics } from './payloads.js';
export { Publisher } from './publisher.js';
export type { PublisherOptions, RetainOptions } from './publisher.js';
export { RequestDesk } from './requests.js';
export type { Answer, RequestHandler } from './requests.js';
export { Sender } from './sender.js';
export { setAsideIn, setAsideName } from './set-aside.js';
