import type { SlotValue } from '../../records.js';
import type { GrammarDetails } from '../../recognizer/index.js';
import { KikitoriError, messageOf } from '../../runtime/errors.js';

/** What a clip should yield. `intent: null` means: no command, nothing may be accepted. */
export interface Label {
  readonly file: string;
  /** undefined when only the text is known; the grammar then says what it means. */
  readonly intent?: string | null;
  readonly slots?: Readonly<Record<string, SlotValue>>;
  readonly text?: string;
}

/**
 * Labels of a set of clips. JSON: {"clip.wav": {"intent", "slots", "text"?} | null | "text"}; TSV: a
 * header line naming at least `file`, and `text` (empty: no command) or `intent` and slots as JSON.
 */
export function parseLabels(source: string, where: string): Label[] {
  return where.endsWith('.tsv') ? parseTsv(source, where) : parseJson(source, where);
}

function parseJson(source: string, where: string): Label[] {
  let value: unknown;
  try {
    value = JSON.parse(source);
  } catch (error) {
    throw new KikitoriError(`not JSON: ${messageOf(error)}`, { kind: 'input', where });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new KikitoriError('wrong shape', {
      kind: 'input',
      where,
      expected: 'an object {"clip.wav": {"intent": ..., "slots": {...}}}',
    });
  }
  const faults: string[] = [];
  const labels: Label[] = [];
  for (const [file, entry] of Object.entries(value as Record<string, unknown>)) {
    const label = labelOf(file, entry);
    if (label === undefined) faults.push(`"${file}"`);
    else labels.push(label);
  }
  if (faults.length > 0) {
    throw new KikitoriError(
      `${faults.length} entries have the wrong shape: ${faults.slice(0, 10).join(', ')}`,
      {
        kind: 'input',
        where,
        expected: '{"intent": string or null, "slots": object}, a sentence, or null for no command',
      },
    );
  }
  return labels;
}

function labelOf(file: string, entry: unknown): Label | undefined {
  if (file === '') return undefined;
  if (entry === null) return { file, intent: null };
  if (typeof entry === 'string') return { file, text: entry };
  if (typeof entry !== 'object') return undefined;
  const { intent, slots, text } = entry as Record<string, unknown>;
  if (intent !== null && intent !== undefined && typeof intent !== 'string') return undefined;
  if (text !== undefined && typeof text !== 'string') return undefined;
  if (slots !== undefined && (typeof slots !== 'object' || slots === null)) return undefined;
  return {
    file,
    ...(intent === undefined ? {} : { intent }),
    slots: (slots ?? {}) as Record<string, SlotValue>,
    ...(text === undefined ? {} : { text }),
  };
}

function parseTsv(source: string, where: string): Label[] {
  const lines = source.split(/\r?\n/).filter((line) => line !== '');
  const header = (lines[0] ?? '').split('\t');
  const column = (name: string) => header.indexOf(name);
  const fileAt = column('file');
  const textAt = column('text');
  if (fileAt < 0 || textAt < 0) {
    throw new KikitoriError(`the header is "${lines[0] ?? ''}"`, {
      kind: 'input',
      where: `${where}:1`,
      expected: 'tab-separated columns with at least "file" and "text"',
    });
  }
  return lines.slice(1).map((line, i) => {
    const cells = line.split('\t');
    const text = (cells[textAt] ?? '').trim();
    const file = cells[fileAt] ?? '';
    if (file === '')
      throw new KikitoriError(
        `label ${i + 1} names no file: ${JSON.stringify(line.slice(0, 60))}`,
        {
          kind: 'input',
          where,
          expected: 'a file name in the column "file"',
        },
      );
    return text === '' ? { file, intent: null } : { file, text };
  });
}

/**
 * What a label means under a grammar: its own intent, else the meaning of its text. Undefined: the text is no sentence of
 * the grammar, and only its words can be compared.
 */
export function labelMeaning(
  label: Label,
  grammar: GrammarDetails,
): { intent: string; slots: Readonly<Record<string, SlotValue>> } | null | undefined {
  if (label.intent === null) return null;
  if (label.intent !== undefined) return { intent: label.intent, slots: label.slots ?? {} };
  return grammar.understand(label.text ?? '') ?? undefined;
}
