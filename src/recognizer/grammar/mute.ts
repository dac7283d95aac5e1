import { readingsOf } from './readings.js';
import { placeInWords, type Fault, type ParsedGrammar, type Tree } from './tree.js';

type Mute = Tree & { readonly kind: 'mute' };

/**
 * Written parts that would be left out in silence: a list value "...", an alternative "-" beside one of
 * words. Punctuation beside words is no fault.
 */
export function muteFaults(grammar: ParsedGrammar): Fault[] {
  const faults = new Map<string, Fault>();
  const report = ({ text, at = { line: 1, column: 1 } }: Mute) =>
    faults.set(placeInWords(at), {
      ...at,
      message: `"${text}" says nothing: write the words that are said`,
    });
  const seen = new Set<object>();
  const whole = (tree: Tree) => {
    const found = silence(tree, report);
    if (found !== null && found !== 'words') report(found);
  };
  for (const { sentences } of grammar.intents)
    for (const { tree, scope } of sentences) {
      whole(tree);
      for (const values of scope.lists.values()) {
        if (seen.has(values)) continue;
        seen.add(values);
        for (const { spoken } of values) whole(spoken);
      }
      for (const rule of scope.rules.values()) {
        if (seen.has(rule)) continue;
        seen.add(rule);
        whole(rule);
      }
    }
  return [...faults.values()];
}

/** Whether a part has words, is written without any (the first such), or is empty (null). */
function silence(tree: Tree, report: (mute: Mute) => void): 'words' | Mute | null {
  if (tree.kind === 'mute') return tree;
  if (tree.kind === 'space') return null;
  if (tree.kind === 'part')
    return readingsOf(tree.text).length > 0 || tree.text.trim() === ''
      ? 'words'
      : { ...tree, kind: 'mute' };
  if (tree.kind === 'slot') return silence(tree.item, report);
  if (!('items' in tree)) return 'words';
  const parts = tree.items.map((item) => silence(item, report));
  const mutes = parts.filter((part) => part !== null && part !== 'words');
  if (!parts.includes('words')) return mutes[0] ?? null;
  if (tree.kind === 'choice') mutes.forEach(report);
  return 'words';
}
