import type { Rows } from './rows.js';

/** Unit 0 of a CTC network says that nothing new is heard. */
const blankUnit = 0;

/** Phones that greedy decoding hears, with a value added to each step's logit of the blank. */
export function phonesIn({ cols, data }: Rows, starts: Uint8Array, shift = 0): number {
  let [count, before] = [0, blankUnit];
  starts.forEach((begins, t) => {
    let [best, most] = [blankUnit, (data[t * cols + blankUnit] ?? 0) + shift];
    for (let u = 0; u < cols; u++) {
      const value = data[t * cols + u] ?? 0;
      if (u !== blankUnit && value > most) [best, most] = [u, value];
    }
    if (best !== blankUnit && (begins === 1 || best !== before)) count++;
    before = best;
  });
  return count;
}

/** Beyond this something else is wrong. */
const farthest = 6;

/** The least that is added to the logit of the blank so that as many phones are heard as wanted; by halves. */
export function blankShift(logits: Rows, wanted: number, starts: Uint8Array): number {
  const now = phonesIn(logits, starts);
  if (now === wanted) return 0;
  const towards = now > wanted ? farthest : -farthest;
  const enough = (shift: number) => {
    const heard = phonesIn(logits, starts, shift);
    return now > wanted ? heard <= wanted : heard >= wanted;
  };
  let [before, after] = [0, towards];
  for (let k = 0; k < 16; k++) {
    const middle = (before + after) / 2;
    if (enough(middle)) after = middle;
    else before = middle;
  }
  return after;
}

/** The same logits with a value added to the blank's. */
export const withBlank = ({ cols, data }: Rows, shift: number): Rows => ({
  cols,
  data: data.map((v, i) => (i % cols === blankUnit ? v + shift : v)),
});
