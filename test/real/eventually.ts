/** A real neighbour on a busy machine takes its time. */
export const limitMs = 300_000;

/** What is found, as soon as it is there. */
export async function eventually<T>(
  what: string,
  look: () => Promise<T | false | undefined>,
): Promise<T> {
  const end = performance.now() + limitMs;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > end) throw new Error(`waited ${limitMs} ms for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}
