import { halfway, hyperbolic, logistic, lowBits, type Curve } from './curves.js';
import {
  f32x4,
  f64x2,
  i16x8,
  i32,
  i32x4,
  i64x2,
  i8x16,
  Locals,
  moduleOf,
  v128,
  type Code,
  type Procedure,
} from './wasm.js';

/**
 * How products of bytes are made. `wide`: activations lie in 16 bits and pairs of products are added in one go (pmaddwd of
 * x86). `narrow`: they lie in 8 bits, and products in 16 (smull of ARM). The sums are the same whole numbers.
 */
export type Width = 'wide' | 'narrow';
export const activationBytes = (width: Width) => (width === 'wide' ? 2 : 1);

/** Steps computed at a time; more are taken one group after the other. */
export const stepsAtOnce = 4;

/** Rows of a matrix, and values of an activation, come in groups of these; what a network lacks of a group is 0. */
export const rowGroup = 4;
export const valueGroup = 16;

/** Bytes from the activations, and from the sums, of one step to those of the next. */
export interface Apart {
  readonly codes: number;
  readonly sums: number;
}

/**
 * What one step of a network is made of, as docs/quantization.md has it. All arguments are addresses, ends are exclusive:
 *
 *     accumulate(w, x, columns, out, end)   whole sums of the rows of a matrix; `columns` in bytes of x
 *     accumulateAll(w, x, columns, out, end)   the same of `stepsAtOnce` steps; narrow alone, where it is faster
 *     affine(sums, factors, biases, out, end)            fl(fl(sum factor) + bias)
 *     project(sums, factors, out, end)                   onto the grid: rint(fl(sum factor)), saturated
 *     quantise(values, scales, out, end)                 onto the grid: rint(fl(value / scale)), saturated
 *     cells(sums, factors, below, before, scales, after, out, end)   gates and cells of one step
 *
 * `cells` writes the cells to `after` and h on its grid to `out`. It returns 0, or 1 when a rounding may have gone wrong:
 * then nothing of what it wrote counts (one step in some hundreds; see `fusedMultiplyAdd`).
 */
export function stepModule(width: Width, apart: Apart): Uint8Array<ArrayBuffer> {
  const sums = [1, ...(width === 'narrow' ? [stepsAtOnce] : [])];
  const accumulates = sums.map((steps) => accumulate(width, steps, apart));
  return moduleOf([...accumulates, affine(), project(width), quantise(width), cells(width)]);
}

const below = (l: Locals, at: string, end: string) => i32.ltU(l.get(at), l.get(end));
const zero = f32x4.const(0);

const rows = [0, 1, 2, 3];

/** Activations of `steps` steps times the rows of a matrix. */
function accumulate(width: Width, steps: number, { codes, sums }: Apart): Procedure {
  const each = Array.from({ length: steps }, (_, t) => t);
  const l = new Locals(['w', 'x', 'columns', 'out', 'end'], ['last', 'k']);
  const ofGroup = (t: number) => [
    ...l.set('a', halves(l.get(`sum${t}0`), l.get(`sum${t}1`))),
    ...l.set('b', halves(l.get(`sum${t}2`), l.get(`sum${t}3`))),
    ...v128.store(
      l.get('out'),
      t * sums,
      i32x4.add(
        v128.shuffle(l.get('a'), l.get('b'), lanes(0, 1, 4, 5)),
        v128.shuffle(l.get('a'), l.get('b'), lanes(2, 3, 6, 7)),
      ),
    ),
  ];
  const body = Locals.until(
    [
      ...each.flatMap((t) => rows.flatMap((r) => l.set(`sum${t}${r}`, zero))),
      ...l.set('k', l.get('x')),
      ...l.set('last', i32.add(l.get('x'), l.get('columns'))),
      ...Locals.until(
        [
          ...(width === 'wide' ? wideProducts(l) : narrowProducts(l, each, codes)),
          ...l.advance('w', rowGroup * valueGroup),
          ...l.advance('k', valueGroup * activationBytes(width)),
        ],
        below(l, 'k', 'last'),
      ),
      ...each.flatMap(ofGroup),
      ...l.advance('out', 16),
    ],
    below(l, 'out', 'end'),
  );
  return { name: steps === 1 ? 'accumulate' : 'accumulateAll', locals: l, body };
}

const addTo = (l: Locals, sum: string, value: Code) => l.set(sum, i32x4.add(l.get(sum), value));

