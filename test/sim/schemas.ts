/** The contract as validators. What the device publishes may have no key that the schema does not describe. */
import { Ajv, type AnySchemaObject } from 'ajv';
import formats from 'ajv-formats';
import { schemaFile, topicContracts } from '../../src/publish/contract/index.js';
import type { Message } from './mosquitto.js';

const ajv = new Ajv({ allErrors: true, strict: true, strictRequired: false, strictTypes: false });
formats.default(ajv);

type Json = Record<string, unknown>;

/** Closes every object that lists its properties. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== 'object' || schema === null) return schema;
  const out = Object.fromEntries(Object.entries(schema).map(([k, v]) => [k, closed(v)]));
  if (out['type'] === 'object' && out['properties'] !== undefined)
    out['additionalProperties'] ??= false;
  return out;
}

/** As in docs/mqtt/NAME.json. */
export const schemas = new Map<string, Json>(
  topicContracts.map((contract) => [contract.name, schemaFile(contract)]),
);

for (const [name, schema] of schemas) ajv.addSchema(closed(schema) as AnySchemaObject, name);

/** What is wrong with a payload, '' when nothing. `name` may go into definitions: `response#/definitions/mute`. */
export function fault(name: string, payload: unknown): string {
  const validate = ajv.getSchema(name);
  if (validate === undefined) return `the contract has no schema ${name}`;
  if (validate(payload) === true) return '';
  return (validate.errors ?? [])
    .map((e) => `data${e.instancePath} ${e.message ?? ''} ${JSON.stringify(e.params)}`)
    .join(', ');
}

type Published = Pick<Message, 'topic' | 'json'>;

/** Finds the schema by the topic, below `<base>/<device>/`; an event's and an answer's own one too. */
export function faultOf({ topic, json }: Published): string {
  const [, , kind = '', name = ''] = topic.split('/');
  let what = fault(kind, json);
  if (what === '' && kind === 'response' && json['status'] === 'ok')
    what = fault(`response#/definitions/${name}`, json['data']);
  if (what === '' && kind === 'event')
    what = fault(`event#/definitions/${String(json['event'])}`, json);
  return what === '' ? '' : `${topic}: ${what}: ${JSON.stringify(json)}`;
}

/** The same, and whether it was sent as the contract says, by a device with the defaults of `publish`. */
export function contractFaultOf(message: Message): string {
  const { topic, qos, retained } = message;
  const contract = topicContracts.find((c) => c.name === topic.split('/')[2]);
  if (contract === undefined) return `${topic} is not in the contract`;
  if (contract.qos !== null && qos !== contract.qos) return `${topic}: QoS ${qos}`;
  if (retained && !contract.retained) return `${topic} is retained`;
  return contract.from === 'you' ? '' : faultOf(message);
}
