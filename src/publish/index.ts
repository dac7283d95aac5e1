/** publish: what was heard in, MQTT out; nothing accepted is lost. */
export { Link } from './link.js';
export { Outbox } from './outbox.js';
export type { Letter, OutboxOptions, StoredLetter } from './outbox.js';
export { intentPayload, rejectedPayload, topicsOf, transcriptPayload } from './payloads.js';
export { Publisher } from './publisher.js';
export type { PublisherOptions } from './publisher.js';
export { answerRequest } from './requests.js';
export type { RequestHandler } from './requests.js';
