/** Other people's JSON, read with care: what is not as expected is undefined. */
export type Json = Readonly<Record<string, unknown>>;

export const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export const text = (value: unknown): string | undefined =>
  typeof value === 'string' && value.trim() !== '' ? value.trim() : undefined;

export const objects = (value: unknown): readonly Json[] =>
  Array.isArray(value) ? value.filter(isObject) : [];

export const textsOf = (value: unknown): readonly string[] =>
  Array.isArray(value) ? value.flatMap((item) => text(item) ?? []) : [];

export const domainOf = (entityId: string) => entityId.slice(0, entityId.indexOf('.'));

export const isEntityId = (value: unknown): value is string =>
  typeof value === 'string' && /^[a-z0-9_]+\.[a-z0-9_]+$/.test(value);
