import type { Decoding, Weighting } from '../../bundle/index.js';
import { TokenSearch, type GrammarDetails } from '../../recognizer/index.js';
import type { NetworkClip } from '../evaluate/network.js';

export interface GridPoint {
  readonly priorWeight: number;
  readonly blankBias: number;
  /** Share of the clips whose sentence the search found. */
  readonly right: number;
}

/** A clip, what was said in it, and a grammar that holds it among others. */
export interface Tried {
  readonly clip: NetworkClip;
  readonly text: string;
  readonly grammar: GrammarDetails;
}

const priorWeights = [0, 0.2, 0.4, 0.6, 0.8, 1];
const blankBiases = [-2, -1, 0, 1, 2, 3];

/** Label prior, its weight and the weight of blank with which the search alone finds most of what was said. */
export function chooseDecoding(
  tried: readonly Tried[],
  units: number,
  progress: (line: string) => void,
): { decoding: Decoding; grid: readonly GridPoint[] } {
  const logPrior = estimatePrior(
    tried.map((t) => t.clip),
    units,
  );
  const grid: GridPoint[] = [];
  for (const priorWeight of priorWeights) {
    for (const blankBias of blankBiases) {
      const decoding = { priorWeight, logPrior, blankBias };
      const rights = tried.filter((t) => bestText(decoding, t.clip, t.grammar) === t.text).length;
      const right = rights / Math.max(tried.length, 1);
      grid.push({ priorWeight, blankBias, right });
      progress(`prior ${priorWeight}, blank ${blankBias}: ${(100 * right).toFixed(1)} % right`);
    }
  }
  const { priorWeight, blankBias } = plateauCentre(grid, tried.length);
  return {
    decoding: { priorWeight, logPrior: logPrior.map((v) => Number(v.toFixed(4))), blankBias },
    grid,
  };
}

/**
 * Two weightings beside the chosen one.
 * - With the utterance's own prior: for a voice or a room that raises some phones throughout (docs/adr/0032-weightings.md).
 * - With a heavier blank, which only votes. It loses words and is overconfident, so its own answers are often wrong
 *   (docs/adr/0038-optional-words.md).
 */
export function weightingsBeside({ priorWeight, blankBias }: Decoding): Weighting[] {
  const heavier = Math.min(2, Number((priorWeight + 0.2).toFixed(2)));
  return [
    { priorWeight, blankBias: blankBias + 1, votes: true },
    { priorWeight: heavier, blankBias: blankBias + 1, ownShare: 1 },
  ];
}

/**
 * Warps for the further looks at what would be refused: a longer, a much longer and a shorter vocal tract
 * (docs/adr/0036-vocal-tracts.md). Training has 0.82 to 1.2 (trainer/configs/compress-ctc.toml).
 */
export const otherLooks = {
  shifts: [1, 2],
  warps: [0.93, 0.86, 1.08],
} as const satisfies Pick<Decoding, 'shifts' | 'warps'>;

/**
 * The middle of all points within a standard error of the best. The good points lie on a long ridge: a heavier prior needs
 * a heavier blank. Which of them is highest is chance, and those at its ends do badly in noise and with other voices.
 */
export function plateauCentre(grid: readonly GridPoint[], clips: number): GridPoint {
  const most = Math.max(...grid.map((g) => g.right));
  const error = Math.sqrt((most * (1 - most)) / Math.max(clips, 1));
  const good = grid.filter((g) => g.right >= most - error);
  const middle = (of: (g: GridPoint) => number) =>
    good.reduce((s, g) => s + of(g), 0) / good.length;
  const [prior, blank] = [middle((g) => g.priorWeight), middle((g) => g.blankBias)];
  // In steps of the grid, so that neither of the two counts more.
  const away = (g: GridPoint) =>
    Math.hypot((g.priorWeight - prior) / 0.2, (g.blankBias - blank) / 1) - 0.01 * g.right;
  const [centre] = [...good].sort((a, b) => away(a) - away(b));
  return centre ?? { priorWeight: 0, blankBias: 0, right: 0 };
}

/** Log of the mean posterior of each unit. */
export function estimatePrior(clips: readonly NetworkClip[], units: number): number[] {
  const sum = new Float64Array(units);
  let steps = 0;
  for (const clip of clips) {
    steps += clip.steps;
    clip.logProbs.forEach((v, i) => (sum[i % units] = (sum[i % units] ?? 0) + Math.exp(v)));
  }
  return [...sum].map((v) => Math.log(Math.max(v / Math.max(steps, 1), 1e-5)));
}

/** What the search alone would say: no confidence, no runners-up. */
export function bestText(decoding: Decoding, clip: NetworkClip, grammar: GrammarDetails): string {
  const units = decoding.logPrior.length;
  const search = new TokenSearch(grammar.graph);
  const row = new Float32Array(units);
  for (let t = 0; t < clip.steps; t++) {
    for (let u = 0; u < units; u++)
      row[u] =
        (clip.logProbs[t * units + u] ?? 0) -
        decoding.priorWeight * (decoding.logPrior[u] ?? 0) +
        (u === 0 ? decoding.blankBias : 0);
    search.feed(row);
  }
  return (search.best()[0]?.words ?? []).map((w) => grammar.graph.words[w.word] ?? '').join(' ');
}
