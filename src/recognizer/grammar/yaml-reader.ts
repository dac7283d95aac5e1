import { isMap, isScalar, isSeq, LineCounter, type Node, type YAMLMap } from 'yaml';
import type { SlotValue } from '../../records.js';
import { parseTemplate, TemplateError } from './template.js';
import { nothing, type Fault, type Place, type Tree } from './tree.js';

/** Reads nodes of a YAML document; what is wrong is noted with line and column, and reading goes on. */
export class YamlNodes {
  readonly faults: Fault[] = [];
  readonly warnings: Fault[] = [];
  readonly lines = new LineCounter();

  constructor(readonly own: ReadonlySet<string>) {}

  place(node: unknown, offset = 0): Place {
    const range = (node as Node | null | undefined)?.range;
    const { line, col } = this.lines.linePos((range?.[0] ?? 0) + offset);
    return { line, column: col };
  }

  fault(node: unknown, message: string, offset = 0): void {
    this.faults.push({ ...this.place(node, offset), message });
  }

  warn(node: unknown, message: string): void {
    this.warnings.push({ ...this.place(node), message });
  }

  known(map: YAMLMap, keys: readonly string[]): void {
    for (const { key } of map.items) {
      const name = isScalar(key) ? String(key.value) : '';
      if (!keys.includes(name))
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
    if (!isScalar(node) || (typeof node.value !== 'string' && typeof node.value !== 'number')) {
      this.fault(node, 'expected a sentence');
      return nothing;
    }
    const text = typeof node.value === 'number' ? (node.source ?? String(node.value)) : node.value;
    if (text.trim() === '') this.fault(node, 'the sentence is empty');
    const quote = node.type === 'QUOTE_DOUBLE' || node.type === 'QUOTE_SINGLE' ? 1 : 0;
    try {
      return parseTemplate(text, {
        placeOf: (offset) => this.place(node, offset + quote),
        own: this.own,
      });
    } catch (error) {
      if (!(error instanceof TemplateError)) throw error;
      this.fault(node, error.message, error.offset + quote);
      return nothing;
    }
  }
}
