import { readNumber } from './numbers.js';
import { endsInNumber, readingsOf, unitReading, type SpokenWord, type Ways } from './readings.js';
import type { Mark } from './states.js';
import type { Place } from './tree.js';

/**
 * Where one way through a template stands while it becomes an automaton: its state, and the word that is being written and
 * may go on in the next group. Fronts that write the same word are joined. So only what touches is written out, never
 * whole sentences.
 */
export interface Front {
  readonly state: number;
  /** The word being written; empty after a space. */
  readonly text: string;
  /** Slots that open or close within that word, by the letters before them, in order. */
  readonly marks: readonly { readonly at: number; readonly mark: Mark }[];
  readonly capitals: boolean;
  /** Where the word begins. */
  readonly at?: Place;
  /** One phrase of the spoken list that stands before the word without a space, as it is written. */
  readonly left?: string;
  /** A number stands before the word, with a space between: "5 kg". */
  readonly afterNumber: boolean;
  /** Words that are written before a number and said after it: the "pounds" of "£5". */
  readonly owed: readonly Ways[];
}

export const frontAt = (state: number): Front => ({
  state,
  text: '',
  marks: [],
  capitals: true,
  afterNumber: false,
  owed: [],
});

export function written(front: Front, text: string, capitals: boolean, at: Place): Front {
  return {
    ...front,
    text: front.text + text,
    capitals: (front.text === '' || front.capitals) && capitals,
    at: front.text === '' ? at : (front.at ?? at),
  };
}

/** Fronts with equal keys go on alike. */
export function keyOf(front: Front): string {
  const marks = front.marks.map(({ at, mark }) =>
    mark.kind === 'intent' ? '' : `${at}${mark.kind}${mark.id}`,
  );
  return JSON.stringify([
    front.text,
    marks,
    front.capitals,
    front.left,
    front.afterNumber,
    front.owed,
  ]);
}

export interface Surroundings {
  readonly own: ReadonlySet<string>;
  readonly capitals: boolean;
  /** One phrase of each spoken list that touches the text, as it is written. */
  readonly left?: string;
  readonly right?: string;
  readonly afterNumber: boolean;
}

/** One word of a template as it is said. Undefined: it cannot be read together with the numbers that it touches. */
export function readWord(
  text: string,
  { left, right, ...around }: Surroundings,
): { readonly words: readonly Ways[]; readonly owed: readonly Ways[] } | undefined {
  const { own, capitals } = around;
  if (left === undefined && right === undefined) {
    const unit = around.afterNumber && !commonWords.has(text) ? unitReading(text) : undefined;
    return { words: unit === undefined ? plainReading(text, around) : [unit], owed: [] };
  }
  // A hyphen between a word and a number is a space: "{floor}-floor", "pre-{n}".
  if (left !== undefined && /^-\p{L}/u.test(text))
    return readWord(text.slice(1), { ...around, afterNumber: true, ...only('right', right) });
  if (right !== undefined && /\p{L}-$/u.test(text))
    return readWord(text.slice(0, -1), { ...around, ...only('left', left) });
  // The text is read with numbers in place of the lists, and their words are taken out again.
  const read = (next: string | undefined) => {
    const all = readingsOf(`${left ?? ''}${text}${next ?? ''}`, { own, capitals });
    const first = left === undefined ? -1 : indexOf(all, left, 0);
    const last = next === undefined ? all.length : indexOf(all, next, first + 1);
    if ((left !== undefined && first !== 0) || last < 0) return undefined;
    return { words: all.slice(first + 1, last), owed: all.slice(last + 1) };
  };
  return read(right?.replace('7', '8')) ?? (right === undefined ? undefined : read('8'));
}

const only = <K extends string>(key: K, value: string | undefined) =>
  (value === undefined ? {} : { [key]: value }) as Partial<Record<K, string>>;

/** Index of a written number among the words; -1 when reading it with its surroundings changed its words. */
function indexOf(all: readonly Ways[], number: string, from: number): number {
  const wanted = JSON.stringify(readingsOf(number)[0]);
  return all.findIndex((ways, i) => i >= from && JSON.stringify(ways) === wanted);
}

/** Symbols of units that are said as what they are in nearly every sentence. */
const commonWords: ReadonlySet<string> = new Set(['a', 'in']);

function plainReading(text: string, options: Pick<Surroundings, 'own' | 'capitals'>): Ways[] {
  // "PLC's", "R2's": what owns is read as ever, and its last word gets the ending.
  const [, owner, ending = ''] = /^(.*(?:\d|\p{Lu}))(['’]s)$/u.exec(text) ?? [];
  if (owner === undefined || options.own.has(text.toLowerCase())) return readingsOf(text, options);
  const ways = readingsOf(owner, options);
  const last = ways.at(-1) ?? [];
  const owning = (word: SpokenWord): SpokenWord => ({
    ...word,
    word: `${word.word}${ending.replace('’', "'")}`,
  });
  return [
    ...ways.slice(0, -1),
    last.map((words) => [...words.slice(0, -1), ...words.slice(-1).map(owning)]),
  ];
}

/** What follows after a space may be a unit. `inSlot`: the word ends the value of a slot, where "five" is a number. */
export function isNumber(text: string, inSlot: boolean): boolean {
  return endsInNumber(text) || (inSlot && readNumber([text.toLowerCase()]) !== undefined);
}
