import { isMap, isScalar, type Node, type YAMLMap } from 'yaml';
import type { SlotValue } from '../../records.js';
import { applyContext, contextRules, type ContextRule, type OwnContext } from './context.js';
import { texts, type Combination } from './home-assistant.js';
import { readingsOf } from './readings.js';
import type { Intent, Scope, Sentence, Tree } from './tree.js';
import type { YamlNodes } from './yaml-reader.js';
import { innerScope } from './yaml-scope.js';

/** Keys of hassil and Home Assistant that say nothing about the words: ignored. */
const intentNotes = [
  'description',
  'domain',
  'supported',
  'metadata',
  'response',
  'slot_combinations',
  'example',
];
const dataNotes = [
  'metadata',
  'response',
  'name',
  'description',
  'example',
  'settings',
  'inferred_domain',
  'name_domains',
  'speech_to_phrase',
];
const intentKeys = ['data', 'minConfidence', 'confirm', 'required_keywords', 'settings'];
const dataKeys = [
  'sentences',
  'slots',
  'lists',
  'expansion_rules',
  'requires_context',
  'excludes_context',
  'required_keywords',
];
const topKeys = [
  'language',
  'intents',
  'lists',
  'expansion_rules',
  'skip_words',
  'responses',
  'settings',
  'context',
];
/** Of a file of Home Assistant's layout, which is one intent. */
const partKeys = ['language', 'data', 'lists', 'expansion_rules', 'settings', 'responses'];

/** What a file is read in. */
export interface Surroundings {
  readonly scope: Scope;
  /** The device's own context. */
  readonly context: OwnContext;
  /** Of Home Assistant's sentences only the lean ones, which it keeps for speech recognition. */
  readonly lean: boolean;
}

export interface FileOptions {
  /** A file of Home Assistant's layout: its `data:` is of this intent. */
  readonly intent?: string;
  readonly combination?: Combination;
  /** Sentences of the site's own. */
  readonly own?: true;
}

/** Whether a file has anything that belongs to sentences. */
export const hasSentences = (root: YAMLMap) =>
  topKeys.some((key) => key !== 'language' && root.has(key));

/** One file of sentences in Home Assistant's format. */
export class YamlFile {
  constructor(
    readonly yaml: YamlNodes,
    readonly root: YAMLMap,
    private readonly options: FileOptions = {},
  ) {
    this.top();
  }

  intents(around: Surroundings): { intent: Intent; node: unknown }[] {
    const { yaml, root, options } = this;
    if (options.intent !== undefined)
      return [{ intent: this.intent(options.intent, root, around), node: root }];
    return yaml
      .entries(root.get('intents', true), 'intents')
      .map(([name, node]) => ({ intent: this.intent(name, node, around), node }));
  }

  skipWords(scope: Scope): Sentence[] {
    const { yaml } = this;
    return yaml
      .items(this.root.get('skip_words', true))
      .map((node) => ({ tree: yaml.template(node), scope, at: yaml.place(node) }));
  }

  context(): [string, SlotValue][] {
    const { yaml } = this;
    return yaml
      .entries(this.root.get('context', true), 'context')
      .map(([key, node]) => [key, yaml.scalar(node)]);
  }

  lean(): boolean {
    const settings = this.root.get('settings', true);
    return isMap(settings) && settings.get('speech_to_phrase') === true;
  }

  private top(): void {
    const { yaml, root } = this;
    if (root.has('conversation') && !root.has('intents')) {
      yaml.fault(
        root,
        '"conversation:" belongs to Home Assistant\'s configuration.yaml: begin with "intents:", and write each as "Name: { data: [{ sentences: [...] }] }"',
      );
      return;
    }
    // Names with x- in front are the writer's own, to keep what anchors name.
    yaml.known(root, this.options.intent === undefined ? topKeys : partKeys, /^x-/);
    if (root.has('language')) yaml.language(root.get('language', true), 'language');
    if (root.has('responses'))
      yaml.warn(root.get('responses', true), 'responses are left out: this device does not speak');
    const settings = root.get('settings', true);
    if (isMap(settings) && settings.get('ignore_whitespace') === true)
      yaml.warn(
        settings,
        'settings: ignore_whitespace is left out: words are apart where spaces are',
      );
  }

  private intent(name: string, node: unknown, around: Surroundings): Intent {
    const { yaml } = this;
    if (!/^[\w.-]{1,64}$/.test(name))
      yaml.fault(node, `"${name}" is no intent name, expected letters, digits, _ . -`);
    if (!isMap(node)) {
      yaml.fault(node, `intent ${name}: expected "data:" with sentences`);
      return { name, sentences: [] };
    }
    if (isMap(node.get('slots', true)))
      yaml.fault(
        node.get('slots', true),
        `intent ${name}: slots stand beside "sentences:", in data`,
      );
    if (this.options.intent === undefined) yaml.known(node, [...intentKeys, 'slots'], intentNotes);
    const keywords = this.keywords(node);
    const sentences = this.blocks(node, around)
      .flatMap((data) => this.sentences(name, data, around))
      .map((sentence) => ({ ...keywords, ...sentence }));
    const minConfidence: unknown = node.get('minConfidence');
    if (
      minConfidence !== undefined &&
      !(typeof minConfidence === 'number' && minConfidence >= 0 && minConfidence <= 1)
    ) {
      yaml.fault(node.get('minConfidence', true), 'minConfidence: expected a number from 0 to 1');
    }
    return {
      name,
      sentences,
      ...(typeof minConfidence === 'number' ? { minConfidence } : {}),
      ...(node.get('confirm') === true ? { confirm: true } : {}),
    };
  }

