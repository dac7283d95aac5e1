import type { DecodingGraph } from '../graph.js';

export interface AlignedPhone {
  readonly unit: number;
  /** Position of its word in the sentence. */
  readonly word: number;
  readonly startFrame: number;
  /** First frame after it, blanks that follow included up to the next phone. */
  readonly endFrame: number;
}

/**
 * Where each phone of a known sentence lies, each word said in whichever of its pronunciations fits best: the best CTC
 * path through all of them side by side.
 */
export function alignSentence(
  pronunciations: readonly (readonly (readonly number[])[])[],
  scores: Float32Array,
  units: number,
): { score: number; phones: AlignedPhone[] } {
  const cells = latticeOf(pronunciations);
  const frames = scores.length / units;
  let row = new Float64Array(cells.length).fill(-Infinity);
  let next = new Float64Array(cells.length);
  const from = new Int32Array(frames * cells.length).fill(-1);
  for (let t = 0; t < frames; t++) {
    cells.forEach(({ unit, before, first }, c) => {
      let best = t === 0 && first ? 0 : (row[c] ?? 0);
      let way = c;
      for (const b of t === 0 ? [] : before) {
        if ((row[b] ?? 0) <= best) continue;
        best = row[b] ?? 0;
        way = b;
      }
      from[t * cells.length + c] = way;
      next[c] = best + (scores[t * units + unit] ?? 0);
    });
    [row, next] = [next, row];
  }
  let cell = -1;
  cells.forEach(({ last }, c) => {
    if (last && (cell < 0 || (row[c] ?? 0) > (row[cell] ?? 0))) cell = c;
  });
  const score = cell < 0 ? -Infinity : (row[cell] ?? -Infinity);
  if (score === -Infinity) return { score, phones: [] };
  const phones: AlignedPhone[] = [];
  let end = frames;
  for (let t = frames - 1; t >= 0; t--) {
    const { unit, word } = cells[cell] ?? { unit: 0, word: 0 };
    const way = t === 0 ? -1 : (from[t * cells.length + cell] ?? -1);
    if (unit !== 0 && way !== cell) {
      phones.push({ unit, word, startFrame: t, endFrame: end });
      end = t;
    }
    cell = way;
  }
  return { score, phones: phones.reverse() };
}

/** A phone, or a blank (unit 0), of one way to say the sentence. */
interface Cell {
  readonly unit: number;
  readonly word: number;
  /** Cells that it may be come to from, beside itself. */
  readonly before: readonly number[];
  /** Whether the sentence may begin here, and end here. */
  readonly first: boolean;
  readonly last: boolean;
}

/** Pronunciations side by side between blanks that they share; a blank may be left out between different phones. */
export function latticeOf(pronunciations: readonly (readonly (readonly number[])[])[]): Cell[] {
  const cells: Cell[] = [];
  const add = (cell: Cell) => cells.push(cell) - 1;
  let blank = add({
    unit: 0,
    word: 0,
    before: [],
    first: true,
    last: pronunciations.length === 0,
  });
  // Last phones of the word before.
  let arriving: number[] = [];
  pronunciations.forEach((variants, word) => {
    const last = word === pronunciations.length - 1;
    const ends = variants.flatMap((phones) => {
      let previous = [blank, ...arriving];
      let end: number | undefined;
      phones.forEach((unit, i) => {
        const before = previous.filter((c) => cells[c]?.unit !== unit);
        const ended = last && i === phones.length - 1;
        end = add({ unit, word, before, first: word === 0 && i === 0, last: ended });
        if (i === phones.length - 1) return;
        const between = add({ unit: 0, word, before: [end], first: false, last: false });
        previous = [between, end];
      });
      return end === undefined ? [] : [end];
    });
    blank = add({ unit: 0, word, before: ends, first: false, last });
    arriving = ends;
  });
  return cells;
}

/**
 * Viterbi over blank, p1, blank, p2, ..., blank; a blank may be left out between different phones. By plain dynamic programming
 * with a back-pointer for every cell: the slow, obvious reference of the search.
 */
export function alignPhones(
  phones: readonly { unit: number; word: number }[],
  scores: Float32Array,
  units: number,
): { score: number; phones: AlignedPhone[] } {
  const frames = scores.length / units;
  const cells = 2 * phones.length + 1;
  const unitOf = (cell: number) => (cell % 2 === 0 ? 0 : (phones[(cell - 1) / 2]?.unit ?? 0));
  let row = new Float64Array(cells).fill(-Infinity);
  const from = new Uint8Array(frames * cells);
  for (let t = 0; t < frames; t++) {
    const next = new Float64Array(cells).fill(-Infinity);
    for (let c = 0; c < cells; c++) {
      const ways =
        t === 0 ? [c <= 1 ? 0 : -Infinity] : [row[c] ?? 0, c > 0 ? (row[c - 1] ?? 0) : -Infinity];
      if (t > 0 && c > 1 && c % 2 === 1 && unitOf(c) !== unitOf(c - 2)) ways.push(row[c - 2] ?? 0);
      let way = 0;
      for (let w = 1; w < ways.length; w++) if ((ways[w] ?? 0) > (ways[way] ?? 0)) way = w;
      from[t * cells + c] = way;
      next[c] = (ways[way] ?? -Infinity) + (scores[t * units + unitOf(c)] ?? 0);
    }
    row = next;
  }
  let cell = cells > 1 && (row[cells - 2] ?? 0) > (row[cells - 1] ?? 0) ? cells - 2 : cells - 1;
  const score = row[cell] ?? -Infinity;
  if (score === -Infinity) return { score, phones: [] };
  const starts = new Int32Array(phones.length);
  for (let t = frames - 1; t >= 0; t--) {
    if (cell % 2 === 1) starts[(cell - 1) / 2] = t;
    if (t > 0) cell -= from[t * cells + cell] ?? 0;
  }
  return {
    score,
    phones: phones.map(({ unit, word }, i) => ({
      unit,
      word,
      startFrame: starts[i] ?? 0,
      endFrame: starts[i + 1] ?? frames,
    })),
  };
}

/** All pronunciations of a word that a graph holds, found by walking from `state`. For tests and reports. */
export function pathsOf(
  graph: DecodingGraph,
  state: number,
): { word: number; phones: number[]; target: number }[] {
  const found: { word: number; phones: number[]; target: number }[] = [];
  const walk = (at: number, phones: number[]) => {
    for (let a = graph.arcStart[at] ?? 0; a < (graph.arcStart[at + 1] ?? 0); a++) {
      const said = [...phones, graph.arcUnit[a] ?? 0];
      const word = graph.arcWord[a] ?? -1;
      if (word >= 0) found.push({ word, phones: said, target: graph.arcTarget[a] ?? 0 });
      else walk(graph.arcTarget[a] ?? 0, said);
    }
  };
  walk(state, []);
  return found;
}
