/** docs/mqtt as validators. What the device publishes may have no key that the schema does not describe. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Ajv, type AnySchemaObject } from 'ajv';
import formats from 'ajv-formats';
import type { Message } from './mosquitto.js';

const folder = fileURLToPath(new URL('../../docs/mqtt/', import.meta.url));
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

export const schemas = new Map<string, Json>(
  readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .map((name) => [
      name.replace('.json', ''),
      JSON.parse(readFileSync(folder + name, 'utf8')) as Json,
    ]),
);

for (const [name, schema] of schemas) ajv.addSchema(closed(schema) as AnySchemaObject, name);

/** What is wrong with a payload, '' when nothing. `name` may go into definitions: `response#/definitions/mute`. */
export function fault(name: string, payload: unknown): string {
  const validate = ajv.getSchema(name);
  if (validate === undefined) throw new Error(`docs/mqtt has no schema ${name}`);
  return validate(payload) === true ? '' : ajv.errorsText(validate.errors);
}

/** Finds the schema by the topic, below `<base>/<device>/`. */
export function faultOf({ topic, json }: Message): string {
  const [, , kind = '', name = ''] = topic.split('/');
  let what = fault(kind, json);
  if (what === '' && kind === 'response' && json['status'] === 'ok')
    what = fault(`response#/definitions/${name}`, json['data']);
  return what === '' ? '' : `${topic}: ${what}: ${JSON.stringify(json)}`;
}
