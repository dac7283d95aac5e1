import { isMap, isScalar, isSeq, LineCounter, type Node, type YAMLMap } from 'yaml';
import type { SlotValue } from '../../records.js';
import { inlineRange } from './inline-range.js';
import { parseTemplate, plainTemplate, TemplateError } from './template.js';
import { nothing, type Fault, type Place, type Tree } from './tree.js';

/** Reads nodes of a YAML document; what is wrong is noted with line and column, and reading goes on. */
export class YamlNodes {
  readonly faults: Fault[] = [];
  readonly warnings: Fault[] = [];
  readonly lines = new LineCounter();

  constructor(
    readonly own: ReadonlySet<string>,
    /** As it is named in faults; undefined for a grammar of one file. */
    private readonly file?: string,
    /** Whether there is a language model, so that any words can be heard. */
    readonly openSlots = false,
  ) {}

  place(node: unknown, offset = 0): Place {
    const range = (node as Node | null | undefined)?.range;
    const { line, col } = this.lines.linePos((range?.[0] ?? 0) + offset);
    return { line, column: col, ...(this.file === undefined ? {} : { file: this.file }) };
  }

  fault(node: unknown, message: string, offset = 0): void {
    this.faults.push({ ...this.place(node, offset), message });
  }

  warn(node: unknown, message: string): void {
    this.warnings.push({ ...this.place(node), message });
  }

  /** The words, numbers and sounds of this recogniser are English. */
  language(node: unknown, what: string): void {
    const language = isScalar(node) ? node.value : undefined;
    if (typeof language !== 'string') this.fault(node, `${what}: expected a language such as en`);
    else if (!/^en([-_]|$)/i.test(language))
      this.warn(
        node,
        `${what} is "${language}", but this recogniser speaks English (en): words are sounded and numbers read as English ones`,
      );
  }

  /** Other keys than these are faults; `others` are read over without being named. */
  known(map: YAMLMap, keys: readonly string[], others: readonly string[] | RegExp = []): void {
    for (const { key } of map.items) {
      const name = isScalar(key) ? String(key.value) : '';
      const other = others instanceof RegExp ? others.test(name) : others.includes(name);
      if (!keys.includes(name) && !other)
        this.fault(key, `unknown key "${name}", expected one of ${keys.join(', ')}`);
    }
  }

  entries(node: unknown, what: string): [string, Node][] {
    if (node === undefined || node === null) return [];
    if (!isMap(node)) {
      this.fault(node, `${what}: expected names with a colon`);
      return [];
    }
    return node.items.map(({ key, value }) => [
      isScalar(key) ? String(key.value) : '',
      value as Node,
    ]);
  }

  items(node: unknown): Node[] {
    if (node === undefined || node === null) return [];
    if (isSeq(node)) return node.items as Node[];
    this.fault(node, 'expected a list ("- ..." lines)');
    return [];
  }

  scalar(node: unknown): SlotValue {
    const value = isScalar(node) ? node.value : undefined;
    // "007" is a name, not seven.
    if (isScalar(node) && typeof value === 'number' && /^[+-]?0\d/.test(node.source ?? ''))
      return node.source ?? value;
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
      return value;
    this.fault(node, 'expected a text, a number or true/false');
    return '';
  }

  /** A number under a key; `otherwise` when it is not there. */
  number(map: YAMLMap, key: string, otherwise: number, what: string): number {
    const value: unknown = map.get(key);
    if (value === undefined) return otherwise;
    if (typeof value === 'number' && Number.isFinite(value)) return value;
    this.fault(map.get(key, true), `${what}: ${key} is no number`);
    return otherwise;
  }

  template(node: unknown): Tree {
    const text = this.text(node);
    if (text === undefined) return nothing;
    const placeOf = this.placesIn(node);
    try {
      return parseTemplate(text, { placeOf, inlineRange });
    } catch (error) {
      if (!(error instanceof TemplateError)) throw error;
      this.faults.push({ ...placeOf(error.offset), message: error.message });
      return nothing;
    }
  }

  /** A value of a list: as in hassil a template only when it has brackets, with its spaces otherwise. */
  value(node: unknown): Tree {
    const text = this.text(node);
    if (text === undefined) return nothing;
    return isTemplate(text) ? this.template(node) : plainTemplate(text, this.placesIn(node));
  }

  /** A text; numbers are as they are written. */
  text(node: unknown): string | undefined {
    const value = isScalar(node) ? node.value : undefined;
    if (typeof value === 'string' && value.trim() !== '') return value;
    if (isScalar(node) && typeof value === 'number') return node.source ?? String(value);
    if (typeof value === 'string') this.fault(node, 'the sentence is empty');
    else if (isScalar(node) && (typeof value === 'boolean' || value === null))
      this.fault(
        node,
        `expected a text; YAML reads ${node.source === undefined || node.source === '' ? 'nothing' : `"${node.source}"`} here as ${value === null ? 'no value' : 'true/false'}: write it in quotes`,
      );
    else this.fault(node, 'expected a sentence');
    return undefined;
  }

  private placesIn(node: unknown): (offset: number) => Place {
    const { type } = node as { type?: string };
    // The lines of a block text are indented and may be folded: the place of the whole must do.
    if (type === 'BLOCK_FOLDED' || type === 'BLOCK_LITERAL') return () => this.place(node);
    const quote = type === 'QUOTE_DOUBLE' || type === 'QUOTE_SINGLE' ? 1 : 0;
    return (offset) => this.place(node, offset + quote);
  }
}

/** hassil's sign of a template in a list; a lone ";" is text. */
export const isTemplate = (text: string) => /[()[\]{}<>|\\]/.test(text);
