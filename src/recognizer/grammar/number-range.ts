import { chain, type Automaton } from './automaton.js';
import { namedFractions, numberMax, ones, scales, tens, type NumberStyle } from './numbers.js';

/** All n from low to high in steps; low and high are members. */
interface Progression {
  readonly low: number;
  readonly high: number;
  readonly step: number;
}

export interface RangeSpec extends NumberStyle {
  readonly from: number;
  readonly to: number;
  readonly step: number;
}

/** Digits after the point that a range may have. */
export const decimalsMax = 3;

/** Decimal places of a number, e.g. 2 for 0.25. */
export function decimalsOf(value: number): number {
  for (let d = 0; d <= decimalsMax; d++) {
    if (Math.abs(value * 10 ** d - Math.round(value * 10 ** d)) < 1e-9 * 10 ** d) return d;
  }
  return decimalsMax + 1;
}

/**
 * Exactly the phrases of spokenNumber for every number of a range, as an automaton whose size depends
 * on the shape of the numbers and not on how many there are: numbers with the same rest after "thousand"
 * share it. Returns the state in which a number is complete.
 */
export function buildRange(a: Automaton, from: number, spec: RangeSpec): number {
  const exit = a.state();
  const decimals = Math.max(...[spec.from, spec.to, spec.step].map(decimalsOf));
  const unit = 10 ** decimals;
  const [low, high, step] = [spec.from, spec.to, spec.step].map((v) => Math.round(v * unit)) as [
    number,
    number,
    number,
  ];
  const builder = new RangeBuilder(a, spec);
  const positive = members(Math.max(low, 0), high, step, low);
  if (positive !== null) builder.decimal(positive, unit, from, exit);
  const negative = members(Math.max(-high, 1), -low, step, -low);
  if (negative !== null) {
    const signed = a.state();
    a.edge(from, signed, 'minus');
    a.edge(from, signed, 'negative');
    builder.decimal(negative, unit, signed, exit);
  }
  return exit;
}

/** The n from low to high that differ from `one` by whole steps; null when there is none. */
function members(low: number, high: number, step: number, one: number): Progression | null {
  const first = low + modulo(one - low, step);
  const last = high - modulo(high - one, step);
  if (first > last) return null;
  return { low: first, high: last, step: first === last ? 1 : step };
}

const clip = (p: Progression, low: number, high: number) =>
  members(Math.max(low, p.low), Math.min(high, p.high), p.step, p.low);
const modulo = (n: number, by: number) => ((n % by) + by) % by;
const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));
const has = (p: Progression, n: number) => clip(p, n, n) !== null;
const keyOf = ({ low, high, step }: Progression) => `${low}:${high}:${step}`;

class RangeBuilder {
  private readonly shared = new Map<string, number>();

  constructor(
    private readonly a: Automaton,
    private readonly style: NumberStyle,
  ) {}

  /** Numbers n / unit, e.g. tenths with unit 10. */
  decimal(p: Progression, unit: number, from: number, exit: number): void {
    for (const { wholes, fractions } of this.byWholes(p, unit)) {
      if (fractions.includes('')) this.top(wholes, from, exit);
      const parts = fractions.filter((f) => f !== '');
      if (parts.length === 0) continue;
      const point = this.a.state();
      const above0 = clip(wholes, 1, numberMax);
      if (above0 !== null) this.a.edge(from, this.whole(above0, point, true));
      if (has(wholes, 0)) {
        this.a.edge(from, point, 'zero');
        this.a.edge(from, point, 'oh');
        this.a.edge(from, point);
      }
      const digits = this.a.state();
      this.a.edge(point, digits, 'point');
      this.fractions(parts, digits, exit);
      for (const named of namedFractions)
        if (parts.includes(named.digits)) this.named(named, wholes, above0, from, exit);
    }
  }

  /** "a half", "two and a half". */
  private named(
    { alone, after }: (typeof namedFractions)[number],
    wholes: Progression,
    above0: Progression | null,
    from: number,
    exit: number,
  ): void {
    if (has(wholes, 0)) for (const way of alone) chain(this.a, from, exit, way.split(' '));
    if (above0 === null) return;
    const and = this.a.state();
    this.a.edge(from, this.whole(above0, and, true));
    chain(this.a, and, exit, ['and', ...after.split(' ')]);
  }

  /** Fractions (digits without trailing zeros, '' for none), grouped by the whole numbers they follow. */
  private byWholes(p: Progression, unit: number): { wholes: Progression; fractions: string[] }[] {
    const groups = new Map<string, { wholes: Progression; fractions: string[] }>();
    const places = String(unit).length - 1;
    const period = p.step / gcd(p.step, unit);
    for (let f = 0; f < unit; f++) {
      const lowest = Math.ceil((p.low - f) / unit);
      const highest = Math.floor((p.high - f) / unit);
      for (let w = lowest; w < lowest + period && w <= highest; w++) {
        if (!has(p, w * unit + f)) continue;
        const wholes = members(w, highest, period, w);
        if (wholes === null) continue;
        const text = places === 0 ? '' : String(f).padStart(places, '0').replace(/0+$/, '');
        const group = groups.get(keyOf(wholes)) ?? { wholes, fractions: [] };
        group.fractions.push(text);
        groups.set(keyOf(wholes), group);
      }
    }
    return [...groups.values()];
  }

