export interface TalkWeights {
  readonly bias: number;
  readonly talk: number;
  readonly lead: number;
}

/** dist/bench/open-slots-people.js --fit writes them anew. */
export const talkWeights: TalkWeights = {
  bias: -3.772,
  talk: 0.192,
  lead: 0.261,
};
