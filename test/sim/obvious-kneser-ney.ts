/**
 * Interpolated modified Kneser-Ney as Chen and Goodman write it, n-gram by n-gram over lists and maps: slow and obvious.
 * Nothing is shared with what it is held against.
 */
export function obviousKneserNey(text: readonly (readonly string[])[], order: number) {
  const padded = text.map((sentence) => ['<s>', ...sentence, '</s>']);
  const vocabulary = new Set([...text.flat(), '</s>', '<unk>']);
  /** How often each n-gram stood. */
  const stood = (n: number) => {
    const counts = new Map<string, number>();
    for (const sentence of padded)
      for (let i = 0; i + n <= sentence.length; i += 1) {
        const gram = sentence.slice(i, i + n).join(' ');
        counts.set(gram, (counts.get(gram) ?? 0) + 1);
      }
    if (n === 1) counts.delete('<s>');
    return counts;
  };
  /** Behind how many different words it stood; how often, in the highest order and where a sentence begins. */
  const adjusted = (n: number) => {
    if (n === order) return stood(n);
    const counts = new Map<string, number>();
    for (const longer of stood(n + 1).keys()) {
      const gram = longer.split(' ').slice(1).join(' ');
      counts.set(gram, (counts.get(gram) ?? 0) + 1);
    }
    if (n > 1)
      for (const [gram, count] of stood(n)) if (gram.startsWith('<s> ')) counts.set(gram, count);
    return counts;
  };
  const counts = Array.from({ length: order }, (_, i) => adjusted(i + 1));
  const discounts = counts.map((of) => {
    const [n1, n2, n3, n4] = [1, 2, 3, 4].map(
      (c) => [...of.values()].filter((count) => count === c).length,
    ) as [number, number, number, number];
    const y = n1 / (n1 + 2 * n2);
    const d = [0, 1 - 2 * y * (n2 / n1), 2 - 3 * y * (n3 / n2), 3 - 4 * y * (n4 / n3)];
    const fall = n1 > n2 && n2 > n3 && n3 > n4 && n4 > 0;
    return fall && [1, 2, 3].every((c) => Number(d[c]) > 0 && Number(d[c]) < c)
      ? d
      : [0, 0.5, 1, 1.5];
  });
  const discount = (n: number, count: number) => discounts[n - 1]?.[Math.min(count, 3)] ?? 0;

  function probability(history: readonly string[], word: string): number {
    const n = history.length + 1;
    const lower = n === 1 ? 1 / vocabulary.size : probability(history.slice(1), word);
    const prefix = history.map((h) => `${h} `).join('');
    const followers = [...(counts[n - 1] ?? [])].filter(([gram]) => gram.startsWith(prefix));
    const total = followers.reduce((sum, [, count]) => sum + count, 0);
    if (total === 0) return lower;
    const count = counts[n - 1]?.get(`${prefix}${word}`) ?? 0;
    const free = followers.reduce((sum, [, c]) => sum + discount(n, c), 0);
    return (count - discount(n, count) + free * lower) / total;
  }
  return { probability, discounts };
}
