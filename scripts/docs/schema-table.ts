/** A JSON Schema as rows for people: field, type, whether it is always there, meaning. */
import type { Schema } from '../../src/publish/contract/index.js';

const typeNames: Readonly<Record<string, string>> = {
  string: 'text',
  boolean: 'true or false',
  object: 'object',
  null: 'null',
};

function range(kind: string, { minimum, maximum }: Schema): string {
  if (minimum === undefined) return maximum === undefined ? kind : `${kind} up to ${maximum}`;
  return maximum === undefined
    ? `${kind} from ${minimum}`
    : `${kind} from ${minimum} to ${maximum}`;
}

function oneType(type: string, schema: Schema): string {
  const { additionalProperties: values, items } = schema;
  if (type === 'object' && typeof values === 'object') return `object of ${typeOf(values)}`;
  if (type === 'array' && items !== undefined)
    return items.type === 'object' ? 'list of objects' : `list of ${typeOf(items)}`;
  if (type === 'integer') return range('whole number', schema);
  if (type === 'number') return range('number', schema);
  if (type !== 'string') return typeNames[type] ?? type;
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${value}\``).join(', ');
  return schema.format === 'date-time' ? 'time, ISO 8601 in UTC' : 'text';
}

export function typeOf(schema: Schema): string {
  if (schema.const !== undefined) return `\`${JSON.stringify(schema.const)}\``;
  const types = [schema.type ?? []].flat();
  return types.length === 0 ? 'any' : types.map((type) => oneType(type, schema)).join(' or ');
}

/** Fields of an object and of what is in it, by their path: `words[].word`. */
export function* rowsOf(schema: Schema, path = '', sure = true): Generator<string[]> {
  const required = new Set(schema.required);
  for (const [name, field] of Object.entries(schema.properties ?? {})) {
    const at = `${path}${name}`;
    const always = sure && required.has(name);
    yield [`\`${at}\``, typeOf(field), always ? 'always' : 'sometimes', field.description ?? ''];
    yield* rowsOf(field, `${at}.`, always);
    if (field.items !== undefined) yield* rowsOf(field.items, `${at}[].`, always);
  }
}
