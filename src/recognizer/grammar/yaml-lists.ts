import { isMap, isScalar, isSeq, type Node, type YAMLMap } from 'yaml';
import { openWord } from './open-slot.js';
import { digitList, ordinalList, timeList, type SpokenList } from './spoken-lists.js';
import { parseClock } from './times.js';
import type { ListValue, Loss, Place } from './tree.js';
import { spokenAs } from './inline-range.js';
import { rangeValues } from './yaml-ranges.js';
import { isTemplate, type YamlNodes } from './yaml-reader.js';

/** A code of more digits is no command. */
const digitsMax = 16;
const ordinalMax = 10_000;

const kinds = ['values', 'range', 'digits', 'ordinal', 'time'] as const;

/** What a list holds; nothing, with the reason, when sentences that need it cannot be heard. */
export interface ReadList {
  readonly values: readonly ListValue[];
  readonly loss?: Loss;
  /** Any words, or values that are written out: others of the same name may add to them. */
  readonly open?: 'wildcard' | 'values';
}

export const anyWords = (at: Place): ListValue => ({
  spoken: { kind: 'word', word: openWord, at },
});

export function readList(yaml: YamlNodes, name: string, node: unknown): ReadList {
  if (isMap(node) && node.get('wildcard') === true) {
    yaml.known(node, ['wildcard', 'metadata']);
    if (yaml.openSlots) return { values: [anyWords(yaml.place(node))], open: 'wildcard' };
    const why = `{${name}} is a wildcard: any words would have to be heard, which needs a language model (recognizer.languageModelPath); with "values:" those are heard`;
    return { values: [], loss: { why, at: yaml.place(node) }, open: 'wildcard' };
  }
  const written = isMap(node) ? node.get('values', true) : undefined;
  if (isMap(node) && isSeq(written) && written.items.length === 0) {
    const why = `the list {${name}} has no values`;
    return { values: [], loss: { why, at: yaml.place(node) }, open: 'values' };
  }
  const values = listValues(yaml, name, node);
  return { values, ...(isMap(node) && node.has('values') ? { open: 'values' } : {}) };
}

/** A list of a grammar: written values, or numbers, digits, ordinals or times that are built, not listed. */
function listValues(yaml: YamlNodes, name: string, node: unknown): ListValue[] {
  if (!isMap(node)) {
    yaml.fault(node, `list ${name}: expected ${kinds.map((k) => `"${k}:"`).join(', ')}`);
    return [];
  }
  yaml.known(node, [...kinds, 'metadata', 'wildcard']);
  const [kind, ...more] = kinds.filter((k) => node.has(k));
  if (kind === undefined || more.length > 0) {
    yaml.fault(node, `list ${name}: expected one of ${kinds.map((k) => `"${k}:"`).join(', ')}`);
    return [];
  }
  const inner = node.get(kind, true);
  switch (kind) {
    case 'values':
      return writtenValues(yaml, name, node, inner);
    case 'range':
      return rangeValues(yaml, name, inner);
    case 'digits':
      return spoken(digits(yaml, name, inner), '7');
    case 'ordinal':
      return spoken(ordinal(yaml, name, inner), '7th');
    case 'time':
      return spoken(time(yaml, name, inner), '7:15');
  }
}

const spoken = (list: SpokenList | null, like: string) =>
  list === null ? [] : [spokenAs(list, like)];

function writtenValues(yaml: YamlNodes, name: string, list: YAMLMap, node: unknown): ListValue[] {
  const values = yaml.items(node).map((value): ListValue => {
    if (!isMap(value)) return { spoken: yaml.value(value), ...plainValue(value) };
    yaml.known(value, ['in', 'out', 'context', 'metadata']);
    const text = value.get('in', true);
    const context: unknown = value.get('context', true);
    return {
      spoken: yaml.value(text),
      ...(value.has('out') ? { value: yaml.scalar(value.get('out', true)) } : plainValue(text)),
      ...(isMap(context) ? { context: context.toJSON() as Record<string, unknown> } : {}),
    };
  });
  if (values.length === 0) yaml.fault(list, `list ${name}: no values`);
  return values;
}

/** A value without template characters is given as it is written: "PLC 12" and not "plc twelve", "007" and not 7. */
function plainValue(node: unknown): { value?: string | number } {
  if (!isScalar(node)) return {};
  const { value, source } = node;
  if (typeof value === 'number')
    return { value: source === undefined || String(value) === source ? value : source };
  return typeof value === 'string' && !isTemplate(value) ? { value: value.trim() } : {};
}

/** `digits: 4` or `digits: {min: 2, max: 6}`. */
function digits(yaml: YamlNodes, name: string, node: unknown): SpokenList | null {
  const fixed = isScalar(node) && typeof node.value === 'number' ? node.value : NaN;
  const map = isMap(node) ? node : null;
  if (map !== null) yaml.known(map, ['min', 'max']);
  const min = map === null ? fixed : yaml.number(map, 'min', 1, `list ${name}`);
  const max = map === null ? fixed : yaml.number(map, 'max', min, `list ${name}`);
  if (!Number.isInteger(min) || !Number.isInteger(max) || min < 1 || max < min || max > digitsMax) {
    yaml.fault(
      node,
      `list ${name}: expected digits: {min, max} with 1 <= min <= max <= ${digitsMax}`,
    );
    return null;
  }
  return digitList(min, max);
}

function ordinal(yaml: YamlNodes, name: string, node: unknown): SpokenList | null {
  const map = isMap(node) ? node : null;
  if (map !== null) yaml.known(map, ['from', 'to']);
  const from = map === null ? NaN : yaml.number(map, 'from', 1, `list ${name}`);
  const to = map === null ? NaN : yaml.number(map, 'to', NaN, `list ${name}`);
  if (
    !Number.isInteger(from) ||
    !Number.isInteger(to) ||
    from < 1 ||
    to < from ||
    to > ordinalMax
  ) {
    yaml.fault(
      node,
      `list ${name}: expected ordinal: {from, to} with 1 <= from <= to <= ${ordinalMax}`,
    );
    return null;
  }
  return ordinalList(from, to);
}

/** `time: {}` or `time: {from: "06:00", to: "22:00", step: 15}`. */
function time(yaml: YamlNodes, name: string, node: unknown): SpokenList | null {
  if (!isMap(node)) {
    yaml.fault(node, `list ${name}: expected time: {from: "00:00", to: "23:59", step: 1}`);
    return null;
  }
  yaml.known(node, ['from', 'to', 'step']);
  const clock = (key: string, otherwise: number): number => {
    if (!node.has(key)) return otherwise;
    const value = node.get(key, true) as Node;
    const found = parseClock(isScalar(value) ? String(value.value) : '');
    if (found === undefined)
      yaml.fault(value, `list ${name}: ${key}: expected a time such as "06:30", in quotes`);
    return found ?? otherwise;
  };
  const spec = {
    from: clock('from', 0),
    to: clock('to', 24 * 60 - 1),
    stepMinutes: yaml.number(node, 'step', 1, `list ${name}`),
  };
  if (!Number.isInteger(spec.stepMinutes) || spec.stepMinutes < 1) {
    yaml.fault(node, `list ${name}: step: expected whole minutes`);
    return null;
  }
  return timeList(spec);
}
