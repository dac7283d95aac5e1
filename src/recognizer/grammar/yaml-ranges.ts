import { isMap, isScalar, type YAMLMap } from 'yaml';
import { faultOf, spokenAs } from './inline-range.js';
import { decimalsMax } from './number-range.js';
import { rangeList, type RangeUnit } from './spoken-lists.js';
import type { ListValue } from './tree.js';
import { unitWays } from './units.js';
import type { YamlNodes } from './yaml-reader.js';

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
  'digits',
  'words',
  'words_language',
];
const types = ['number', 'percentage', 'temperature'];
const fractionsOf = new Map([
  ['halves', 0.5],
  ['tenths', 0.1],
]);

/** `range:` of a list. */
export function rangeValues(yaml: YamlNodes, name: string, node: unknown): ListValue[] {
  const what = `list ${name}`;
  if (!isMap(node)) {
    yaml.fault(node, `${what}: expected "range:" with from and to`);
    return [];
  }
  yaml.known(node, rangeKeys);
  const before = yaml.faults.length;
  sayings(yaml, node, what);
  const fraction = fractions(yaml, node, what);
  const from = yaml.number(node, 'from', NaN, what);
  const to = yaml.number(node, 'to', NaN, what);
  const step = yaml.number(node, 'step', fraction ?? 1, what);
  const wrong = faultOf(from, to, step);
  if (wrong !== undefined && yaml.faults.length === before) yaml.fault(node, `${what}: ${wrong}`);
  const units = unitsOf(yaml, node, what);
  const multiplier = yaml.number(node, 'multiplier', 1, what);
  if (yaml.faults.length > before) return [];
  // hassil: each number of whole steps, and the fractions after it.
  const offsets =
    fraction === undefined || step <= fraction
      ? [0]
      : Array.from({ length: Math.round(1 / fraction) }, (_, i) => i * fraction);
  return offsets
    .map((offset) => Number((from + offset).toFixed(decimalsMax)))
    .filter((begin) => begin <= to)
    .map((begin) =>
      spokenAs(
        rangeList({
          from: begin,
          to,
          step,
          multiplier,
          pairs: node.get('pairs') === true,
          units,
        }),
        '7',
      ),
    );
}

/** hassil's `type`, `digits` and `words` change what is written, not what is said; they are only looked at. */
function sayings(yaml: YamlNodes, node: YAMLMap, what: string): void {
  const type: unknown = node.get('type');
  if (type !== undefined && !types.some((known) => known === type))
    yaml.fault(node.get('type', true), `${what}: type: expected ${types.join(', ')}`);
  for (const key of ['digits', 'words']) {
    const value: unknown = node.get(key);
    if (value !== undefined && typeof value !== 'boolean')
      yaml.fault(node.get(key, true), `${what}: ${key}: expected true or false`);
  }
  if (node.get('digits') === false && node.get('words') === false)
    yaml.fault(node, `${what}: digits and words are both false: no number is left`);
  const language: unknown = node.get('words_language');
  if (language !== undefined) yaml.language(node.get('words_language', true), 'words_language');
}

function fractions(yaml: YamlNodes, node: YAMLMap, what: string): number | undefined {
  const name: unknown = node.get('fractions');
  if (name === undefined || name === null) return undefined;
  const fraction = typeof name === 'string' ? fractionsOf.get(name) : undefined;
  if (fraction === undefined)
    yaml.fault(node.get('fractions', true), `${what}: fractions: expected halves or tenths`);
  return fraction;
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
