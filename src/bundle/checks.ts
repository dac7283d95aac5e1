/** What a value of a manifest must be: undefined where it is, else what was expected. */
export type Check = (value: unknown) => string | undefined;

/** Values of one state tensor; a network that carries more is not one that we know. */
const stateValuesMax = 1_000_000;

function isStateTensor(v: unknown): boolean {
  const { name, shape } = (v ?? {}) as { name?: unknown; shape?: unknown };
  return (
    typeof name === 'string' &&
    Array.isArray(shape) &&
    shape.every((n) => Number.isInteger(n) && n >= 1) &&
    (shape as number[]).reduce((a, b) => a * b, 1) <= stateValuesMax
  );
}

function isFileEntry(v: unknown): boolean {
  if (!isDigest(v)) return false;
  const { packed } = v as { packed?: unknown };
  return (
    packed === undefined ||
    (at(packed, 'encoding') === 'br' && isDigest(packed) && isFilter(packed as object))
  );
}

function isFilter({ filter, filteredBytes }: { filter?: unknown; filteredBytes?: unknown }) {
  if (filter === undefined) return filteredBytes === undefined;
  return filter === 'nibbles' && isCount(filteredBytes);
}

function isDigest(v: unknown): boolean {
  const { sha256, bytes } = (v ?? {}) as { sha256?: unknown; bytes?: unknown };
  return typeof sha256 === 'string' && /^[0-9a-f]{64}$/.test(sha256) && isCount(bytes);
}

const isCount = (v: unknown) => Number.isInteger(v) && (v as number) >= 0;

/** A value as it stands in the file, as far as it is worth showing. */
export function shownAs(value: unknown): string {
  if (value === undefined) return 'missing';
  try {
    return (JSON.stringify(value) ?? 'undefined').slice(0, 60);
  } catch {
    return 'nested too deep';
  }
}

export const number =
  (low = -Infinity, high = Infinity): Check =>
  (v) =>
    typeof v === 'number' && Number.isFinite(v) && v >= low && v <= high
      ? undefined
      : `a number from ${low} to ${high}`;
export const whole =
  (low: number, high: number): Check =>
  (v) =>
    Number.isInteger(v) && (v as number) >= low && (v as number) <= high
      ? undefined
      : `a whole number from ${low} to ${high}`;
export const text: Check = (v) => (typeof v === 'string' && v !== '' ? undefined : 'a text');
export const semver: Check = (v) =>
  typeof v === 'string' && /^\d+\.\d+\.\d+(-[\w.]+)?$/.test(v) ? undefined : 'a version like 1.2.3';
export const flag: Check = (v) => (typeof v === 'boolean' ? undefined : 'true or false');
export const numbers: Check = (v) =>
  Array.isArray(v) && v.every((n) => typeof n === 'number' && Number.isFinite(n))
    ? undefined
    : 'a list of finite numbers';
export const texts: Check = (v) =>
  Array.isArray(v) && v.length > 1 && v.every((n) => typeof n === 'string')
    ? undefined
    : 'a list of texts';
export const record: Check = (v) =>
  typeof v === 'object' && v !== null && !Array.isArray(v) ? undefined : 'an object';
export const list: Check = (v) => (Array.isArray(v) ? undefined : 'a list');
export const stateTensors: Check = (v) =>
  Array.isArray(v) && v.every(isStateTensor)
    ? undefined
    : `a list of {name, shape: whole numbers, at most ${stateValuesMax} values}`;
export const fileEntries: Check = (v) => {
  if (record(v) !== undefined) return record(v);
  const bad = Object.entries(v as object).find(([, entry]) => !isFileEntry(entry));
  return (
    bad &&
    `for ${JSON.stringify(bad[0])} {sha256: 64 hex digits, bytes: whole number}, and if it is stored packed the same as packed, with encoding "br" and, if it is filtered, filter "nibbles" and filteredBytes`
  );
};
export const oneOf =
  (...words: string[]): Check =>
  (v) =>
    typeof v === 'string' && words.includes(v) ? undefined : `one of ${words.join(', ')}`;
export const optional =
  (check: Check): Check =>
  (v) =>
    v === undefined ? undefined : check(v);
export const numberRecord: Check = (v) =>
  record(v) ??
  (Object.values(v as object).every((n) => typeof n === 'number' && Number.isFinite(n))
    ? undefined
    : 'an object of finite numbers');

export function at(value: unknown, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>(
      (v, key) =>
        typeof v === 'object' && v !== null ? (v as Record<string, unknown>)[key] : undefined,
      value,
    );
}
