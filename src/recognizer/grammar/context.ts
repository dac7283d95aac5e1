import { isMap, isScalar, isSeq, type Node } from 'yaml';
import type { SlotValue } from '../../records.js';
import type { ListValue, Loss, Scope, Tree } from './tree.js';
import type { YamlNodes } from './yaml-reader.js';

/** A key of hassil's `requires_context` or `excludes_context`. */
export interface ContextRule {
  readonly key: string;
  /** Values that are meant; null for any. */
  readonly values: readonly unknown[] | null;
  /** The value becomes a slot of the sentence. */
  readonly slot: boolean;
  readonly at: Node;
}

export interface ContextRules {
  readonly requires: readonly ContextRule[];
  readonly excludes: readonly ContextRule[];
}

/** Where the device stands: `context:` of the grammar. */
export type OwnContext = ReadonlyMap<string, SlotValue>;

export interface InContext {
  readonly scope: Scope;
  /** Slots from the device's own context. */
  readonly slots: readonly (readonly [string, SlotValue])[];
  readonly never?: Loss;
}

/** Reads `requires_context:` or `excludes_context:`. */
export function contextRules(yaml: YamlNodes, node: unknown, what: string): ContextRule[] {
  return yaml.entries(node, what).map(([key, value]) => ({
    key,
    values: allowedValues(yaml, value),
    slot: isMap(value) && value.get('slot') === true,
    at: value,
  }));
}

/** Values that a rule names; null for any value. */
function allowedValues(yaml: YamlNodes, node: unknown): readonly unknown[] | null {
  if (node === null || node === undefined) return null;
  if (isSeq(node)) return node.items.map((item) => (isScalar(item) ? item.value : item));
  if (isMap(node)) {
    yaml.known(node, ['value', 'slot']);
    return allowedValues(yaml, node.get('value', true));
  }
  return isScalar(node) && node.value !== null ? [node.value] : null;
}

/**
 * hassil's `requires_context` and `excludes_context`, decided when the grammar is compiled. Lists of the sentences lose the
 * values whose `context:` does not fit. A context that no list gives must be the device's own.
 */
export function applyContext(
  yaml: YamlNodes,
  scope: Scope,
  trees: readonly Tree[],
  { requires, excludes }: ContextRules,
  own: OwnContext,
): InContext {
  if (requires.length === 0 && excludes.length === 0) return { scope, slots: [] };
  const used = listsIn(trees, scope);
  const lists = new Map(scope.lists);
  const losses = new Map(scope.losses);
  const slots: [string, SlotValue][] = [];
  let never: Loss | undefined;
  const filter = (list: string, rule: ContextRule, wanted: (value: ListValue) => boolean) => {
    const before = lists.get(list) ?? [];
    const after = before.filter(wanted);
    lists.set(list, after);
    if (after.length === 0 && before.length > 0)
      losses.set(list, {
        why: `no value of {${list}} has the context that they ask for`,
        detail: inWords(rule),
        at: yaml.place(rule.at),
      });
  };
  for (const rule of requires) {
    const { key, values, slot, at } = rule;
    const giving = used.filter((l) => (lists.get(l) ?? []).some((v) => key in (v.context ?? {})));
    const known = own.get(key);
    if (giving.length === 0 && fits(known, values)) {
      if (slot && known !== undefined) slots.push([key, known]);
    } else if (giving.length === 0) {
      never = {
        why: `nothing gives the context "${key}" that they require: a device knows what "context: { ${key}: ... }" at the left edge says`,
        at: yaml.place(at),
      };
    } else if (slot) {
      never = {
        why: `the context "${key}" of a list's value cannot become a slot: say it in the sentence`,
        at: yaml.place(at),
      };
    } else
      for (const list of giving)
        filter(list, rule, ({ context = {} }) => fits(context[key], values));
  }
  for (const rule of excludes) {
    const { key, values, at } = rule;
    if (own.has(key) && fits(own.get(key), values))
      never = { why: `they exclude the device's own context "${key}"`, at: yaml.place(at) };
    for (const list of used)
      filter(list, rule, ({ context = {} }) => !(key in context && fits(context[key], values)));
  }
  return {
    scope: { ...scope, lists, losses },
    slots,
    ...(never === undefined ? {} : { never }),
  };
}

const inWords = ({ key, values }: ContextRule) =>
  values === null ? key : `${key} ${values.map(String).join(' or ')}`;

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
