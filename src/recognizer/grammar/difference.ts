import type { Dfa } from './dfa.js';

/** More states than this and the pair of places is left alone. */
const statesMax = 2000;

/**
 * States for "what may follow at `a`, but not what may follow at `b`", beside those of a grammar: the product
 * construction (Rabin and Scott, 1959). What sounds the same counts as the same.
 */
export class Differences {
  /** The new states; the first one's number is the grammar's count of states. */
  readonly edges: Map<number, number>[] = [];
  readonly final: boolean[] = [];
  private readonly states = new Map<string, number>();

  constructor(
    private readonly dfa: Dfa,
    private readonly soundsOf: (word: number) => readonly string[],
  ) {}

  /** The state, or undefined when nothing is left, or too much to be worth it. */
  of(a: number, b: number): number | undefined {
    const known = this.states.get(`${a},${b}`);
    if (known !== undefined) return this.alive(known) ? known : undefined;
    const [base, before] = [this.dfa.edges.length, this.edges.length];
    const made: [number, number][] = [];
    const idOf = (x: number, y: number) => {
      const key = `${x},${y}`;
      const id = this.states.get(key) ?? base + this.edges.length;
      if (id === base + this.edges.length) {
        this.states.set(key, id);
        this.edges.push(new Map());
        this.final.push(this.dfa.final[x] === true && this.dfa.final[y] !== true);
        made.push([x, y]);
      }
      return id;
    };
    const start = idOf(a, b);
    for (let n = 0; n < made.length && made.length <= statesMax; n++) {
      const [x, y] = made[n] ?? [0, 0];
      for (const [word, target] of this.dfa.edges[x] ?? []) {
        const other = this.follow(y, word);
        this.edges[before + n]?.set(word, other === undefined ? target : idOf(target, other));
      }
    }
    if (made.length <= statesMax) {
      this.prune(before);
      return this.alive(start) ? start : undefined;
    }
    for (const [x, y] of made) this.states.delete(`${x},${y}`);
    this.edges.length = this.final.length = before;
    return undefined;
  }

  private follow(state: number, word: number): number | undefined {
    const edges = this.dfa.edges[state] ?? new Map<number, number>();
    const same = edges.get(word);
    if (same !== undefined) return same;
    const sounds = this.soundsOf(word);
    for (const [other, target] of edges)
      if (this.soundsOf(other).some((s) => sounds.includes(s))) return target;
    return undefined;
  }

  /** A state from which no sentence ends has neither edges nor an end. */
  private alive(id: number): boolean {
    const n = id - this.dfa.edges.length;
    return n < 0 || this.final[n] === true || (this.edges[n]?.size ?? 0) > 0;
  }

  /** Takes out edges to states from which no sentence ends, until there are none; those before `first` have been through it. */
  private prune(first: number): void {
    for (let changed = true; changed;) {
      changed = false;
      for (const edges of this.edges.slice(first))
        for (const [word, target] of edges)
          if (!this.alive(target)) changed = edges.delete(word) || changed;
    }
  }
}
