import { frontAt, isNumber, keyOf, readWord, written, type Front } from './front.js';
import type { Ways } from './readings.js';
import { GrammarTooLarge, States, type Edge, type Mark, type SlotMeaning } from './states.js';
import {
  dictationList,
  placeInWords,
  type Fault,
  type Intent,
  type ListValue,
  type ParsedGrammar,
  type Place,
  type Scope,
  type Sentence,
  type Tree,
} from './tree.js';

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
  /** States that are reached when a sentence is complete, in file order, with the sentence. */
  readonly accepts: ReadonlyMap<number, Accepted>;
}

export interface Accepted {
  readonly intent: Intent;
  readonly sentence: Sentence;
}

/** (a; b; ...) of more parts are refused: 2^n sets of them that may have been said. */
const permutationMax = 6;
/** Ways to write one word whose parts touch; more are refused. */
const waysMax = 200_000;

/** Lists that Home Assistant fills with what a house has, and the one that a language model fills. */
const hints: ReadonlyMap<string, string> = new Map([
  ...['name', 'area', 'floor'].map((list): [string, string] => [
    `list {${list}}`,
    ' (kikitori grammar import-ha writes it for a house)',
  ]),
  [
    `list {${dictationList}}`,
    ' (any words need a language model, recognizer.languageModelPath: docs/dictation.md)',
  ],
]);

export function buildNfa(
  grammar: ParsedGrammar,
  faults: Fault[],
  own: ReadonlySet<string> = new Set(),
): Nfa {
  return new NfaBuilder(faults, own).build(grammar);
}

class NfaBuilder {
  private readonly reported = new Set<string>();
  /** Lists and rules that are used and not defined. */
  private readonly absent = new Map<
    string,
    { readonly at: Place; readonly known: readonly string[]; readonly places: Set<string> }
  >();
  private readonly states = new States();
  private slots = 0;
  /** Of what is being added. */
  private place: Place = { line: 1, column: 1 };

  constructor(
    private readonly faults: Fault[],
    private readonly own: ReadonlySet<string>,
  ) {}

  build(grammar: ParsedGrammar): Nfa {
    const { states } = this;
    const start = states.state();
    const end = states.state();
    const accepts = new Map<number, Accepted>();
    for (const intent of grammar.intents) {
      const begin = states.marked(start, { kind: 'intent', intent });
      for (const sentence of intent.sentences) {
        const { tree, scope, keywords } = sentence;
        const first = states.edges.length;
        const fronts = this.add(tree, [frontAt(states.branch(begin))], scope, []);
        const ends = this.merged(fronts.map((front) => this.said(front))).map((f) => f.state);
        const shift = keywords === undefined ? 0 : states.onlyWith(keywords, first);
        const accept = states.join(ends.map((at) => at + shift));
        states.edge(accept, end);
        accepts.set(accept, { intent, sentence });
      }
    }
    this.reportAbsent();
    const { edges, words, spelledWords: spelled, places } = states;
    return { edges, start, end, words, spelled, places, accepts };
  }

