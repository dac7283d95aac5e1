/**
 * What was promised so far: every field of every message, its type, and whether it is always there. It only grows. A
 * contract that keeps less than that is an error, and then no page is made.
 */
import {
  publishedEventEntries,
  requestEntries,
  topicContracts,
  type Schema,
} from '../../src/publish/contract/index.js';

export const promisePath = 'test/golden/mqtt-promise.json';

interface Field {
  readonly always: boolean;
  readonly types: readonly string[];
  /** Only of requests: what a device says may get new values. */
  readonly values?: readonly string[];
}

export interface Promised {
  /** `<base>/<device>/state` -> how it is sent. */
  readonly topics: Readonly<Record<string, string>>;
  readonly said: Readonly<Record<string, Field>>;
  readonly asked: Readonly<Record<string, Field>>;
}

function* fieldsOf(path: string, schema: Schema, asked = false): Generator<[string, Field]> {
  const required = new Set(schema.required);
  for (const [name, field] of Object.entries(schema.properties ?? {})) {
    const at = `${path}.${name}`;
    const types = [field.const === undefined ? (field.type ?? []) : typeof field.const]
      .flat()
      .toSorted();
    const values = asked && field.enum !== undefined ? { values: field.enum.toSorted() } : {};
    yield [at, { always: required.has(name), types, ...values }];
    yield* fieldsOf(at, field, asked);
    if (field.items !== undefined) yield* fieldsOf(`${at}[]`, field.items, asked);
  }
}

/** What the contract says now. */
export function promiseNow(): Promised {
  const sent = topicContracts.filter((c) => c.from === 'device');
  return {
    topics: Object.fromEntries(
      topicContracts.map((c) => [
        c.topic,
        `from ${c.from}, QoS ${String(c.qos)}, retained ${String(c.retained)}`,
      ]),
    ),
    said: Object.fromEntries([
      ...sent.flatMap((c) => [...fieldsOf(c.name, c.schema)]),
      ...publishedEventEntries.flatMap(([name, { always = {}, sometimes = {} }]) => [
        ...fieldsOf(`event ${name}`, {
          required: Object.keys(always),
          properties: { ...always, ...sometimes },
        }),
      ]),
      ...requestEntries.flatMap(([name, { data }]) => [...fieldsOf(`response ${name}`, data)]),
    ]),
    asked: Object.fromEntries<Field>(
      requestEntries.flatMap(([name, { always = {}, sometimes = {} }]) => [
        [`request ${name}`, { always: false, types: ['object'] }] as const,
        ...fieldsOf(
          `request ${name}`,
          { required: Object.keys(always), properties: { ...always, ...sometimes } },
          true,
        ),
      ]),
    ),
  };
}

const within = (some: readonly string[] = [], all: readonly string[] = []) =>
  some.every((one) => all.includes(one));

/** What of `before` no longer holds, in words. */
export function broken(before: Promised, now: Promised): string[] {
  const faults: string[] = [];
  for (const [topic, how] of Object.entries(before.topics))
    if (now.topics[topic] !== how)
      faults.push(`${topic}: was ${how}, is ${now.topics[topic] ?? 'gone'}`);
  for (const [name, was] of Object.entries(before.said)) {
    const is = now.said[name];
    if (is === undefined) faults.push(`${name} is gone`);
    else if (was.always && !is.always) faults.push(`${name} was always there`);
    else if (!within(is.types, was.types))
      faults.push(`${name} was ${was.types.join(' or ')}, is ${is.types.join(' or ')}`);
  }
  for (const [name, was] of Object.entries(before.asked)) {
    const is = now.asked[name];
    if (is === undefined) faults.push(`${name} is gone`);
    else if (is.always && !was.always) faults.push(`${name} could be left out`);
    else if (!within(was.types, is.types) || !within(was.values, is.values))
      faults.push(`${name} took ${[...was.types, ...(was.values ?? [])].join(' or ')}`);
  }
  for (const [name, is] of Object.entries(now.asked)) {
    const request = name.split('.')[0] ?? '';
    if (is.always && before.asked[name] === undefined && before.asked[request] !== undefined)
      faults.push(`${name} is wanted now and was not there before`);
  }
  return faults;
}

/** The file with what is new. */
export function promiseFile(before: string): string {
  const now = promiseNow();
  const faults = broken(JSON.parse(before) as Promised, now);
  if (faults.length > 0)
    throw new Error(
      `readers were promised more (${promisePath}); add a new field or topic beside the old one instead:\n${faults.join('\n')}`,
    );
  return JSON.stringify(now, null, 2);
}
