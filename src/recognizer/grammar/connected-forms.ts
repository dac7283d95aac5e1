import { connectedForms, type Pronunciation } from '../lexicon/index.js';
import type { Dfa } from './dfa.js';

/**
 * Forms of connected speech for each word of a grammar (by id). A form is left out if it makes two words sound the same
 * where both may be said. So a listed pronunciation of one is no form of the other: "closed" does not become "close". A
 * form that two words share is neither's. `skip`: words that may be said anywhere.
 */
export function distinctForms(
  dfa: Dfa,
  words: readonly string[],
  listed: readonly (readonly Pronunciation[])[],
  skip: readonly number[],
  units: readonly string[],
): Pronunciation[][] {
  const keyed = (ps: readonly Pronunciation[]) => new Map(ps.map((p) => [p.phones.join(), p]));
  const own = listed.map((ps) => [...keyed(ps).keys()]);
  const forms = words.map((word, id) => keyed(connectedForms(word, listed[id] ?? [], units)));
  const clashing = new Set<string>();
  for (const edges of dfa.edges) {
    const here = [...new Set([...edges.keys(), ...skip])];
    if (here.length < 2) continue;
    const saidBy = new Map<string, number>();
    for (const id of here)
      for (const key of [...(own[id] ?? []), ...(forms[id]?.keys() ?? [])])
        saidBy.set(key, (saidBy.get(key) ?? 0) + 1);
    for (const id of here)
      for (const key of forms[id]?.keys() ?? [])
        if ((saidBy.get(key) ?? 0) > 1) clashing.add(`${id} ${key}`);
  }
  return forms.map((some, id) =>
    [...some].flatMap(([key, form]) => (clashing.has(`${id} ${key}`) ? [] : [form])),
  );
}
