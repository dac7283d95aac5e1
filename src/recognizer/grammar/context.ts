import { isMap, isScalar, isSeq, type Node } from 'yaml';
import type { ListValue, Scope, Tree } from './tree.js';
import type { YamlNodes } from './yaml-reader.js';

/**
 * hassil's `requires_context` and `excludes_context`. A device has no context but what its own list
 * values carry (`context:` beside `in:` and `out:`), so both are settled when the grammar is compiled:
 * the lists that sentences use lose the values that do not fit. What would have to come from outside
 * (an area the speaker is in, for example) is refused by name.
 */
export function applyContext(
  yaml: YamlNodes,
  scope: Scope,
  trees: readonly Tree[],
  rules: { readonly requires: Node | undefined; readonly excludes: Node | undefined },
): Scope {
  const used = listsIn(trees, scope);
  const lists = new Map(scope.lists);
  for (const [key, node] of yaml.entries(rules.requires, 'requires_context')) {
    const wanted = allowedValues(yaml, key, node);
    const giving = used.filter((l) => (lists.get(l) ?? []).some((v) => key in (v.context ?? {})));
    if (giving.length === 0) {
      yaml.fault(
        node,
        `requires_context: no list of these sentences gives "${key}", and the device has no other context`,
      );
    }
    for (const list of giving) keep(lists, list, ({ context = {} }) => fits(context[key], wanted));
  }
  for (const [key, node] of yaml.entries(rules.excludes, 'excludes_context')) {
    const unwanted = allowedValues(yaml, key, node);
    for (const list of used)
      keep(lists, list, ({ context = {} }) => !(key in context && fits(context[key], unwanted)));
  }
  for (const list of used) {
    if (lists.get(list)?.length === 0 && scope.lists.get(list)?.length !== 0)
      yaml.fault(
        rules.requires ?? rules.excludes,
        `no value of {${list}} has the context that is asked for`,
      );
  }
  return { ...scope, lists };
}

function keep(
  lists: Map<string, readonly ListValue[]>,
  list: string,
  wanted: (value: ListValue) => boolean,
): void {
  lists.set(list, (lists.get(list) ?? []).filter(wanted));
}

/** Values that a rule names; null for any value. */
function allowedValues(yaml: YamlNodes, key: string, node: unknown): readonly unknown[] | null {
  if (node === null || node === undefined) return null;
  if (isSeq(node)) return node.items.map((item) => (isScalar(item) ? item.value : item));
  if (isMap(node)) {
    yaml.known(node, ['value', 'slot']);
    if (node.get('slot') === true)
      yaml.fault(
        node,
        `context "${key}": a slot from the context is not possible: say it in the sentence`,
      );
    return allowedValues(yaml, key, node.get('value', true));
  }
  return isScalar(node) && node.value !== null ? [node.value] : null;
}

function fits(value: unknown, wanted: readonly unknown[] | null): boolean {
  return value !== undefined && (wanted === null || wanted.includes(value));
}

/** Names of the lists that trees refer to, also by way of rules. */
function listsIn(trees: readonly Tree[], scope: Scope): string[] {
  const lists = new Set<string>();
  const rules = new Set<string>();
  const visit = (tree: Tree): void => {
    if (tree.kind === 'list') lists.add(tree.list);
    else if (tree.kind === 'slot') visit(tree.item);
    else if (tree.kind === 'rule') {
      if (rules.has(tree.rule)) return;
      rules.add(tree.rule);
      const body = scope.rules.get(tree.rule);
      if (body !== undefined) visit(body);
    } else if ('items' in tree) tree.items.forEach(visit);
  };
  trees.forEach(visit);
  return [...lists];
}