  /** Adds the tree after each of `fronts`; returns where its ways end. */
  private add(
    tree: Tree,
    fronts: readonly Front[],
    scope: Scope,
    path: readonly string[],
  ): readonly Front[] {
    if ('at' in tree && tree.at !== undefined) this.place = tree.at;
    switch (tree.kind) {
      case 'part':
        return fronts.map((front) => written(front, tree.text, tree.capitals, tree.at));
      case 'mute':
      case 'space':
        return this.merged(fronts.map((front) => this.spaced(front)));
      case 'word': {
        const word = [[{ ...tree }]];
        const spaced = this.merged(fronts.map((front) => this.spaced(front)));
        return spaced.map(({ state }) => frontAt(this.states.say([word], state, tree.at)));
      }
      case 'phrases':
        return this.merged(fronts.map((front) => this.said(front, tree.like))).map((front) => ({
          ...front,
          state: tree.build(this.states, front.state),
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
    return { ...front, state: this.states.branch(front.state) };
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
      const state = this.states.state();
      for (const front of [first, ...more]) this.states.edge(front.state, state);
      return { ...first, state };
    });
  }

  private alternatives(
    items: readonly Tree[],
    fronts: readonly Front[],
    scope: Scope,
    path: readonly string[],
  ): readonly Front[] {
    if (this.tooMany(fronts, items.length)) return fronts;
    return this.merged(
      items.flatMap((item) => {
        const branches = fronts.map((front) => this.branch(front));
        return this.add(item, branches, scope, path);
      }),
    );
  }

  /** Whether so many more alternatives for each of the fronts are beyond the limit, which is then said. */
  private tooMany(fronts: readonly Front[], alternatives: number): boolean {
    const writing = fronts.filter(({ text }) => text !== '').length;
    const ways = writing * alternatives;
    if (ways <= waysMax || writing === 1) return false;
    this.report({
      ...this.place,
      message: `${ways.toLocaleString('en')} ways to write one word here, at most ${waysMax.toLocaleString('en')}: put a space between what need not touch`,
    });
    return true;
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
    const state = this.states.say(front.owed, front.state, front.at);
    if (front.text === '' && (right === undefined || front.left === undefined))
      return frontAt(state);
    const read = this.readParts(front, right);
    if (read === undefined) {
      const what = front.text === '' ? 'two numbers touch' : `"${front.text}" touches a number`;
      this.report({
        ...(front.at ?? this.place),
        message: `${what} and cannot be read with it: put a space between, or use another list (digits:, ordinal:, range: with a step)`,
      });
      return frontAt(state);
    }
    const end = read.steps.reduce(
      (at, step) =>
        'mark' in step ? this.states.marked(at, step.mark) : this.states.say([step], at, front.at),
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
    const cuts = [...new Set([0, ...marks.map(({ at }) => at), text.length])];
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
    // Behind a number "°c" is also said "degrees", which does not say what a slot in it is.
    const unit = (left !== undefined || afterNumber) && !parts.includes(undefined);
    if (unit || JSON.stringify(apart) === JSON.stringify(whole.words)) {
      const steps = parts.flatMap((part, i) => [
        ...(part?.words ?? []),
        ...marksAt(cuts[i + 1] ?? 0),
      ]);
      return { steps, owed: whole.owed };
    }
    return { steps: wrapped(whole.words, front), owed: whole.owed };
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
        ? { ...front, state: this.states.marked(front.state, mark) }
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
      const from = this.merged(after.get(set) ?? []);
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
    return this.merged(after.get(all) ?? []);
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
    if (this.tooMany(fronts, values.length)) return fronts;
    return this.merged(
      values.flatMap((value: ListValue) => {
        const inner = (from: readonly Front[]) => this.add(value.spoken, from, scope, path);
        return tree.slot === undefined
          ? inner(fronts.map((front) => this.branch(front)))
          : this.slotted(tree.slot, fronts, inner, value);
      }),
    );
  }

  /** What is not there is said once, where it is used first. */
  private missing(
    what: string,
    known: readonly string[],
    tree: Tree & { at: Place },
    fronts: readonly Front[],
  ): readonly Front[] {
    const found = this.absent.get(what) ?? { at: tree.at, known, places: new Set() };
    found.places.add(placeInWords(tree.at));
    this.absent.set(what, found);
    return fronts;
  }

  private reportAbsent(): void {
    for (const [what, { at, known, places }] of this.absent) {
      const have = known.length === 0 ? 'none is defined' : `defined: ${known.join(', ')}`;
      const more = places.size === 1 ? '' : `; ${places.size - 1} more places use it`;
      const hint = hints.get(what) ?? '';
      this.report({ ...at, message: `${what} is not defined${hint}; ${have}${more}` });
    }
  }

  private report(fault: Fault): void {
    const key = `${placeInWords(fault)}:${fault.message}`;
    if (this.reported.has(key)) return;
    this.reported.add(key);
    this.faults.push(fault);
  }
}

/** A word with slots that begin or end inside of it: they hold all of it, and know which letters are not theirs. */
function wrapped(words: readonly Ways[], { text, marks }: Front): (Ways | { mark: Mark })[] {
  const opens = marks.flatMap(({ at, mark }) =>
    mark.kind === 'open' && at < text.length
      ? [{ mark: { ...mark, before: text.slice(0, at) } }]
      : [],
  );
  const closes = marks.flatMap(({ at, mark }) =>
    mark.kind === 'close' ? [{ mark: { ...mark, after: text.slice(at) } }] : [],
  );
  const late = marks.filter(({ at, mark }) => mark.kind === 'open' && at === text.length);
  return [...opens, ...words, ...closes, ...late];
}
