/** Insertions, deletions and substitutions between two sequences (Levenshtein). */
export function phoneErrors(a: readonly number[], b: readonly number[]): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (const phone of a) {
    const next = [(row[0] ?? 0) + 1];
    b.forEach((other, j) => {
      next.push(
        Math.min(
          (row[j] ?? 0) + (phone === other ? 0 : 1),
          (row[j + 1] ?? 0) + 1,
          (next[j] ?? 0) + 1,
        ),
      );
    });
    row = next;
  }
  return row[b.length] ?? 0;
}

/** Errors against the nearest of several references, and that reference's length. */
export function bestOf(
  guess: readonly number[],
  references: readonly (readonly number[])[],
): { errors: number; length: number } {
  return references
    .map((reference) => ({ errors: phoneErrors(guess, reference), length: reference.length }))
    .reduce((a, b) => (b.errors < a.errors ? b : a));
}
