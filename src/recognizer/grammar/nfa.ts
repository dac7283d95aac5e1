import type { SlotValue } from '../../records.js';
import type { Automaton } from './automaton.js';
import { frontAt, isNumber, keyOf, readWord, written, type Front } from './front.js';
import type { Ways } from './readings.js';
import type { Fault, Intent, ListValue, ParsedGrammar, Place, Scope, Tree } from './tree.js';

/** What happens on a transition without a word, when a sentence is interpreted. */
export type Mark =
  | { readonly kind: 'intent'; readonly intent: Intent }
  | { readonly kind: 'open'; readonly id: number }
  | ({ readonly kind: 'close'; readonly id: number; readonly slot: string } & SlotMeaning);

/** What a slot becomes: the value, or what `read` makes of the words said, or these words. */
interface SlotMeaning {
  readonly value?: SlotValue;
  readonly read?: (words: readonly string[]) => SlotValue;
  /** The slot belongs to the sentence and not to some of its words. */
  readonly fixed?: true;
  /** Letters before and after the slot that share a word with it: the "s" of "light[s]". */
  readonly outside?: { readonly before: string; readonly after: string };
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
/** (a; b; ...) of more parts are refused: 2^n sets of them that may have been said. */
const permutationMax = 6;
/** Ways to write one word whose parts touch; more are refused. */
const waysMax = 50_000;

export class GrammarTooLarge extends Error {}

export function buildNfa(
  grammar: ParsedGrammar,
  faults: Fault[],
  own: ReadonlySet<string> = new Set(),
): Nfa {
  return new NfaBuilder(faults, own).build(grammar);
}

class NfaBuilder {
  private readonly edges: Edge[][] = [];
  private readonly words: string[] = [];
  private readonly wordIds = new Map<string, number>();
  private readonly reported = new Set<string>();
  private readonly spelled = new Set<string>();
  private readonly places = new Map<string, Place>();
  private slots = 0;
  /** What sub-automata may do here. */
  private readonly automaton: Automaton = {
    state: () => this.state(),
    edge: (from, target, word) =>
      this.edge(from, target, word === undefined ? -1 : this.wordId(word)),
    spelled: (word) => void this.spelled.add(word),
  };

  constructor(
    private readonly faults: Fault[],
    private readonly own: ReadonlySet<string>,
  ) {}

  build(grammar: ParsedGrammar): Nfa {
    const start = this.state();
    const end = this.state();
    for (const intent of grammar.intents) {
      const begin = this.state();
      this.edge(start, begin, -1, { kind: 'intent', intent });
      for (const { tree, scope, keywords } of intent.sentences) {
        const first = this.edges.length;
        const fronts = this.add(tree, [this.branch(frontAt(begin))], scope, []);
        const ends = this.merged(fronts.map((front) => this.said(front))).map((f) => f.state);
        const after = keywords === undefined ? 0 : this.onlyWith(keywords, first);
        for (const at of ends) this.edge(at + after, end, -1);
      }
    }
    const { edges, words, spelled, places } = this;
    return { edges, start, end, words, spelled, places };
  }