  /**
   * Home Assistant marks blocks of few sentences, for recognisers that cannot hear many. They say the same as richer blocks
   * beside them. Lean: the marked blocks alone. Else the richer ones, where there are any.
   */
  private blocks(intent: YAMLMap, { lean }: Surroundings): Node[] {
    const all = this.yaml.items(intent.get('data', true));
    if (this.options.intent === undefined) return all;
    const isLean = (data: unknown) => isMap(data) && data.get('speech_to_phrase') === true;
    if (lean) return all.filter(isLean);
    const rich = all.filter((data) => !isLean(data));
    return rich.length === 0 ? all : rich;
  }

  private sentences(name: string, data: unknown, around: Surroundings): Intent['sentences'] {
    const { yaml, options } = this;
    if (!isMap(data)) {
      yaml.fault(data, `intent ${name}: expected "- sentences: [...]"`);
      return [];
    }
    yaml.known(data, dataKeys, dataNotes);
    const trees = yaml
      .items(data.get('sentences', true))
      .map((node) => ({ tree: yaml.template(node), at: yaml.place(node) }));
    if (trees.length === 0) yaml.fault(data, `intent ${name}: no sentences`);
    const found = applyContext(
      yaml,
      innerScope(yaml, data, around.scope),
      trees.map(({ tree }) => tree),
      {
        requires: [
          ...contextRules(yaml, data.get('requires_context', true), 'requires_context'),
          ...this.domains(name, data),
        ],
        excludes: contextRules(yaml, data.get('excludes_context', true), 'excludes_context'),
      },
      around.context,
    );
    const fixed = [...this.fixedSlots(data, around), ...found.slots];
    const rest = {
      ...this.keywords(data),
      ...(options.own === true ? { own: true as const } : {}),
      ...(found.never === undefined ? {} : { never: found.never }),
    };
    return trees.map(({ tree, at }) => ({
      tree: withFixedSlots(tree, fixed),
      scope: found.scope,
      at,
      ...rest,
    }));
  }

  /** Slots that hold whatever is said. Home Assistant's sentences also imply a domain and an area. */
  private fixedSlots(data: YAMLMap, { context }: Surroundings): [string, SlotValue][] {
    const { yaml, options } = this;
    const written = yaml
      .entries(data.get('slots', true), 'slots')
      .map(([slot, node]): [string, SlotValue] => [slot, yaml.scalar(node)]);
    if (options.intent === undefined) return written;
    const domain = data.get('inferred_domain', true);
    const area = options.combination?.contextArea === true ? context.get('area') : undefined;
    return [
      ...written,
      ...(domain === undefined ? [] : [['domain', yaml.scalar(domain)] as [string, SlotValue]]),
      ...(area === undefined ? [] : [['area', area] as [string, SlotValue]]),
    ];
  }

  /** `name_domains:` of Home Assistant: names of these domains, or of a group of domains. */
  private domains(name: string, data: YAMLMap): ContextRule[] {
    const { yaml, options } = this;
    const at = data.get('name_domains', true);
    if (options.intent === undefined || at === undefined) return [];
    if (!isScalar(at)) return [{ key: 'domain', values: texts(at), slot: false, at }];
    const groups = options.combination?.groups;
    const values = groups?.get(String(at.value));
    if (values === undefined)
      yaml.fault(
        at,
        `intent ${name}: name_domains: "${String(at.value)}" is no group of domains in intents.yaml; there are: ${[...(groups?.keys() ?? [])].join(', ')}`,
      );
    return values === undefined ? [] : [{ key: 'domain', values, slot: false, at }];
  }

  /** hassil's `required_keywords`: a sentence counts only with one of these words in it. */
  private keywords(map: YAMLMap): { keywords?: readonly string[] } {
    const { yaml } = this;
    if (!map.has('required_keywords')) return {};
    const keywords = yaml.items(map.get('required_keywords', true)).flatMap((node) => {
      const text = yaml.text(node);
      if (text === undefined) return [];
      const words = readingsOf(text, { own: yaml.own });
      const [ways = [], ...more] = words;
      if (more.length > 0 || ways.some((way) => way.length !== 1))
        yaml.fault(node, `required_keywords: "${text}", expected single words`);
      return ways.flatMap((way) => way.map(({ word }) => word));
    });
    return { keywords };
  }
}

/** Slots that a sentence has whatever is said in it. */
function withFixedSlots(tree: Tree, fixed: readonly (readonly [string, SlotValue])[]): Tree {
  return fixed.reduce<Tree>(
    (item, [slot, value]) => ({ kind: 'slot', slot, value, fixed: true, item }),
    tree,
  );
}