  private fractions(parts: readonly string[], from: number, exit: number): void {
    const states = new Map([['', from]]);
    for (const part of parts) {
      for (let i = 1; i <= part.length; i++) {
        const ends = i === part.length;
        const before = states.get(part.slice(0, i - 1)) ?? from;
        let target = exit;
        if (!ends) {
          const known = states.get(part.slice(0, i));
          target = known ?? this.a.state();
          states.set(part.slice(0, i), target);
          if (known !== undefined) continue;
        }
        const digit = Number(part[i - 1]);
        this.a.edge(before, target, ones[digit] ?? '');
        if (digit === 0) this.a.edge(before, target, 'oh');
      }
    }
  }

  private top(p: Progression, from: number, exit: number): void {
    this.a.edge(from, this.whole(p, exit, true));
    if (has(p, 500_000)) chain(this.a, from, exit, ['half', 'a', 'million']);
    if (this.style.pairs !== true) return;
    // Heads with the same rests share them: 1900 to 2099 has two.
    const rests = new Map<string, number>();
    for (let head = 1; head <= 99; head++) {
      const rest = clip(p, head * 100 + (head < 10 ? 1 : 0), head * 100 + 99);
      if (rest === null) continue;
      const pair = { low: rest.low - head * 100, high: rest.high - head * 100, step: rest.step };
      const hundred = head >= 10 && head % 10 === 0 && has(pair, 0);
      const key = `${keyOf(pair)} ${hundred}`;
      let after = rests.get(key);
      if (after === undefined) {
        after = this.a.state();
        rests.set(key, after);
        this.secondPair(pair, hundred, after, exit);
      }
      this.below100({ low: head, high: head, step: 1 }, from, after);
    }
  }

  private secondPair(pair: Progression, hundred: boolean, from: number, exit: number): void {
    if (hundred) this.a.edge(from, exit, 'hundred');
    const large = clip(pair, 10, 99);
    if (large !== null) this.below100(large, from, exit);
    const small = clip(pair, 1, 9);
    if (small === null) return;
    const oh = this.a.state();
    this.a.edge(from, oh, 'oh');
    this.below100(small, oh, exit);
  }

  /** State before a whole number of p that leads to `exit`; `begins` where "a hundred" may be said. */
  private whole(p: Progression, exit: number, begins: boolean): number {
    return this.once(`whole ${keyOf(p)} ${exit} ${begins}`, (entry) => {
      if (has(p, 0)) this.a.edge(entry, exit, 'zero');
      const small = clip(p, 1, 99);
      if (small !== null) this.below100(small, entry, exit);
      for (const [size, name] of scales) {
        const top = size === 100 ? 999 : size === 1000 ? 999_999 : numberMax;
        this.scaled(clip(p, size, top), size, name, entry, exit, begins);
      }
      // "fifteen hundred", for hundreds that are no thousands.
      for (let ten = 10; ten < 100; ten += 10) {
        const hundreds = clip(p, (ten + 1) * 100, (ten + 10) * 100 - 1);
        this.scaled(hundreds, 100, 'hundred', entry, exit, false);
      }
    });
  }

  /** Heads that have the same rests after the scale's name share one automaton of rests. */
  private scaled(
    p: Progression | null,
    size: number,
    name: string,
    entry: number,
    exit: number,
    begins: boolean,
  ): void {
    if (p === null) return;
    const first = Math.floor(p.low / size);
    const last = Math.floor(p.high / size);
    const period = p.step / gcd(p.step, size);
    const groups: Progression[] = [
      { low: first, high: first, step: 1 },
      ...(last > first ? [{ low: last, high: last, step: 1 }] : []),
    ];
    for (let k = 0; k < Math.min(period, last - first - 1); k++) {
      const middle = members(first + 1, last - 1, period, first + 1 + k);
      if (middle !== null) groups.push(middle);
    }
    for (const heads of groups) {
      const from = heads.low * size;
      const rest = clip(p, from, from + size - 1);
      if (rest === null) continue;
      const after = this.rest(
        { low: rest.low - from, high: rest.high - from, step: rest.step },
        size,
        exit,
      );
      const before = this.a.state();
      this.a.edge(before, after, name);
      this.a.edge(entry, this.whole(heads, before, begins));
      if (begins && this.style.article !== false && has(heads, 1)) this.a.edge(entry, before, 'a');
    }
  }

  /** State after "hundred", "thousand" or "million". */
  private rest(p: Progression, size: number, exit: number): number {
    return this.once(`rest ${keyOf(p)} ${size} ${exit}`, (entry) => {
      if (has(p, 0)) this.a.edge(entry, exit);
      const small = clip(p, 1, 99);
      if (small !== null) {
        const and = this.a.state();
        this.below100(small, and, exit);
        this.a.edge(entry, and);
        this.a.edge(entry, and, 'and');
      }
      const large = clip(p, 100, size - 1);
      if (large !== null) this.a.edge(entry, this.whole(large, exit, false));
    });
  }

  private below100(p: Progression, entry: number, exit: number): void {
    const afterTens = new Map<number, number>();
    for (let n = p.low; n <= p.high; n += p.step) {
      if (n < 20) {
        this.a.edge(entry, exit, ones[n] ?? '');
        continue;
      }
      const ten = Math.floor(n / 10);
      let after = afterTens.get(ten);
      if (after === undefined) {
        after = this.a.state();
        afterTens.set(ten, after);
        this.a.edge(entry, after, tens[ten] ?? '');
      }
      if (n % 10 === 0) this.a.edge(after, exit);
      else this.a.edge(after, exit, ones[n % 10] ?? '');
    }
  }

  private once(key: string, build: (entry: number) => void): number {
    const known = this.shared.get(key);
    if (known !== undefined) return known;
    const entry = this.a.state();
    this.shared.set(key, entry);
    build(entry);
    return entry;
  }
}
