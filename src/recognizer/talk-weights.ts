export interface TalkWeights {
  readonly bias: number;
  readonly talk: number;
  readonly lead: number;
}

/** dist/bench/open-slots-people.js --fit writes them anew. */
export const talkWeights: TalkWeights = {
  bias: -2.158,
  talk: 0.186,
  lead: 0.173,
};
