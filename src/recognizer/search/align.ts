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
 * Where each phone of a known sentence lies: the best CTC path through its pronunciations, by plain
 * dynamic programming with a back-pointer for every cell. Also the slow, obvious reference of the search.
 */
export function alignSentence(
  pronunciations: readonly (readonly (readonly number[])[])[],
  scores: Float32Array,
  units: number,
): { score: number; phones: AlignedPhone[] } {
  let best: { score: number; phones: AlignedPhone[] } = { score: -Infinity, phones: [] };
  // Variants are chosen word by word, keeping the others at their first: exact when one word varies.
  const choice = pronunciations.map(() => 0);
  const tryChoice = () => {
    const phones = pronunciations.flatMap((variants, w) =>
      (variants[choice[w] ?? 0] ?? []).map((unit) => ({ unit, word: w })),
    );
    const aligned = alignPhones(phones, scores, units);
    if (aligned.score <= best.score) return false;
    best = aligned;
    return true;
  };
  tryChoice();
  pronunciations.forEach((variants, w) => {
    const first = choice[w] ?? 0;
    let kept = first;
    for (let v = 0; v < variants.length; v++) {
      if (v === first) continue;
      choice[w] = v;
      if (tryChoice()) kept = v;
    }
    choice[w] = kept;
  });
  return best;
}

/** Viterbi over blank, p1, blank, p2, ..., blank; a blank may be left out between different phones. */
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
