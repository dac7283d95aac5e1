/** What scripts/lib/instrumented.js counts: which branches of src/ an execution ran, and how often. */

interface FileBranches {
  readonly file: string;
  readonly from: number;
  readonly count: number;
  readonly texts: readonly string[];
}

interface Counted {
  readonly counters: Uint8Array;
  readonly files: readonly FileBranches[];
}

const counted = (globalThis as { kikitoriBranches?: Counted }).kikitoriBranches;

/** One bit for: once, twice, three times, up to 7, 15, 31, 127, more. */
const bucket = Uint8Array.from({ length: 256 }, (_, n) =>
  n === 0 ? 0 : n < 4 ? 1 << (n - 1) : n < 8 ? 8 : n < 16 ? 16 : n < 32 ? 32 : n < 128 ? 64 : 128,
);

export class Branches {
  /** The buckets of each counter that were ever seen. */
  private readonly seen: Uint8Array;

  private constructor(private readonly counted: Counted) {
    this.seen = new Uint8Array(counted.counters.length);
  }

  /** Undefined where src/ was loaded as it is. */
  static open(): Branches | undefined {
    return counted === undefined ? undefined : new Branches(counted);
  }

  private get used(): number {
    const last = this.counted.files.at(-1);
    return last === undefined ? 0 : last.from + last.count;
  }

  clear(): void {
    this.counted.counters.fill(0, 0, this.used);
  }

  /** New: "branch" where one ran that never ran before, "times" where one ran more or less often than ever. */
  look(): 'branch' | 'times' | undefined {
    const { counters } = this.counted;
    const { used, seen } = this;
    let found: 'branch' | 'times' | undefined;
    for (let i = 0; i < used; i++) {
      const n = counters[i] ?? 0;
      if (n === 0) continue;
      const bit = bucket[n] ?? 0;
      const before = seen[i] ?? 0;
      if ((before & bit) !== 0) continue;
      if (before === 0) found = 'branch';
      else found ??= 'times';
      seen[i] = before | bit;
    }
    return found;
  }

  /** Branches that ran just now. */
  ran(): number[] {
    const result: number[] = [];
    for (let i = 0; i < this.used; i++) if ((this.counted.counters[i] ?? 0) > 0) result.push(i);
    return result;
  }

  /** Ever, of the files named. */
  coverage(covers: readonly string[]): { file: string; ran: number; of: number }[] {
    return this.counted.files
      .filter(({ file }) => covers.some((c) => (c.endsWith('/') ? file.startsWith(c) : file === c)))
      .map(({ file, from, count }) => ({
        file,
        ran: this.seen.subarray(from, from + count).filter((b) => b > 0).length,
        of: count,
      }))
      .sort((a, b) => a.file.localeCompare(b.file));
  }

  /** Texts that stand in the sources named. */
  texts(covers: readonly string[]): string[] {
    const files = this.counted.files.filter(({ file }) =>
      covers.some((c) => (c.endsWith('/') ? file.startsWith(c) : file === c)),
    );
    return [...new Set(files.flatMap(({ texts }) => texts))];
  }
}
