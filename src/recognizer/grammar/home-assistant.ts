import { isMap, isScalar, isSeq, type YAMLMap } from 'yaml';
import type { GrammarFolder } from './source.js';
import type { YamlNodes } from './yaml-reader.js';

/**
 * The layout of Home Assistant's own sentences (OHF-Voice/intents, 2026): `intents.yaml` declares intents and their
 * combinations of slots, `sentences/en/INTENT/COMBINATION.yaml` has the sentences of each, `rules/en`, `lists` and
 * `lists/en` what they use.
 */
export interface Part {
  readonly intent: string;
  readonly combination: string;
}

export interface Combination {
  /** The sentences are about the area that the device is in. */
  readonly contextArea: boolean;
  /** Domains by name of a group, for `name_domains: group`. */
  readonly groups: ReadonlyMap<string, readonly string[]>;
}

const language = 'en';
const sentencesOf = /^sentences\/en\/([^/]+)\/([^/]+)\.ya?ml$/;

export const isHomeAssistant = ({ files }: GrammarFolder) =>
  files.some(({ path }) => path === 'intents.yaml') &&
  files.some(({ path }) => path.startsWith(`sentences/${language}/`));

export function partOf(path: string): Part | undefined {
  const [, intent, combination] = sentencesOf.exec(path) ?? [];
  return intent === undefined || combination === undefined ? undefined : { intent, combination };
}

/** Whether a file or folder of such a folder is read: no tests, no answers, no other languages. */
export function isRead(path: string): boolean {
  const [first = '', second, ...more] = path.split('/');
  if (second === undefined) return true;
  if (first === 'lists') return more.length === 0 ? !isLanguage(second) : second === language;
  return ['sentences', 'rules', 'custom_sentences'].includes(first) && second === language;
}

/** Of folders with a subfolder each; files end in .yaml. */
const isLanguage = (name: string) => /^[a-z]{2,3}(-[\w-]+)?$/.test(name) && name !== language;

/** What `intents.yaml` says of the sentences. */
export class Declarations {
  private readonly combinations = new Map<string, Combination>();
  private readonly order = new Map<string, number>();

  read(yaml: YamlNodes, root: YAMLMap): void {
    for (const [intent, node] of yaml.entries(root, 'intents.yaml')) {
      const all = isMap(node) ? node.get('slot_combinations', true) : undefined;
      for (const [name, combination] of yaml.entries(all, `${intent}: slot_combinations`)) {
        const key = `${intent}/${name}`;
        this.order.set(key, this.order.size);
        if (!isMap(combination)) continue;
        const groups = yaml
          .entries(combination.get('name_domain_groups', true), `${key}: name_domain_groups`)
          .map(([group, domains]) => [group, texts(domains)] as const);
        this.combinations.set(key, {
          contextArea: combination.get('context_area') === true,
          groups: new Map(groups),
        });
      }
    }
  }

  combination({ intent, combination }: Part): Combination | undefined {
    return this.combinations.get(`${intent}/${combination}`);
  }

  /** Where sentences stand; those that nothing declares come last. */
  place({ intent, combination }: Part): number {
    return this.order.get(`${intent}/${combination}`) ?? Infinity;
  }
}

/** A site's own files before the ready-made ones, these as they are declared. */
export function byLayout(declared: Declarations, a: string, b: string): number {
  const [x, y] = [a, b].map((path) => {
    const part = partOf(path);
    return part === undefined ? -1 : declared.place(part);
  });
  if (x !== y) return (x ?? 0) < (y ?? 0) ? -1 : 1;
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The texts of a list, or of one value. */
export function texts(node: unknown): string[] {
  const items = isSeq(node) ? node.items : [node];
  return items.flatMap((item) =>
    isScalar(item) && typeof item.value === 'string' ? [item.value] : [],
  );
}
