import onnxProto from 'onnx-proto';
import { buildGraph } from '../../../src/compress/graph/build.js';
import { checkNetworkFile } from '../../../src/recognizer/network-file.js';
import { randomNetwork } from '../../sim/random-network.js';
import { mutateProtobuf } from '../engine/mutate-protobuf.js';
import { must, type Target } from '../engine/target.js';

const { onnx } = onnxProto;
const size = { layers: [2], inputs: 2, outputs: 2 };

/** Beside it a slow reading of the file as protobuf's own parser reads it: parts of one message are joined first. */
export const target: Omit<Target, 'name'> = {
  right:
    'what passes holds, as protobuf reads it, no operator, file, function or size that is not allowed',
  covers: ['src/recognizer/network-file.ts'],
  bytesMax: 8192,
  where: 'bundle.tar',
  words: ['ORTM', 'If', 'Loop', 'Scan', 'com.microsoft', 'ai.onnx', '../weights.bin', 'location'],
  seeds: () => [
    buildGraph(randomNetwork(size), 'float32').onnx,
    buildGraph(randomNetwork({ ...size, ranks: [1], inputRank: 1 }), 'float32').onnx,
    buildGraph(randomNetwork({ ...size, ranks: [1] }), 'float16').onnx,
    outside(),
  ],
  mutate: mutateProtobuf,
  run: (input) => {
    checkNetworkFile(input, 'bundle.tar');
    const model = fieldsOf(input);
    // The runtime refuses it too.
    if (model === undefined) return;
    must(of(model, 25).length === 0, 'functions of its own');
    checkGraph(joined(model, 7), input.length, 0);
  },
};

interface Field {
  readonly number: number;
  readonly wire: number;
  readonly value: bigint;
  readonly body: Buffer;
}

/** As protobuf's C++ reads it: of a tag the lowest 32 bits, of a number the lowest 64. */
function fieldsOf(bytes: Buffer): Field[] | undefined {
  const found: Field[] = [];
  let at = 0;
  const varint = (most: number): bigint | undefined => {
    for (let i = 0, value = 0n; i < most; i++) {
      const byte = bytes[at++];
      if (byte === undefined) return undefined;
      value |= BigInt(byte & 127) << BigInt(7 * i);
      if (byte < 128) return BigInt.asUintN(64, value);
    }
    return undefined;
  };
  while (at < bytes.length) {
    const tag = varint(5);
    if (tag === undefined) return undefined;
    const number = Number(BigInt.asUintN(32, tag) >> 3n);
    const wire = Number(tag & 7n);
    const value = wire === 0 || wire === 2 ? varint(10) : 0n;
    const length = { 0: 0, 1: 8, 2: Number(value ?? 0), 5: 4 }[wire];
    if (number === 0 || value === undefined || length === undefined) return undefined;
    if (at + length > bytes.length) return undefined;
    found.push({ number, wire, value, body: bytes.subarray(at, at + length) });
    at += length;
  }
  return found;
}

/** Those of a kind; with another wire type than declared protobuf passes them over. */
const of = (fields: readonly Field[], number: number, wire = 2) =>
  fields.filter((f) => f.number === number && f.wire === wire);
const inside = (fields: readonly Field[], number: number) =>
  of(fields, number).map(({ body }) => fieldsOf(body) ?? []);
/** A part that there is once: several are one after the other. */
const joined = (fields: readonly Field[], number: number) =>
  fieldsOf(Buffer.concat(of(fields, number).map(({ body }) => body))) ?? [];
const last = (fields: readonly Field[], number: number) =>
  of(fields, number).at(-1)?.body.toString() ?? '';

const allowed = new Set(
  'Add Cast DequantizeLinear Identity LSTM MatMul Mul QLinearMatMul QuantizeLinear Scan Sigmoid Split Squeeze Tanh Unsqueeze'.split(
    ' ',
  ),
);

function checkGraph(graph: readonly Field[], bytes: number, depth: number): void {
  must(depth <= 3, 'a loop in a loop in a loop in a loop');
  must(of(graph, 15).length === 0, 'sparse constants');
  for (const tensor of inside(graph, 5)) checkTensor(tensor, bytes);
  for (const node of inside(graph, 1)) {
    const [op, domain] = [last(node, 4), last(node, 7)];
    const theirs = domain === 'com.microsoft' && op === 'MatMulIntegerToFloat';
    const plain = ['', 'ai.onnx'].includes(domain) && allowed.has(op);
    must(theirs || plain, 'an operator that is not allowed');
    for (const a of inside(node, 5)) {
      must(of(a, 22).length === 0 && of(a, 23).length === 0, 'sparse constants');
      for (const tensor of [joined(a, 5), ...inside(a, 10)]) checkTensor(tensor, bytes);
      for (const body of [joined(a, 6), ...inside(a, 11)]) checkGraph(body, bytes, depth + 1);
    }
  }
}

function checkTensor(tensor: readonly Field[], bytes: number): void {
  must(of(tensor, 13).length === 0, 'constants in files beside it');
  const place = of(tensor, 14, 0).at(-1)?.value ?? 0n;
  must(BigInt.asIntN(32, place) === 0n, 'constants in files beside it, by their place');
  const packed = of(tensor, 1).flatMap(({ body }) => fieldsOfVarints(body));
  const dims = [...of(tensor, 1, 0).map(({ value }) => value), ...packed];
  const values = dims.reduce((product, d) => product * d, 1n);
  must(values <= BigInt(2 * bytes), 'a constant that is larger than the file');
}

function fieldsOfVarints(bytes: Buffer): bigint[] {
  const found: bigint[] = [];
  for (let at = 0; at < bytes.length;) {
    let value = 0n;
    for (let i = 0n; ; i++) {
      const byte = bytes[at++];
      if (byte === undefined) return found;
      value |= BigInt(byte & 127) << (7n * i);
      if (byte < 128) break;
    }
    found.push(BigInt.asUintN(64, value));
  }
  return found;
}

/** What a check that looks away would let through. */
function outside(): Uint8Array {
  const tensor = { name: 'w', dims: [2], dataType: 1, dataLocation: 1 };
  const externalData = [{ key: 'location', value: '../../etc/passwd' }];
  const inner = { name: 'i', node: [{ opType: 'Add', input: ['a'], output: ['b'] }] };
  const node = [
    {
      opType: 'Identity',
      attribute: [{ name: 'value', type: 4, t: { ...tensor, dataLocation: 0 } }],
    },
    { opType: 'Scan', attribute: [{ name: 'body', type: 5, g: inner }] },
  ];
  return onnx.ModelProto.encode({
    irVersion: 8,
    graph: { name: 'g', node, initializer: [{ ...tensor, externalData }] },
  }).finish();
}