  /**
   * Of the sentences built from state `first` on only those with one of the words count: every state is
   * there twice, and the word leads to the second, which is so many numbers further.
   */
  private onlyWith(keywords: readonly string[], first: number): number {
    const wanted = new Set(keywords.map((word) => this.wordIds.get(word)));
    const count = this.edges.length - first;
    const second = this.edges
      .slice(first)
      .map((edges) => edges.map((edge) => ({ ...edge, target: edge.target + count })));
    for (let at = first; at < first + count; at++)
      this.edges[at] = (this.edges[at] ?? []).map((edge) =>
        wanted.has(edge.word) ? { ...edge, target: edge.target + count } : edge,
      );
    for (const edges of second) this.edges[this.state()] = edges;
    return count;
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

  /** Adds the tree after each of `fronts`; returns where its ways end. */
  private add(
    tree: Tree,
    fronts: readonly Front[],
    scope: Scope,
    path: readonly string[],
  ): readonly Front[] {
    switch (tree.kind) {
      case 'part':
        return fronts.map((front) => written(front, tree.text, tree.capitals, tree.at));
      case 'space':
        return this.merged(fronts.map((front) => this.spaced(front)));
      case 'word': {
        const word = [[{ ...tree }]];
        const spaced = this.merged(fronts.map((front) => this.spaced(front)));
        return spaced.map(({ state }) => frontAt(this.say([word], state, tree.at)));
      }
      case 'phrases':
        return this.merged(fronts.map((front) => this.said(front, tree.like))).map((front) => ({
          ...front,
          state: tree.build(this.automaton, front.state),
          left: tree.like,
        }));
      case 'sequence':
        return tree.items.reduce((at, item) => this.add(item, at, scope, path), fronts);
      case 'choice':
        return this.alternatives(tree.items, fronts, scope, path);
      case 'permutation':
        return this.permute(tree.items, fronts, scope, path);
      case 'slot':
        return this.slotted(tree.slot, fronts, (inner) => this.add(tree.item, inner, scope, path), {
          value: tree.value,
          fixed: tree.fixed,
        });
      case 'rule':
        return this.rule(tree, fronts, scope, path);
      case 'list':
        return this.list(tree, fronts, scope, path);
    }
  }

  /** A state of its own, so that alternatives are tried in the order in which they are written. */
  private branch(front: Front): Front {
    const state = this.state();
    this.edge(front.state, state, -1);
    return { ...front, state };
  }

  /** One front for all that go on alike. */
  private merged(fronts: readonly Front[]): readonly Front[] {
    if (fronts.length < 2) return fronts;
    const groups = new Map<string, Front[]>();
    for (const front of fronts) {
      const key = keyOf(front);
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [front]);
      else group.push(front);
    }
    return [...groups.values()].map(([first, ...more]) => {
      if (first === undefined || more.length === 0) return first ?? frontAt(0);
      const state = this.state();
      for (const front of [first, ...more]) this.edge(front.state, state, -1);
      return { ...first, state };
    });
  }

  private alternatives(
    items: readonly Tree[],
    fronts: readonly Front[],
    scope: Scope,
    path: readonly string[],
  ): readonly Front[] {
    if (items.length === 1 && items[0] !== undefined)
      return this.add(items[0], fronts, scope, path);
    return this.bounded(
      items.flatMap((item) => {
        const branches = fronts.map((front) => this.branch(front));
        return this.add(item, branches, scope, path);
      }),
    );
  }

  private bounded(all: readonly Front[]): readonly Front[] {
    const fronts = this.merged(all);
    const [first] = fronts;
    if (fronts.length <= waysMax || first === undefined) return fronts;
    this.report({
      ...(first.at ?? { line: 1, column: 1 }),
      message: `more than ${waysMax.toLocaleString('en')} ways to join the parts of this word: put a space between them`,
    });
    return [first];
  }

  /** The front after a space. */
  private spaced(front: Front): Front {
    if (front.text === '' && front.owed.length === 0)
      return front.left === undefined ? front : { ...frontAt(front.state), afterNumber: true };
    const inSlot = front.marks.some(({ at }) => at === front.text.length);
    const { state } = this.said(front);
    return { ...frontAt(state), afterNumber: isNumber(front.text, inSlot) };
  }

  /** Says the word that was being written. `right`: a spoken list that it touches, as one like it is written. */
  private said(front: Front, right?: string): Front {
    const state = this.say(front.owed, front.state, front.at);
    if (front.text === '' && (right === undefined || front.left === undefined))
      return frontAt(state);
    const read = this.readParts(front, right);
    if (read === undefined) {
      this.report({
        ...(front.at ?? { line: 1, column: 1 }),
        message: `"${front.text}" touches a number and cannot be read with it: put a space between, or write the numbers as another list (digits:, ordinal:, range with step: 0.1)`,
      });
      return frontAt(state);
    }
    const end = read.steps.reduce(
      (at, step) => ('mark' in step ? this.marked(at, step.mark) : this.say([step], at, front.at)),
      state,
    );
    return { ...frontAt(end), owed: read.owed };
  }

