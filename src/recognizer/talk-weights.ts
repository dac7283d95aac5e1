export interface TalkWeights {
  readonly bias: number;
  readonly talk: number;
  readonly lead: number;
}

/** dist/bench/open-slots-people.js --fit writes them anew. */
export const talkWeights: TalkWeights = {
  bias: -2.123,
  talk: 0.185,
  lead: 0.192,
};
