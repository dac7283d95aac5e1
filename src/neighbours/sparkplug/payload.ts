/** The part of Sparkplug B's protobuf payload (Eclipse Tahu, sparkplug_b.proto) that an edge node needs. */
import protobuf from 'protobufjs/light.js';

/** Sparkplug's numbers of the types that are sent. */
export const dataTypes = { Int64: 4, Double: 10, Boolean: 11, String: 12, DateTime: 13 } as const;

export type DataType = keyof typeof dataTypes;
export type Value = string | number | boolean | null;

export interface Metric {
  readonly name: string;
  readonly type: DataType;
  /** null: none now. */
  readonly value: Value;
  /** Unix ms. */
  readonly atMs: number;
}

const field = (type: string, id: number) => ({ type, id });
const { Payload } = protobuf.Root.fromJSON({
  nested: {
    Metric: {
      oneofs: { value: { oneof: ['longValue', 'doubleValue', 'booleanValue', 'stringValue'] } },
      fields: {
        name: field('string', 1),
        timestamp: field('uint64', 3),
        datatype: field('uint32', 4),
        isNull: field('bool', 7),
        longValue: field('uint64', 11),
        doubleValue: field('double', 13),
        booleanValue: field('bool', 14),
        stringValue: field('string', 15),
      },
    },
    Payload: {
      fields: {
        timestamp: field('uint64', 1),
        metrics: { rule: 'repeated', ...field('Metric', 2) },
        seq: field('uint64', 3),
      },
    },
  },
}).nested as { Payload: protobuf.Type };

const valueField = {
  Int64: 'longValue',
  DateTime: 'longValue',
  Double: 'doubleValue',
  Boolean: 'booleanValue',
  String: 'stringValue',
} as const;

/** Without `seq` (NDEATH) there is none in the payload; 0 is written. */
export function encodePayload(
  metrics: readonly Metric[],
  times: { readonly timestamp: number; readonly seq?: number },
): Buffer {
  const message = {
    ...times,
    metrics: metrics.map(({ name, type, value, atMs }) => ({
      ...{ name, timestamp: atMs, datatype: dataTypes[type] },
      ...(value === null ? { isNull: true } : { [valueField[type]]: value }),
    })),
  };
  return Buffer.from(Payload.encode(Payload.fromObject(message)).finish());
}

/** Names with what they are set to, as far as it is of a type known here. Throws for what is no payload. */
export function decodeCommand(bytes: Buffer): ReadonlyMap<string, unknown> {
  const { metrics = [] } = Payload.toObject(Payload.decode(bytes), { longs: Number }) as {
    metrics?: Readonly<Record<string, unknown>>[];
  };
  return new Map(
    metrics.map((m) => [
      String(m['name']),
      m['booleanValue'] ?? m['longValue'] ?? m['doubleValue'] ?? m['stringValue'] ?? null,
    ]),
  );
}
