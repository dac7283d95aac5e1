import { isMap } from 'yaml';
import { byLayout, Declarations, isHomeAssistant, partOf } from './home-assistant.js';
import { withoutLost } from './left-out.js';
import type { GrammarFile, GrammarFolder } from './source.js';
import { dictationList, type Fault, type Intent, type ParsedGrammar } from './tree.js';
import { readDocument } from './yaml-document.js';
import { hasSentences, YamlFile, type Surroundings } from './yaml-file.js';
import { anyWords } from './yaml-lists.js';
import { YamlNodes } from './yaml-reader.js';
import { TopScope } from './yaml-scope.js';

interface Parsed {
  readonly grammar: ParsedGrammar;
  readonly faults: Fault[];
}

/**
 * Sentences in Home Assistant's format (hassil), of one file or of all files of a folder. Every fault found, with its
 * place. `own` are a site's own words, which are read as they stand.
 */
export function parseYamlGrammar(
  source: string | GrammarFolder,
  own: ReadonlySet<string> = new Set(),
  openSlots = false,
): Parsed {
  if (typeof source === 'string') {
    const yaml = new YamlNodes(own, undefined, openSlots);
    const root = readDocument(source, yaml);
    const unread = { grammar: { intents: [], skipWords: [], warnings: yaml.warnings } };
    if (yaml.faults.length > 0) return { ...unread, faults: yaml.faults };
    if (!isMap(root)) {
      yaml.fault(root, 'this is no file of sentences, expected "intents:" with sentences');
      return { ...unread, faults: yaml.faults };
    }
    return merged([new YamlFile(yaml, root)], [yaml]);
  }
  const read = (file: GrammarFile) => reader(file, own, openSlots);
  return isHomeAssistant(source) ? homeAssistant(source, read) : plainFolder(source, read);
}

type Read = (file: GrammarFile) => ReturnType<typeof reader>;

function plainFolder({ files }: GrammarFolder, read: Read): Parsed {
  const readers = files.map(read);
  return merged(
    readers.flatMap(({ yaml, root }) => (root === null ? [] : [new YamlFile(yaml, root)])),
    readers.map(({ yaml }) => yaml),
  );
}

/** Home Assistant's own sentences, with what a site has written beside them. */
function homeAssistant({ files }: GrammarFolder, read: Read): Parsed {
  const readers = files.map((file) => ({ ...read(file), path: file.path }));
  const declared = new Declarations();
  for (const { yaml, root, path } of readers)
    if (path === 'intents.yaml' && root !== null) declared.read(yaml, root);
  const ordered = readers
    .filter(({ path }) => path !== 'intents.yaml')
    .sort((a, b) => byLayout(declared, a.path, b.path));
  const kept = ordered.flatMap(({ yaml, root, path }) => {
    if (root === null) return [];
    const part = partOf(path);
    if (part === undefined && !hasSentences(root)) {
      yaml.warn(root, 'this file is left out: there are no sentences, lists or rules in it');
      return [];
    }
    const combination = part === undefined ? undefined : declared.combination(part);
    return [
      new YamlFile(yaml, root, {
        ...(part === undefined ? {} : { intent: part.intent }),
        ...(combination === undefined ? {} : { combination }),
        ...(path.startsWith('sentences/') ? {} : { own: true }),
      }),
    ];
  });
  const { grammar, faults } = merged(
    kept,
    readers.map(({ yaml }) => yaml),
  );
  return { grammar: { ...grammar, order: 'home assistant' }, faults };
}

function reader({ name, text }: GrammarFile, own: ReadonlySet<string>, openSlots: boolean) {
  const yaml = new YamlNodes(own, name, openSlots);
  const root = readDocument(text, yaml);
  // Comments alone are an empty file, which says nothing.
  if (root !== null && !isMap(root))
    yaml.fault(root, 'this is no file of sentences, expected "intents:", "lists:" or such');
  return { yaml, root: isMap(root) ? root : null };
}

/** All files as one grammar: lists and rules of each are seen by all, sentences of one intent stand together. */
function merged(files: readonly YamlFile[], readers: readonly YamlNodes[]): Parsed {
  const shared = new TopScope();
  for (const file of files) shared.add(file.yaml, file.root);
  const [{ yaml: open, root } = {}] = files.filter((file) => file.yaml.openSlots);
  if (open !== undefined) shared.standard(dictationList, [anyWords(open.place(root))]);
  const { scope } = shared;
  const around: Surroundings = {
    scope,
    context: new Map(files.flatMap((file) => file.context())),
    lean: files.some((file) => file.lean()),
  };
  const intents = new Map<string, Intent>();
  for (const file of files)
    for (const found of file.intents(around)) {
      const known = intents.get(found.intent.name);
      intents.set(found.intent.name, known === undefined ? found.intent : both(known, found, file));
    }
  const skipWords = files.flatMap((file) => file.skipWords(scope));
  const faults = readers.flatMap((yaml) => yaml.faults);
  const [first] = files;
  if (intents.size === 0 && faults.length === 0)
    (first?.yaml ?? new YamlNodes(new Set())).fault(
      first?.root,
      'there are no intents, expected "intents:" with sentences',
    );
  const grammar = {
    intents: [...intents.values()],
    skipWords,
    warnings: readers.flatMap((yaml) => yaml.warnings),
  };
  return {
    grammar: withoutLost(grammar),
    faults: readers.flatMap((yaml) => yaml.faults),
  };
}

/** An intent of which another file has more. */
function both(
  known: Intent,
  { intent, node }: { intent: Intent; node: unknown },
  { yaml }: YamlFile,
) {
  for (const key of ['minConfidence', 'confirm'] as const) {
    const [before, here] = [known[key], intent[key]];
    if (before !== undefined && here !== undefined && before !== here)
      yaml.fault(
        isMap(node) ? node.get(key, true) : node,
        `intent ${intent.name}: ${key} is ${String(here)} here and ${String(before)} in another file`,
      );
  }
  return { ...known, ...intent, sentences: [...known.sentences, ...intent.sentences] };
}
