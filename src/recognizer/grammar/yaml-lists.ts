import { isMap, isScalar, type Node, type YAMLMap } from 'yaml';
import { decimalsMax, decimalsOf } from './number-range.js';
import { numberMax } from './numbers.js';
import {
  digitList,
  ordinalList,
  rangeList,
  timeList,
  type RangeUnit,
  type SpokenList,
} from './spoken-lists.js';
import { parseClock } from './times.js';
import type { ListValue } from './tree.js';
import { unitWays } from './units.js';
import type { YamlNodes } from './yaml-reader.js';

/** A code of more digits is no command. */
const digitsMax = 16;
const ordinalMax = 10_000;

const kinds = ['values', 'range', 'digits', 'ordinal', 'time'] as const;
const rangeKeys = [
  'from',
  'to',
  'step',
  'multiplier',
  'unit',
  'units',
  'pairs',
  'fractions',
  'type',
];

/** A list of a grammar: written values, or numbers, digits, ordinals or times that are built, not listed. */
export function readList(yaml: YamlNodes, name: string, node: unknown): ListValue[] {
  if (!isMap(node)) {
    yaml.fault(node, `list ${name}: expected ${kinds.map((k) => `"${k}:"`).join(', ')}`);
    return [];
  }
  if (node.has('wildcard')) {
    yaml.fault(
      node,
      `list ${name}: a wildcard means any words; this recogniser hears only what is written: give values`,
    );
    return [];
  }
  yaml.known(node, [...kinds, 'metadata']);
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
      return spoken(range(yaml, name, inner));
    case 'digits':
      return spoken(digits(yaml, name, inner));
    case 'ordinal':
      return spoken(ordinal(yaml, name, inner));
    case 'time':
      return spoken(time(yaml, name, inner));
  }
}

function spoken(list: SpokenList | null): ListValue[] {
  if (list === null) return [];
  return [{ spoken: { kind: 'phrases', build: list.build }, read: list.read }];
}

function writtenValues(yaml: YamlNodes, name: string, list: YAMLMap, node: unknown): ListValue[] {
  const values = yaml.items(node).map((value): ListValue => {
    if (!isMap(value)) return { spoken: yaml.template(value), ...plainValue(value) };
    yaml.known(value, ['in', 'out', 'context', 'metadata']);
    const text = value.get('in', true);
    const context: unknown = value.get('context', true);
    return {
      spoken: yaml.template(text),
      ...(value.has('out') ? { value: yaml.scalar(value.get('out', true)) } : plainValue(text)),
      ...(isMap(context) ? { context: context.toJSON() as Record<string, unknown> } : {}),
    };
  });
  if (values.length === 0) yaml.fault(list, `list ${name}: no values`);
  return values;
}

/** A value without template characters is given as it is written: "PLC 12" and not "plc twelve". */
function plainValue(node: unknown): { value?: string | number } {
  if (!isScalar(node)) return {};
  // A number only where it is written as one would be printed: "007" and "2.50" stay as they are.
  if (typeof node.value === 'number')
    return { value: String(node.value) === node.source ? node.value : (node.source ?? node.value) };
  return typeof node.value === 'string' && !/[()[\]{}<>|;\\]/.test(node.value)
    ? { value: node.value.trim() }
    : {};
}

function range(yaml: YamlNodes, name: string, node: unknown): SpokenList | null {
  const what = `list ${name}`;
  if (!isMap(node)) {
    yaml.fault(node, `${what}: expected "range:" with from and to`);
    return null;
  }
  yaml.known(node, rangeKeys);
  const fractions: unknown = node.get('fractions');
  if (fractions !== undefined && fractions !== 'halves' && fractions !== 'tenths')
    yaml.fault(node.get('fractions', true), `${what}: fractions: expected halves or tenths`);
  const from = yaml.number(node, 'from', NaN, what);
  const to = yaml.number(node, 'to', NaN, what);
  const step = yaml.number(
    node,
    'step',
    fractions === 'halves' ? 0.5 : fractions === 'tenths' ? 0.1 : 1,
    what,
  );
  const faults = yaml.faults.length;
  if (!(from <= to) || !(step > 0))
    yaml.fault(node, `${what}: expected from <= to and a step above 0`);
  else if (Math.max(Math.abs(from), Math.abs(to)) > numberMax)
    yaml.fault(
      node,
      `${what}: from ${from} to ${to}, expected numbers up to ${numberMax.toLocaleString('en')}; longer ones are digits`,
    );
  if (Math.max(...[from, to, step].map(decimalsOf)) > decimalsMax)
    yaml.fault(node, `${what}: more than ${decimalsMax} digits after the point`);
  if (yaml.faults.length > faults) return null;
  return rangeList({
    from,
    to,
    step,
    multiplier: yaml.number(node, 'multiplier', 1, what),
    pairs: node.get('pairs') === true,
    units: unitsOf(yaml, node, what),
  });
}

function unitsOf(yaml: YamlNodes, node: YAMLMap, what: string): RangeUnit[] {
  const ways = (text: string) => unitWays(text) ?? [text.toLowerCase()];
  const own = (text: string, at: unknown) => {
    if (unitWays(text) === undefined && !/^[a-z' ]+$/i.test(text))
      yaml.fault(
        at,
        `${what}: "${text}" is no unit, expected a symbol such as mm, kg, °C, or words`,
      );
    return ways(text);
  };
  if (node.has('unit')) {
    const text = String(yaml.scalar(node.get('unit', true)));
    return [{ ways: own(text, node.get('unit', true)), worth: 1 }];
  }
  return yaml.entries(node.get('units', true), `${what}: units`).map(([text, worth]) => {
    const value = isScalar(worth) && typeof worth.value === 'number' ? worth.value : NaN;
    if (!(value > 0))
      yaml.fault(worth, `${what}: units: expected what one "${text}" is worth, such as 10`);
    return { ways: own(text, worth), worth: value };
  });
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
