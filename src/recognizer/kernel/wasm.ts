/**
 * As much of the WebAssembly binary format (version 1 with 128-bit SIMD, webassembly.github.io/spec/core/binary) as the
 * kernel needs. Code is bytes, in lists within lists: an expression's operands come before its operator.
 */
export type Code = readonly (number | Code)[];

const types = { i32: 0x7f, v128: 0x7b } as const;
type Type = keyof typeof types;

/** Unsigned LEB128. */
function unsigned(value: number): number[] {
  const out: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...out, rest];
    out.push((rest % 128) + 128);
  }
}

/** Signed LEB128 of 32 bits. */
function signed(value: number): number[] {
  const out: number[] = [];
  for (let rest = value; ; rest >>= 7) {
    const low = rest & 127;
    if ((rest >> 7 === 0 && low < 64) || (rest >> 7 === -1 && low >= 64)) return [...out, low];
    out.push(low + 128);
  }
}

const floatBytes = (value: number) => [...new Uint8Array(Float32Array.of(value).buffer)];
const doubleBytes = (value: number) => [...new Uint8Array(Float64Array.of(value).buffer)];
const op =
  (byte: number) =>
  (a: Code, b: Code): Code => [a, b, byte];
const simd = (code: number) => [0xfd, ...unsigned(code)];
const one =
  (code: number) =>
  (a: Code): Code => [a, simd(code)];
const two =
  (code: number) =>
  (a: Code, b: Code): Code => [a, b, simd(code)];
/** `align`: log2 of what addresses are a multiple of; a hint. */
const load =
  (code: number, align: number) =>
  (at: Code, offset: number): Code => [at, simd(code), align, unsigned(offset)];

export const i32 = {
  const: (value: number): Code => [0x41, signed(value)],
  add: op(0x6a),
  ltU: op(0x49),
};

export const v128 = {
  const: (bytes: Code): Code => [simd(12), bytes],
  load: load(0, 4),
  load8x8: load(1, 3),
  store: (at: Code, offset: number, value: Code): Code => [
    at,
    value,
    simd(11),
    4,
    unsigned(offset),
  ],
  /** The lowest 4 or 8 bytes. */
  storeLow: (at: Code, bytes: 4 | 8, value: Code): Code => [
    at,
    value,
    simd(bytes === 4 ? 90 : 91),
    bytes === 4 ? 2 : 3,
    0,
    0,
  ],
  and: two(78),
  or: two(80),
  anyTrue: one(83),
  shuffle: (a: Code, b: Code, bytes: Code): Code => [a, b, simd(13), bytes],
};

export const i8x16 = { narrowI16x8: two(101) };
export const i16x8 = {
  narrowI32x4: two(133),
  extendLowI8x16: one(135),
  extendHighI8x16: one(136),
  add: two(142),
  extmulLowI8x16: two(156),
  extmulHighI8x16: two(157),
};
export const i32x4 = {
  extaddPairwiseI16x8: one(126),
  dotI16x8: two(186),
  add: two(174),
  truncSatF32x4: one(248),
};
export const i64x2 = {
  eq: two(214),
  /** A whole number below 2^32 in both lanes. */
  const: (value: number): Code => {
    const lane = [...new Uint8Array(Uint32Array.of(value, 0).buffer)];
    return v128.const([...lane, ...lane]);
  },
};
export const f32x4 = {
  const: (value: number): Code => v128.const([1, 2, 3, 4].flatMap(() => floatBytes(value))),
  splat: one(19),
  nearest: one(106),
  add: two(228),
  mul: two(230),
  div: two(231),
  min: two(232),
  max: two(233),
  convertI32x4: one(250),
  demoteF64x2: one(94),
};
export const f64x2 = {
  promoteLowF32x4: one(95),
  add: two(240),
  mul: two(242),
  const: (value: number): Code => v128.const([...doubleBytes(value), ...doubleBytes(value)]),
};

/** The variables of one function, by name: parameters, numbers, and vectors, which are there as soon as they are named. */
export class Locals {
  private readonly indices = new Map<string, number>();
  private readonly declared: Type[] = [];
  private readonly parameters: readonly Type[];

  constructor(parameters: readonly string[], numbers: readonly string[] = []) {
    this.parameters = parameters.map(() => 'i32');
    for (const name of parameters) this.indices.set(name, this.indices.size);
    for (const name of numbers) this.declare(name, 'i32');
  }

  private declare(name: string, type: Type): number {
    const index = this.indices.size;
    this.declared.push(type);
    this.indices.set(name, index);
    return index;
  }

  private index(name: string): Code {
    return unsigned(this.indices.get(name) ?? this.declare(name, 'v128'));
  }

  get(name: string): Code {
    return [0x20, this.index(name)];
  }

  set(name: string, value: Code): Code {
    return [value, 0x21, this.index(name)];
  }

  /** Adds to a number. */
  advance(name: string, by: number): Code {
    return this.set(name, i32.add(this.get(name), i32.const(by)));
  }

  /** Repeats `body` until `condition` is 0; at least once. */
  static until(body: Code, condition: Code): Code {
    return [0x03, 0x40, body, condition, 0x0d, 0, 0x0b];
  }

  get signature(): Code {
    return vector(this.parameters.map((type) => [types[type]]));
  }

  /** Size, variables and code, as the code section wants them. */
  encode(body: Code): Code {
    const variables = vector(this.declared.map((type) => [1, types[type]]));
    return sized([variables, body, 0x0b]);
  }
}

export interface Procedure {
  readonly name: string;
  readonly locals: Locals;
  readonly body: Code;
  readonly result?: Type;
}

function flat(code: Code, out: number[] = []): number[] {
  for (const part of code)
    if (typeof part === 'number') out.push(part);
    else flat(part, out);
  return out;
}
/** Its length in bytes before it. */
const sized = (code: Code): Code => {
  const bytes = flat(code);
  return [unsigned(bytes.length), bytes];
};
const vector = (items: readonly Code[]): Code => [unsigned(items.length), items];
const text = (value: string): Code => vector([...Buffer.from(value)].map((byte) => [byte]));
const section = (id: number, content: Code): Code => [id, sized(content)];

/** A module of these functions, all exported, over a memory that it is given as `env.memory`. */
export function moduleOf(procedures: readonly Procedure[]): Uint8Array<ArrayBuffer> {
  const kinds = procedures.map(({ locals, result }) => [
    0x60,
    locals.signature,
    vector(result === undefined ? [] : [[types[result]]]),
  ]);
  return Uint8Array.from(
    flat([
      [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
      section(1, vector(kinds)),
      section(2, vector([[text('env'), text('memory'), 2, 0, 0]])),
      section(3, vector(procedures.map((_, index) => unsigned(index)))),
      section(7, vector(procedures.map(({ name }, i) => [text(name), 0, unsigned(i)]))),
      section(10, vector(procedures.map(({ locals, body }) => locals.encode(body)))),
    ]),
  );
}
