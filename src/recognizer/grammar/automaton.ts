/** What a sub-automaton needs of the one it is built into: states, and edges with a word or free. */
export interface Automaton {
  state(): number;
  edge(from: number, target: number, word?: string): void;
  /** The word is also understood letter by letter. */
  spelled(word: string): void;
}

/** Builds its phrases after `from`; returns the state in which one is complete. */
export type Build = (automaton: Automaton, from: number) => number;

/** Words one after another. */
export function chain(a: Automaton, from: number, to: number, words: readonly string[]): void {
  let at = from;
  words.forEach((word, i) => {
    const next = i === words.length - 1 ? to : a.state();
    a.edge(at, next, word);
    at = next;
  });
  if (words.length === 0) a.edge(from, to);
}

interface Node {
  readonly next: Map<string, Node>;
  final: boolean;
}

/** Many phrases with equal beginnings and ends shared, so that thousands of them stay small. */
export function phraseSet(phrases: Iterable<readonly string[]>): Build {
  const root: Node = { next: new Map(), final: false };
  for (const phrase of phrases) {
    let node = root;
    for (const word of phrase) {
      let child = node.next.get(word);
      if (child === undefined) {
        child = { next: new Map(), final: false };
        node.next.set(word, child);
      }
      node = child;
    }
    node.final = true;
  }
  return (a, from) => {
    const end = a.state();
    const byShape = new Map<string, number>();
    /** The state for what may follow a node: one for all nodes with equal futures. */
    const place = (node: Node): number => {
      const edges = [...node.next].map(([word, child]) => [word, place(child)] as const);
      const shape = `${node.final};${edges.map(([w, t]) => `${w}:${t}`).join()}`;
      const known = byShape.get(shape);
      if (known !== undefined) return known;
      const state = a.state();
      byShape.set(shape, state);
      for (const [word, target] of edges) a.edge(state, target, word);
      if (node.final) a.edge(state, end);
      return state;
    };
    a.edge(from, place(root));
    return end;
  };
}
