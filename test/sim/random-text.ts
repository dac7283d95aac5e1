/** Small texts by chance: the same for the same seed. */
export function generator(seed: number, vocabulary = 8, sentences = 60) {
  let state = seed * 2654435761 + 1;
  /** A number from 0 to 1 (mulberry32). */
  function random(): number {
    state = (state + 0x6d2b79f5) | 0;
    let n = Math.imul(state ^ (state >>> 15), 1 | state);
    n = (n + Math.imul(n ^ (n >>> 7), 61 | n)) ^ n;
    return ((n ^ (n >>> 14)) >>> 0) / 2 ** 32;
  }
  /** Few words often, many seldom. */
  const word = () => `w${Math.floor(vocabulary * random() ** 3)}`;
  const sentence = () => Array.from({ length: 1 + Math.floor(9 * random() ** 2) }, word);
  const text = () => Array.from({ length: sentences }, sentence);
  /** As in a language: word n about 1 / n as often as the first (Zipf). */
  const zipf = () => `w${Math.floor(vocabulary ** random())}`;
  const zipfText = () =>
    Array.from({ length: sentences }, () =>
      Array.from({ length: 1 + Math.floor(12 * random()) }, zipf),
    );
  return { random, word, sentence, text, zipfText };
}
