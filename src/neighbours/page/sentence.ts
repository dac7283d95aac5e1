/** "Does my sentence work?": what the grammar says to a sentence that somebody typed. */
import {
  findConfusable,
  pronounceText,
  readingsOf,
  type ConfusablePair,
  shownWord,
  type GrammarDetails,
  type Lexicon,
} from '../../recognizer/index.js';

/** A fifth of what `grammar check` does: it stands in the way of hearing for less than a second on a board. */
const alikeWorkMax = 2_000_000;
const readingsShown = 5;
const waysShown = 3;
const alikeShown = 8;
const nextShown = 12;
const statesMax = 1000;

export interface SentenceAnswer {
  readonly allowed: boolean;
  readonly intent?: string;
  readonly slots?: Readonly<Record<string, unknown>>;
  readonly confirm?: true;
  /** Where the grammar does not go on: the words so far, the one that does not fit, and what may come there. */
  readonly stuck?: {
    readonly after: string;
    readonly word: string;
    readonly expected: readonly string[];
    readonly mayEnd: boolean;
  };
  /** As `kikitori grammar say --word` has it. */
  readonly said: readonly {
    readonly words: string;
    readonly ways: readonly { readonly phones: string; readonly source: string }[];
  }[];
  /** What of it has no pronunciation. */
  readonly mute?: string;
  readonly alike: readonly {
    readonly words: readonly [string, string];
    readonly example: string;
    readonly intent: string;
    readonly distance: number;
  }[];
  /** False: the search for what sounds alike stopped at its bound. */
  readonly alikeComplete: boolean;
}

/** Questions about one grammar; what sounds alike in it is found once. */
export class SentenceDesk {
  private known: { grammar: GrammarDetails; alike: ReturnType<typeof findConfusable> } | null =
    null;

  /** Takes up to a second of the processor the first time. */
  ask(text: string, grammar: GrammarDetails, lexicon: Lexicon): SentenceAnswer {
    const found = grammar.understand(text) ?? undefined;
    const pronounced = pronounceText(text, lexicon);
    const { pairs, complete } = this.alikeIn(grammar, lexicon);
    const words = (grammar.read(text) ?? []).map((id) => shownWord(grammar.graph, id));
    return {
      allowed: found !== undefined,
      ...(found === undefined ? {} : { intent: found.intent, slots: found.slots }),
      ...(found?.confirm === true ? { confirm: true as const } : {}),
      ...(found === undefined ? { stuck: whereStuck(text, grammar, lexicon) } : {}),
      ...('mute' in pronounced ? { mute: pronounced.mute, said: [] } : {}),
      said: 'mute' in pronounced ? [] : shown(pronounced.readings, lexicon),
      alike: alikeTo(words, pairs).slice(0, alikeShown),
      alikeComplete: complete,
    };
  }

  private alikeIn(grammar: GrammarDetails, lexicon: Lexicon) {
    if (this.known?.grammar !== grammar)
      this.known = {
        grammar,
        alike: findConfusable(grammar, lexicon.units, { workMax: alikeWorkMax }),
      };
    return this.known.alike;
  }
}

function shown(
  readings: Exclude<ReturnType<typeof pronounceText>, { mute: string }>['readings'],
  lexicon: Lexicon,
): SentenceAnswer['said'] {
  return readings.slice(0, readingsShown).map(({ words, ways }) => ({
    words,
    ways: ways.slice(0, waysShown).map(({ phones, source, form }) => ({
      phones: phones.map((p) => lexicon.units[p]).join(' '),
      source: form ?? source,
    })),
  }));
}

/** Pairs of which one side is in the sentence, that side first. */
export function alikeTo(
  sentence: readonly string[],
  pairs: readonly ConfusablePair[],
): SentenceAnswer['alike'] {
  const text = ` ${sentence.join(' ')} `;
  return pairs.flatMap(({ words, sentences, intents, distance }) =>
    ([0, 1] as const).flatMap((mine) => {
      const other = mine === 0 ? 1 : 0;
      // Words that are only added differ from nothing: then the whole sentence must be the one of the pair.
      const isIn =
        words[mine] === ''
          ? sentences[mine] === text.trim()
          : sentence.length > 0 && text.includes(` ${words[mine]} `);
      if (!isIn) return [];
      const pair: [string, string] = [words[mine], words[other]];
      return [{ words: pair, example: sentences[other], intent: intents[other], distance }];
    }),
  );
}

/** Follows the sentence as far as any reading of it goes. */
function whereStuck(
  text: string,
  { dfa, graph, pronunciations }: GrammarDetails,
  lexicon: Lexicon,
): NonNullable<SentenceAnswer['stuck']> {
  const ids = new Map(graph.words.map((word, id) => [word, id]));
  const inside = new Set(dfa.edges.flatMap((edges) => [...edges.keys()]));
  // Of the grammar, and on no edge: they may stand anywhere.
  const skipped = (id: number) => !inside.has(id) && pronunciations.has(graph.words[id] ?? '');
  const step = (state: number, word: string): number => {
    const id = ids.get(word) ?? -1;
    return dfa.edges[state]?.get(id) ?? (skipped(id) ? state : -1);
  };
  const open = graph.open ?? -1;
  let states = new Set([0]);
  /** Where open slots lead to that may take another word. */
  let slots = new Set<number>();
  const said: string[] = [];
  let stuckAt = '';
  for (const ways of readingsOf(text, { own: lexicon.ownWords, exactTimes: true })) {
    const next = new Set<number>();
    for (const state of states)
      for (const way of ways) {
        const end = way.reduce((at, { word }) => (at < 0 ? at : step(at, word)), state);
        if (end >= 0 && next.size < statesMax) next.add(end);
      }
    slots = new Set([...slots, ...[...states].flatMap((at) => dfa.edges[at]?.get(open) ?? [])]);
    for (const behind of slots) next.add(behind);
    const word = (ways[0] ?? []).map((w) => w.word).join(' ');
    if (next.size === 0) {
      stuckAt = word;
      break;
    }
    said.push(word);
    states = next;
  }
  const expected = new Set(
    [...states].flatMap((state) =>
      [...(dfa.edges[state]?.keys() ?? [])].map((id) => shownWord(graph, id)),
    ),
  );
  return {
    after: said.join(' '),
    word: stuckAt,
    expected: [...expected].slice(0, nextShown),
    mayEnd: [...states].some((state) => dfa.final[state] === true),
  };
}
