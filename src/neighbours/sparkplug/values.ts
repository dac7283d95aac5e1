import type { DataType, Metric, Value } from './payload.js';

interface Kept {
  type: DataType;
  /** As it was told of before it had a value. */
  declared: DataType;
  value: Value;
  atMs: number;
  changed: boolean;
}

/** The metrics of the node: all of them for a birth, those that changed for data. */
export class Values {
  private readonly kept = new Map<string, Kept>();
  private unborn = false;

  /** There is such a metric, without a value so far: the first one needs no new birth. */
  declare(name: string, type: DataType, atMs: number): void {
    this.kept.set(name, { type, declared: type, value: null, atMs, changed: true });
    this.unborn = true;
  }

  /** `again`: it is news also when it is the same. A value of another type than those before makes it a text for good. */
  set(name: string, type: DataType, value: Value, atMs: number, again = false): void {
    const old = this.kept.get(name);
    if (old === undefined) {
      this.kept.set(name, { type, declared: type, value, atMs, changed: true });
      this.unborn = true;
      return;
    }
    const settled = value === null || old.type === type ? old.type : 'String';
    const fits = settled === 'String' && value !== null ? String(value) : value;
    if (settled !== old.type) this.unborn = true;
    else if (fits === old.value && !again) return;
    this.kept.set(name, { ...old, type: settled, value: fits, atMs, changed: true });
  }

  /** From now on there are these names after the prefix, and no others. */
  only(prefix: string, types: ReadonlyMap<string, DataType>, atMs: number): void {
    for (const name of this.namesAfter(prefix)) {
      if (types.has(name.slice(prefix.length))) continue;
      this.kept.delete(name);
      this.unborn = true;
    }
    for (const [slot, type] of types) {
      const name = `${prefix}${slot}`;
      if (this.kept.get(name)?.declared !== type) this.declare(name, type, atMs);
    }
  }

  /** All after the prefix at once: those that are not given have no value now. */
  fill(
    prefix: string,
    given: Readonly<Record<string, string | number | boolean>>,
    atMs: number,
  ): void {
    for (const name of this.namesAfter(prefix)) {
      const value = given[name.slice(prefix.length)] ?? null;
      this.set(name, value === null ? 'String' : typeOf(value), value, atMs, true);
    }
  }

  /** A metric is new, gone or of another type: only a birth can say so. */
  get needsBirth(): boolean {
    return this.unborn;
  }

  birth(): Metric[] {
    this.unborn = false;
    return [...this.kept].map(([name, kept]) => metricOf(name, kept));
  }

  changes(): Metric[] {
    const changed = [...this.kept].filter(([, kept]) => kept.changed);
    return changed.map(([name, kept]) => metricOf(name, kept));
  }

  private namesAfter(prefix: string): string[] {
    return [...this.kept.keys()].filter((name) => name.startsWith(prefix));
  }
}

export function typeOf(value: string | number | boolean): DataType {
  if (typeof value === 'number') return 'Double';
  return typeof value === 'boolean' ? 'Boolean' : 'String';
}

function metricOf(name: string, kept: Kept): Metric {
  kept.changed = false;
  const { type, value, atMs } = kept;
  return { name, type, value, atMs };
}