/** 16 columns of 4 rows, one step. */
const wideProducts = (l: Locals): Code =>
  [0, 8].flatMap((column) => [
    ...l.set('values', v128.load(l.get('k'), 2 * column)),
    ...rows.flatMap((r) =>
      addTo(
        l,
        `sum0${r}`,
        i32x4.dotI16x8(v128.load8x8(l.get('w'), 16 * r + column), l.get('values')),
      ),
    ),
  ]);

/** 16 columns of 4 rows, several steps. Two products of -127 to 127 and -128 to 127 fit into 16 bits. */
const narrowProducts = (l: Locals, each: readonly number[], apart: number): Code => [
  ...each.flatMap((t) => l.set(`values${t}`, v128.load(l.get('k'), t * apart))),
  ...rows.flatMap((r) => [
    ...l.set('row', v128.load(l.get('w'), 16 * r)),
    ...each.flatMap((t) => {
      const low = i16x8.extmulLowI8x16(l.get('row'), l.get(`values${t}`));
      const high = i16x8.extmulHighI8x16(l.get('row'), l.get(`values${t}`));
      return addTo(l, `sum${t}${r}`, i32x4.extaddPairwiseI16x8(i16x8.add(low, high)));
    }),
  ]),
];

/** Bytes of four lanes of 32 bits, of two vectors. */
const lanes = (...which: number[]) =>
  which.flatMap((lane) => [0, 1, 2, 3].map((byte) => 4 * lane + byte));

/** a0 + a2, b0 + b2, a1 + a3, b1 + b3 */
const halves = (a: Code, b: Code) =>
  i32x4.add(v128.shuffle(a, b, lanes(0, 4, 1, 5)), v128.shuffle(a, b, lanes(2, 6, 3, 7)));

const scaled = (sums: Code, factors: Code) => f32x4.mul(f32x4.convertI32x4(sums), factors);

function affine(): Procedure {
  const l = new Locals(['sums', 'factors', 'biases', 'out', 'end']);
  const product = scaled(v128.load(l.get('sums'), 0), v128.load(l.get('factors'), 0));
  const body = Locals.until(
    [
      ...v128.store(l.get('out'), 0, f32x4.add(product, v128.load(l.get('biases'), 0))),
      ...['sums', 'factors', 'biases', 'out'].flatMap((name) => l.advance(name, 16)),
    ],
    below(l, 'out', 'end'),
  );
  return { name: 'affine', locals: l, body };
}

/** Whole numbers of 4 float32 values, half to even. What does not fit into 32 bits is their largest. */
const whole = (values: Code) => i32x4.truncSatF32x4(f32x4.nearest(values));

/** 16 values onto the grid: narrowing saturates. */
function storeGrid(width: Width, l: Locals, four: (offset: number) => Code): Code {
  const eight = (offset: number) => i16x8.narrowI32x4(four(offset), four(offset + 16));
  const bytes = i8x16.narrowI16x8(eight(0), eight(32));
  if (width === 'narrow') return v128.store(l.get('out'), 0, bytes);
  return [
    ...l.set('grid', bytes),
    ...v128.store(l.get('out'), 0, i16x8.extendLowI8x16(l.get('grid'))),
    ...v128.store(l.get('out'), 16, i16x8.extendHighI8x16(l.get('grid'))),
  ];
}

function project(width: Width): Procedure {
  const l = new Locals(['sums', 'factors', 'out', 'end']);
  const four = (offset: number) =>
    whole(scaled(v128.load(l.get('sums'), offset), v128.load(l.get('factors'), offset)));
  const body = Locals.until(
    [
      ...storeGrid(width, l, four),
      ...l.advance('sums', 4 * valueGroup),
      ...l.advance('factors', 4 * valueGroup),
      ...l.advance('out', valueGroup * activationBytes(width)),
    ],
    below(l, 'out', 'end'),
  );
  return { name: 'project', locals: l, body };
}

function quantise(width: Width): Procedure {
  const l = new Locals(['values', 'scales', 'out', 'end']);
  const four = (offset: number) =>
    whole(f32x4.div(v128.load(l.get('values'), offset), v128.load(l.get('scales'), 0)));
  const body = Locals.until(
    [
      ...storeGrid(width, l, four),
      ...l.advance('values', 4 * valueGroup),
      ...l.advance('out', valueGroup * activationBytes(width)),
    ],
    below(l, 'out', 'end'),
  );
  return { name: 'quantise', locals: l, body };
}

