import type { SlotValue } from '../../records.js';
import type { Automaton } from './automaton.js';
import type { Fault, Intent, ListValue, ParsedGrammar, Place, Scope, Tree } from './tree.js';

/** What happens on a transition without a word, when a sentence is interpreted. */
export type Mark =
  | { readonly kind: 'intent'; readonly intent: Intent }
  | { readonly kind: 'open' }
  | ({ readonly kind: 'close'; readonly slot: string } & SlotMeaning);

/** What a slot becomes: the value, or what `read` makes of the words said, or these words. */
interface SlotMeaning {
  readonly value?: SlotValue;
  readonly read?: (words: readonly string[]) => SlotValue;
  /** The slot belongs to the sentence and not to some of its words. */
  readonly fixed?: true;
}

export interface Edge {
  readonly target: number;
  /** Word id, or -1 for a free transition. */
  readonly word: number;
  readonly mark?: Mark;
}

/** All sentences as a word automaton. Edges of a state are in file order: the first that fits wins. */
export interface Nfa {
  readonly edges: readonly (readonly Edge[])[];
  readonly start: number;
  readonly end: number;
  readonly words: readonly string[];
  /** Words that are also said letter by letter. */
  readonly spelled: ReadonlySet<string>;
  /** Where each word was written first, if it was. */
  readonly places: ReadonlyMap<string, Place>;
}

/** More states than this: the grammar is refused. */
const statesMax = 2_000_000;
/** (a; b; ...) of more parts are refused: n! orders. */
const permutationMax = 6;

export class GrammarTooLarge extends Error {}

export function buildNfa(grammar: ParsedGrammar, faults: Fault[]): Nfa {
  return new NfaBuilder(faults).build(grammar);
}

class NfaBuilder {
  private readonly edges: Edge[][] = [];
  private readonly words: string[] = [];
  private readonly wordIds = new Map<string, number>();
  private readonly reported = new Set<string>();
  private readonly spelled = new Set<string>();
  private readonly places = new Map<string, Place>();
  /** What sub-automata may do here. */
  private readonly automaton: Automaton = {
    state: () => this.state(),
    edge: (from, target, word) =>
      this.edge(from, target, word === undefined ? -1 : this.wordId(word)),
    spelled: (word) => void this.spelled.add(word),
  };

  constructor(private readonly faults: Fault[]) {}

  build(grammar: ParsedGrammar): Nfa {
    const start = this.state();
    const end = this.state();
    for (const intent of grammar.intents) {
      const begin = this.state();
      this.edge(start, begin, -1, { kind: 'intent', intent });
      for (const { tree, scope } of intent.sentences)
        this.edge(this.add(tree, begin, scope, []), end, -1);
    }
    const { edges, words, spelled, places } = this;
    return { edges, start, end, words, spelled, places };
  }

  private state(): number {
    if (this.edges.length >= statesMax) {
      throw new GrammarTooLarge(`the sentences need more than ${statesMax} states`);
    }
    return this.edges.push([]) - 1;
  }

  private edge(from: number, target: number, word: number, mark?: Mark): void {
    this.edges[from]?.push(mark === undefined ? { target, word } : { target, word, mark });
  }

  private wordId(word: string): number {
    let id = this.wordIds.get(word);
    if (id === undefined) {
      id = this.words.push(word) - 1;
      this.wordIds.set(word, id);
    }
    return id;
  }

  /** Adds the tree after `from`; returns the state in which it is complete. */
  private add(tree: Tree, from: number, scope: Scope, path: readonly string[]): number {
    switch (tree.kind) {
      case 'word': {
        const next = this.state();
        this.edge(from, next, this.wordId(tree.word));
        if (tree.spelled === true) this.spelled.add(tree.word);
        if (tree.at !== undefined && !this.places.has(tree.word))
          this.places.set(tree.word, tree.at);
        return next;
      }
      case 'mute':
        return from;
      case 'phrases':
        return tree.build(this.automaton, from);
      case 'sequence':
        return tree.items.reduce((at, item) => this.add(item, at, scope, path), from);
      case 'choice':
        return this.join(tree.items, (item) => this.add(item, from, scope, path));
      case 'permutation':
        return this.permute(tree.items, from, scope, path);
      case 'slot':
        return this.slotted(tree.slot, from, (begin) => this.add(tree.item, begin, scope, path), {
          value: tree.value,
          fixed: tree.fixed,
        });
      case 'rule':
        return this.rule(tree, from, scope, path);
      case 'list':
        return this.list(tree, from, scope, path);
    }
  }

  /** One way after another, so that also one without words stands in file order. */
  private join<T>(items: readonly T[], add: (item: T) => number): number {
    const end = this.state();
    for (const item of items) this.edge(add(item), end, -1);
    return end;
  }

  private slotted(
    slot: string,
    from: number,
    inner: (begin: number) => number,
    { value, read, fixed }: SlotMeaning,
  ): number {
    const begin = this.state();
    this.edge(from, begin, -1, { kind: 'open' });
    const end = this.state();
    this.edge(inner(begin), end, -1, {
      kind: 'close',
      slot,
      ...(value === undefined ? {} : { value }),
      ...(read === undefined ? {} : { read }),
      ...(fixed === undefined ? {} : { fixed }),
    });
    return end;
  }

  private permute(
    items: readonly Tree[],
    from: number,
    scope: Scope,
    path: readonly string[],
  ): number {
    if (items.length > permutationMax) {
      throw new GrammarTooLarge(
        `a permutation of ${items.length} parts; at most ${permutationMax}`,
      );
    }
    if (items.length === 0) return from;
    return this.join([...items.entries()], ([i, item]) => {
      const rest = items.filter((_, j) => j !== i);
      return this.permute(rest, this.add(item, from, scope, path), scope, path);
    });
  }

  private rule(
    tree: Tree & { kind: 'rule' },
    from: number,
    scope: Scope,
    path: readonly string[],
  ): number {
    const body = scope.rules.get(tree.rule);
    if (body === undefined)
      return this.missing(`rule <${tree.rule}>`, [...scope.rules.keys()], tree, from);
    if (path.includes(tree.rule)) {
      const circle = [...path.slice(path.indexOf(tree.rule)), tree.rule]
        .map((r) => `<${r}>`)
        .join(' -> ');
      this.report({ ...tree.at, message: `the rules go round in a circle: ${circle}` });
      return from;
    }
    return this.add(body, from, scope, [...path, tree.rule]);
  }

  private list(
    tree: Tree & { kind: 'list' },
    from: number,
    scope: Scope,
    path: readonly string[],
  ): number {
    const values = scope.lists.get(tree.list);
    if (values === undefined)
      return this.missing(`list {${tree.list}}`, [...scope.lists.keys()], tree, from);
    return this.join(values, (value: ListValue) =>
      this.slotted(tree.slot, from, (begin) => this.add(value.spoken, begin, scope, path), value),
    );
  }

  private missing(
    what: string,
    known: readonly string[],
    tree: Tree & { at: Fault | { line: number; column: number } },
    from: number,
  ): number {
    const have = known.length === 0 ? 'none is defined' : `defined: ${known.join(', ')}`;
    this.report({
      line: tree.at.line,
      column: tree.at.column,
      message: `${what} is not defined; ${have}`,
    });
    return from;
  }

  private report(fault: Fault): void {
    const key = `${fault.line}:${fault.column}:${fault.message}`;
    if (this.reported.has(key)) return;
    this.reported.add(key);
    this.faults.push(fault);
  }
}