  /** The words of a front with its slots' marks between them. */
  private readParts(
    front: Front,
    right: string | undefined,
  ): { steps: (Ways | { mark: Mark })[]; owed: readonly Ways[] } | undefined {
    const { text, marks, capitals, left, afterNumber } = front;
    const own = this.own;
    const outer = {
      ...(left === undefined ? {} : { left }),
      ...(right === undefined ? {} : { right }),
    };
    const whole = readWord(text, { own, capitals, afterNumber, ...outer });
    if (whole === undefined) return undefined;
    const cuts = [...new Set([0, ...marks.map(({ at }) => at), text.length])].sort((a, b) => a - b);
    const marksAt = (cut: number) => marks.filter(({ at }) => at === cut);
    const parts = cuts.slice(1).map((cut, i) =>
      readWord(text.slice(cuts[i], cut), {
        own,
        capitals,
        afterNumber: afterNumber && i === 0,
        ...(left !== undefined && i === 0 ? { left } : {}),
        ...(right !== undefined && cut === text.length ? { right } : {}),
      }),
    );
    const apart = parts.flatMap((part) => part?.words ?? [[]]);
    if (JSON.stringify(apart) === JSON.stringify(whole.words)) {
      const steps = parts.flatMap((part, i) => [
        ...(part?.words ?? []),
        ...marksAt(cuts[i + 1] ?? 0),
      ]);
      return { steps, owed: whole.owed };
    }
    return { steps: wrapped(whole.words, front), owed: whole.owed };
  }

  private marked(from: number, mark: Mark): number {
    const state = this.state();
    this.edge(from, state, -1, mark);
    return state;
  }

  /** Words one after another, each in all its ways. */
  private say(pieces: readonly Ways[], from: number, place: Place | undefined): number {
    return pieces.reduce((at, ways) => {
      const ends = ways.map((words) =>
        words.reduce((state, { word, spelled }) => {
          const next = this.state();
          this.edge(state, next, this.wordId(word));
          if (spelled === true) this.spelled.add(word);
          if (place !== undefined && !this.places.has(word)) this.places.set(word, place);
          return next;
        }, at),
      );
      return ends.length === 1 ? (ends[0] ?? at) : this.join(ends);
    }, from);
  }

  private join(ends: readonly number[]): number {
    const end = this.state();
    for (const at of ends) this.edge(at, end, -1);
    return end;
  }

  private slotted(
    slot: string,
    fronts: readonly Front[],
    inner: (fronts: readonly Front[]) => readonly Front[],
    { value, read, fixed }: SlotMeaning,
  ): readonly Front[] {
    const id = this.slots++;
    const open: Mark = { kind: 'open', id };
    const close: Mark = {
      kind: 'close',
      id,
      slot,
      ...(value === undefined ? {} : { value }),
      ...(read === undefined ? {} : { read }),
      ...(fixed === undefined ? {} : { fixed }),
    };
    const place = (front: Front, mark: Mark): Front =>
      front.text === ''
        ? { ...front, state: this.marked(front.state, mark) }
        : { ...front, marks: [...front.marks, { at: front.text.length, mark }] };
    return inner(
      fronts.map((front) => {
        if (front.text === '' && front.owed.length > 0) return place(this.said(front), open);
        return place(front.text === '' ? front : this.branch(front), open);
      }),
    ).map((front) => place(front, close));
  }

