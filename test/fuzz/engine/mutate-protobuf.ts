/** Protocol Buffers with one of their fields changed, doubled, left out or taken from another message. */
import type { Random } from './random.js';

interface Field {
  number: number;
  wire: number;
  /** Of wire type 2 the bytes alone, of others all that follows the tag. */
  body: Buffer;
  /** The body, where it reads as a message. */
  inner?: Field[];
}

export function mutateProtobuf(input: Buffer, random: Random, other: Buffer): Buffer {
  const message = fieldsOf(input, 0);
  if (message === undefined) return input;
  for (let left = random.size(3); left > 0; left--)
    change(message, random, fieldsOf(other, 0) ?? []);
  return written(message);
}

function varint(bytes: Buffer, at: number): { value: number; end: number } | undefined {
  let value = 0;
  for (let i = 0; i < 10; i++) {
    const byte = bytes[at + i];
    if (byte === undefined) return undefined;
    value += (byte & 127) * 128 ** i;
    if (byte < 128) return { value, end: at + i + 1 };
  }
  return undefined;
}

function encoded(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return Buffer.from([...bytes, rest]);
}

function fieldsOf(bytes: Buffer, depth: number): Field[] | undefined {
  const found: Field[] = [];
  for (let at = 0; at < bytes.length;) {
    const tag = varint(bytes, at);
    if (tag === undefined || tag.value < 8) return undefined;
    const [number, wire] = [Math.floor(tag.value / 8), tag.value % 8];
    let from = tag.end;
    let end: number;
    if (wire === 0) end = varint(bytes, from)?.end ?? bytes.length + 1;
    else if (wire === 1) end = from + 8;
    else if (wire === 5) end = from + 4;
    else if (wire === 2) {
      const length = varint(bytes, from);
      if (length === undefined) return undefined;
      from = length.end;
      end = from + length.value;
    } else return undefined;
    if (end > bytes.length) return undefined;
    const body = bytes.subarray(from, end);
    const inner =
      wire === 2 && body.length > 1 && depth < 12 ? fieldsOf(body, depth + 1) : undefined;
    found.push(inner === undefined ? { number, wire, body } : { number, wire, body, inner });
    at = end;
  }
  return found;
}

const written = (fields: readonly Field[]): Buffer =>
  Buffer.concat(
    fields.flatMap(({ number, wire, body, inner }) => {
      const content = inner === undefined ? body : written(inner);
      const tag = encoded(number * 8 + wire);
      return wire === 2 ? [tag, encoded(content.length), content] : [tag, content];
    }),
  );

function messagesIn(fields: Field[]): Field[][] {
  return [fields, ...fields.flatMap(({ inner }) => (inner === undefined ? [] : messagesIn(inner)))];
}

const numbers = [0, 1, 2, 3, 7, 127, 128, 255, 65_536, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 53];

function change(message: Field[], random: Random, other: Field[]): void {
  const fields = random.of(messagesIn(message));
  if (fields.length === 0) return;
  const at = random.below(fields.length);
  const field = random.of(fields);
  switch (random.below(8)) {
    case 0:
      fields.splice(at, 1);
      return;
    case 1:
      fields.splice(at, 0, structuredClonedField(field));
      return;
    case 2:
      // Beyond 2^29 there is none; a careless reader takes its lowest bits.
      field.number = random.chance(0.3)
        ? field.number + random.of([2 ** 29, 2 ** 28])
        : 1 + random.below(random.of([16, 32, 600]));
      return;
    case 3: {
      const theirs = random.of(messagesIn(other));
      if (theirs.length > 0) fields.splice(at, 0, structuredClonedField(random.of(theirs)));
      return;
    }
    case 4:
      if (field.inner !== undefined) field.inner.push({ ...field, inner: [] });
      else if (field.wire === 2)
        field.body = field.body.subarray(random.below(field.body.length + 1));
      return;
    case 5:
      field.wire = random.of([0, 1, 2, 5]);
      delete field.inner;
      return;
    default:
      delete field.inner;
      if (field.wire === 0)
        field.body = random.chance(0.1)
          ? Buffer.from('ffffffffffffffffff01', 'hex')
          : encoded(random.of(numbers));
      else if (field.body.length > 0) {
        field.body = Buffer.from(field.body);
        field.body[random.below(field.body.length)] = random.below(256);
      }
  }
}

function structuredClonedField(field: Field): Field {
  const inner = field.inner?.map(structuredClonedField);
  return inner === undefined ? { ...field } : { ...field, inner };
}
