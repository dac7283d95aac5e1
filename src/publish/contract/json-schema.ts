/** The little of JSON Schema (draft 7) that messages need. */
export interface Schema {
  readonly description?: string;
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly string[];
  readonly format?: string;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly required?: readonly string[];
  readonly properties?: Fields;
  readonly minProperties?: number;
  readonly additionalProperties?: boolean | Schema;
  readonly items?: Schema;
  readonly definitions?: Fields;
  readonly if?: Schema;
  readonly then?: Schema;
}

export type Fields = Readonly<Record<string, Schema>>;

const of =
  (type: string) =>
  (description: string, more: Schema = {}) =>
    ({ description, type, ...more }) as const satisfies Schema;

export const text = of('string');
export const number = of('number');
export const integer = of('integer');
export const flag = of('boolean');

export const count = (description: string) => integer(description, { minimum: 0 });
export const atLeast0 = (description: string) => number(description, { minimum: 0 });
export const share = (description: string) => number(description, { minimum: 0, maximum: 1 });
export const time = (description: string) => text(description, { format: 'date-time' });
export const sha256 = (description: string) => text(description, { pattern: '^[0-9a-f]{64}$' });
export const oneOf = (description: string, values: readonly string[]) =>
  text(description, { enum: values });
export const orNull = (schema: Schema): Schema => ({
  ...schema,
  type: [...[schema.type ?? []].flat(), 'null'],
});

/** `always` is in every message, `sometimes` only where its description says so. */
export function object(always: Fields, sometimes: Fields = {}, description?: string): Schema {
  return {
    ...(description === undefined ? {} : { description }),
    type: 'object',
    required: Object.keys(always),
    properties: { ...always, ...sometimes },
  };
}

/** Any names, all with values of one kind. */
export const map = (description: string, values: Schema): Schema => ({
  description,
  type: 'object',
  additionalProperties: values,
});

export const list = (description: string, items: Schema): Schema => ({
  description,
  type: 'array',
  items,
});