  /** All orders; a set of parts that have been said goes on alike in whatever order they were. */
  private permute(
    items: readonly Tree[],
    fronts: readonly Front[],
    scope: Scope,
    path: readonly string[],
  ): readonly Front[] {
    if (items.length > permutationMax) {
      throw new GrammarTooLarge(
        `a permutation of ${items.length} parts; at most ${permutationMax}`,
      );
    }
    const all = 2 ** items.length - 1;
    const after = new Map<number, readonly Front[]>([
      [0, this.add({ kind: 'space' }, fronts, scope, path)],
    ]);
    for (let set = 0; set < all; set++) {
      const from = this.bounded(after.get(set) ?? []);
      items.forEach((item, i) => {
        const bit = 2 ** i;
        if ((set & bit) !== 0) return;
        const spaced: Tree = { kind: 'sequence', items: [item, { kind: 'space' }] };
        const ends = this.add(
          spaced,
          from.map((front) => this.branch(front)),
          scope,
          path,
        );
        after.set(set | bit, [...(after.get(set | bit) ?? []), ...ends]);
      });
    }
    return this.bounded(after.get(all) ?? []);
  }

  private rule(
    tree: Tree & { kind: 'rule' },
    fronts: readonly Front[],
    scope: Scope,
    path: readonly string[],
  ): readonly Front[] {
    const body = scope.rules.get(tree.rule);
    if (body === undefined)
      return this.missing(`rule <${tree.rule}>`, [...scope.rules.keys()], tree, fronts);
    if (path.includes(tree.rule)) {
      const circle = [...path.slice(path.indexOf(tree.rule)), tree.rule]
        .map((r) => `<${r}>`)
        .join(' -> ');
      this.report({ ...tree.at, message: `the rules go round in a circle: ${circle}` });
      return fronts;
    }
    return this.add(body, fronts, scope, [...path, tree.rule]);
  }

  private list(
    tree: Tree & { kind: 'list' },
    fronts: readonly Front[],
    scope: Scope,
    path: readonly string[],
  ): readonly Front[] {
    const values = tree.values ?? scope.lists.get(tree.list);
    if (values === undefined)
      return this.missing(`list {${tree.list}}`, [...scope.lists.keys()], tree, fronts);
    return this.bounded(
      values.flatMap((value: ListValue) => {
        const inner = (from: readonly Front[]) => this.add(value.spoken, from, scope, path);
        return tree.slot === undefined
          ? inner(fronts.map((front) => this.branch(front)))
          : this.slotted(tree.slot, fronts, inner, value);
      }),
    );
  }

  private missing(
    what: string,
    known: readonly string[],
    tree: Tree & { at: Place },
    fronts: readonly Front[],
  ): readonly Front[] {
    const have = known.length === 0 ? 'none is defined' : `defined: ${known.join(', ')}`;
    this.report({
      line: tree.at.line,
      column: tree.at.column,
      message: `${what} is not defined; ${have}`,
    });
    return fronts;
  }

  private report(fault: Fault): void {
    const key = `${fault.line}:${fault.column}:${fault.message}`;
    if (this.reported.has(key)) return;
    this.reported.add(key);
    this.faults.push(fault);
  }
}

/** A word with slots that begin or end inside of it: they hold the whole word, and know which letters are not theirs. */
function wrapped(words: readonly Ways[], { text, marks }: Front): (Ways | { mark: Mark })[] {
  const opens = marks.filter(({ mark }) => mark.kind === 'open');
  const inside = opens.filter(({ at }) => at < text.length);
  const closes = marks.flatMap(({ at, mark }) => {
    if (mark.kind !== 'close') return [];
    const opened = opens.find(({ mark: open }) => open.kind === 'open' && open.id === mark.id);
    const outside = { before: text.slice(0, opened?.at ?? 0), after: text.slice(at) };
    return [{ mark: { ...mark, outside } }];
  });
  const late = opens.filter(({ at }) => at === text.length);
  return [...inside, ...words, ...closes, ...late];
}
