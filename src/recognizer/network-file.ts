import { KikitoriError } from '../runtime/errors.js';
import { Message, varints } from './protobuf.js';

/**
 * What a network may be made of: all that `model compress`, `quantize` and `pack` write. Nothing else reaches
 * ONNX Runtime, so a bundle, whoever signed it, can neither loop without end (a Scan ends with its
 * input), nor branch, nor name files, nor ask for code that is not the runtime's.
 */
const operators: ReadonlySet<string> = new Set([
  ...['Add', 'Cast', 'DequantizeLinear', 'Identity', 'LSTM', 'MatMul', 'Mul', 'QLinearMatMul'],
  ...['QuantizeLinear', 'Scan', 'Sigmoid', 'Split', 'Squeeze', 'Tanh', 'Unsqueeze'],
  'com.microsoft.MatMulIntegerToFloat',
]);
/** A loop in a loop is more than we write. */
const depthMax = 3;
/** Values that one byte of the file may stand for: four bits are the narrowest. */
const valuesPerByte = 2;

/**
 * Fields that are looked into (onnx.proto of ONNX 1.17), by kind of message. A field not named here is
 * passed over: it can only add descriptions, or what `forbidden` names.
 */
const inside: Readonly<Record<string, Readonly<Record<number, string>>>> = {
  model: { 7: 'graph' },
  graph: { 1: 'node', 5: 'tensor' },
  node: { 5: 'attribute' },
  attribute: { 5: 'tensor', 6: 'graph', 10: 'tensor', 11: 'graph' },
  tensor: {},
};
/** Parts that a message has once. A second one would be joined to the first: what was checked apart is another whole. */
const once: Readonly<Record<string, ReadonlySet<number>>> = {
  model: new Set([7]),
  attribute: new Set([5, 6]),
};
const forbidden: Readonly<Record<string, Readonly<Record<number, string>>>> = {
  model: { 25: 'functions of its own' },
  graph: { 15: 'sparse constants' },
  node: {},
  attribute: { 22: 'sparse constants', 23: 'sparse constants' },
  tensor: { 13: 'constants in files beside it' },
};

/** Refuses a network's file before ONNX Runtime reads it; `where` is the bundle. */
export function checkNetworkFile(bytes: Uint8Array, where: string): void {
  // ONNX Runtime's own format, which it knows by these letters, is not looked into here.
  const other = Buffer.from(bytes.subarray(4, 8)).toString('latin1') === 'ORTM';
  const fault = other
    ? 'it is no ONNX file'
    : faultOf(new Message(bytes), 'model', 0, bytes.length);
  if (fault === null) return;
  throw new KikitoriError(`model.onnx does not load: ${fault}`, {
    kind: 'bundle',
    where,
    expected: 'a network that kikitori wrote',
  });
}

function faultOf(message: Message, kind: string, depth: number, size: number): string | null {
  const node = { op: '', domain: '' };
  const tensor = { values: 1 };
  const seen = new Set<number>();
  for (let field = message.next(); field !== null; field = message.next()) {
    if (field === 'damaged') return 'it is no whole ONNX file';
    const { number, value } = field;
    const what = forbidden[kind]?.[number];
    if (what !== undefined) return `it has ${what}`;
    // The runtime passes it over, and so must the product of the sizes of a tensor.
    if (value === null) continue;
    const within = inside[kind]?.[number];
    if (within !== undefined) {
      if (typeof value === 'number') return 'it is no whole ONNX file';
      if (once[kind]?.has(number) === true && seen.has(number))
        return 'a part that there is once is there twice';
      seen.add(number);
      const below = depth + (within === 'graph' ? 1 : 0);
      if (below > depthMax) return 'its loops are nested too deep';
      const fault = faultOf(new Message(value), within, below, size);
      if (fault !== null) return fault;
    }
    if (kind === 'node' && typeof value !== 'number') {
      if (number === 4) node.op = Buffer.from(value).toString('utf8');
      if (number === 7) node.domain = Buffer.from(value).toString('utf8');
    }
    if (kind === 'tensor' && number === 14 && value !== 0)
      return 'it has constants in files beside it';
    if (kind === 'tensor' && number === 1)
      for (const n of typeof value === 'number' ? [value] : varints(value)) tensor.values *= n;
  }
  if (!(tensor.values <= size * valuesPerByte)) return 'it has a constant larger than itself';
  const { op, domain } = node;
  const name = domain === '' || domain === 'ai.onnx' ? op : `${domain}.${op}`;
  return kind !== 'node' || operators.has(name)
    ? null
    : `the operator ${JSON.stringify(name.slice(0, 80))} is not allowed`;
}