/** Sums, factors and `below` hold, for each 4 cells, 4 values of gate i, of f, of o, of g. */
function cells(width: Width): Procedure {
  const names = ['sums', 'factors', 'below', 'before', 'scales', 'after', 'out', 'end'];
  const l = new Locals(names);
  const gate = (which: number) =>
    f32x4.add(
      scaled(v128.load(l.get('sums'), 16 * which), v128.load(l.get('factors'), 16 * which)),
      v128.load(l.get('below'), 16 * which),
    );
  const sigmoid = (name: string, value: Code) => [
    ...rational(l, logistic, value),
    ...l.set(
      name,
      f32x4.min(f32x4.const(1), f32x4.max(zero, f32x4.add(l.get('ratio'), f32x4.const(0.5)))),
    ),
  ];
  const grid = i8x16.narrowI16x8(
    i16x8.narrowI32x4(l.get('h'), l.get('h')),
    i16x8.narrowI32x4(l.get('h'), l.get('h')),
  );
  const body = [
    ...l.set('flags', zero),
    ...Locals.until(
      [
        ...sigmoid('i', gate(0)),
        ...sigmoid('f', gate(1)),
        ...sigmoid('o', gate(2)),
        ...rational(l, hyperbolic, gate(3)),
        ...l.set(
          'c',
          f32x4.add(
            f32x4.mul(l.get('f'), v128.load(l.get('before'), 0)),
            f32x4.mul(l.get('i'), l.get('ratio')),
          ),
        ),
        ...v128.store(l.get('after'), 0, l.get('c')),
        ...rational(l, hyperbolic, l.get('c')),
        ...l.set(
          'h',
          whole(f32x4.div(f32x4.mul(l.get('o'), l.get('ratio')), v128.load(l.get('scales'), 0))),
        ),
        ...(width === 'wide'
          ? v128.storeLow(l.get('out'), 8, i16x8.extendLowI8x16(grid))
          : v128.storeLow(l.get('out'), 4, grid)),
        ...['sums', 'factors', 'below'].flatMap((name) => l.advance(name, 4 * 4 * rowGroup)),
        ...['before', 'after'].flatMap((name) => l.advance(name, 4 * rowGroup)),
        ...l.advance('out', rowGroup * activationBytes(width)),
      ],
      below(l, 'out', 'end'),
    ),
    ...v128.anyTrue(l.get('flags')),
  ];
  return { name: 'cells', locals: l, body, result: 'i32' };
}

/** `ratio` = x P(x^2) / Q(x^2) of 4 values, Horner's steps in double precision rounded to float32 each; `flags` as said above. */
function rational(l: Locals, { limit, over, under }: Curve, x: Code): Code {
  const sides = ['low', 'high'] as const;
  const high = (value: Code) => v128.shuffle(value, value, lanes(2, 3, 2, 3));
  const horner = ([first = 0, ...rest]: readonly number[], name: string): Code => [
    ...sides.flatMap((side) => [
      ...l.set(side, f64x2.const(first)),
      ...rest.flatMap((next, index) => [
        ...l.set(
          'sum',
          f64x2.add(f64x2.mul(l.get(side), l.get(`square.${side}`)), f64x2.const(next)),
        ),
        ...l.set(
          'flags',
          v128.or(
            l.get('flags'),
            i64x2.eq(v128.and(l.get('sum'), i64x2.const(lowBits)), i64x2.const(halfway)),
          ),
        ),
        ...l.set(side, f32x4.demoteF64x2(l.get('sum'))),
        ...(index < rest.length - 1 ? l.set(side, f64x2.promoteLowF32x4(l.get(side))) : []),
      ]),
    ]),
    ...l.set(name, v128.shuffle(l.get('low'), l.get('high'), lanes(0, 1, 4, 5))),
  ];
  return [
    ...l.set('v', f32x4.max(f32x4.const(-limit), f32x4.min(f32x4.const(limit), x))),
    ...l.set('square', f32x4.mul(l.get('v'), l.get('v'))),
    ...l.set('square.low', f64x2.promoteLowF32x4(l.get('square'))),
    ...l.set('square.high', f64x2.promoteLowF32x4(high(l.get('square')))),
    ...horner(over, 'over'),
    ...horner(under, 'under'),
    ...l.set('ratio', f32x4.div(f32x4.mul(l.get('over'), l.get('v')), l.get('under'))),
  ];
}
