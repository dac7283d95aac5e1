import { open } from 'node:fs/promises';
import onnxProto from 'onnx-proto';
import type { onnx as Onnx } from 'onnx-proto';
import {
  ForeignModel,
  readOnnx,
  survey,
  type Survey,
  type SurveyedNode,
} from '../../compress/import/index.js';
import { jsonLine, type Io } from '../shared/command.js';

const { TensorProto } = onnxProto.onnx;

/** An ONNX file begins with its version, a small number: what no tar and no text begins with. */
export async function isOnnx(path: string): Promise<boolean> {
  try {
    const file = await open(path);
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(2), 0, 2, 0);
      return (
        bytesRead === 2 && buffer[0] === 0x08 && (buffer[1] ?? 0) >= 1 && (buffer[1] ?? 0) < 64
      );
    } finally {
      await file.close();
    }
  } catch {
    return false;
  }
}

/** What is in an ONNX file, and what of it can be compressed; it is no bundle, and may become part of one. */
export async function inspectOnnx(path: string, json: boolean, io: Io): Promise<void> {
  const foreign = ForeignModel.parse(await readOnnx(path), path);
  const { proto } = foreign;
  const graph = foreign.root.graph;
  const constants = new Set((graph.initializer ?? []).map(({ name }) => name));
  const nodes: Record<string, number> = {};
  for (const { opType, domain } of foreign.scopes.flatMap((s) => s.nodes)) {
    const type = `${domain ? `${domain}.` : ''}${opType ?? '?'}`;
    nodes[type] = (nodes[type] ?? 0) + 1;
  }
  const found = await survey(foreign);
  const about = {
    path,
    kind: 'onnx',
    producer: `${proto.producerName ?? ''} ${proto.producerVersion ?? ''}`.trim(),
    irVersion: Number(proto.irVersion ?? 0),
    opset: (proto.opsetImport ?? []).map(
      ({ domain, version }) => `${domain ? domain : 'ai.onnx'} ${Number(version)}`,
    ),
    inputs: (graph.input ?? []).filter((i) => !constants.has(i.name)).map(valueText),
    outputs: (graph.output ?? []).map(valueText),
    bodies: foreign.scopes.length - 1,
    nodes: Object.fromEntries(Object.entries(nodes).sort(([, a], [, b]) => b - a)),
    constants: constants.size,
    ...found,
  };
  if (json) return jsonLine(io, about);
  const counted = Object.entries(about.nodes).map(([type, count]) => `${count} ${type}`);
  const inside = about.bodies === 0 ? '' : `, in the main graph and ${about.bodies} bodies`;
  io.stdout.write(
    [
      `${path}: an ONNX file, not a bundle`,
      `  producer    ${about.producer === '' ? 'not said' : about.producer}, IR ${about.irVersion}`,
      `  opset       ${about.opset.join(', ')}`,
      `  inputs      ${about.inputs.join('; ')}`,
      `  outputs     ${about.outputs.join('; ')}`,
      `  nodes       ${counted.join(', ')}${inside}`,
      `  constants   ${about.constants}`,
      `  recurrent   ${recurrentText(found)}`,
      ...found.recurrent.flatMap((node) => nodeLines(node, found)),
      ...found.obstacles.map((why) => `  not taken   ${why}`),
      '',
    ].join('\n'),
  );
}

function recurrentText({ recurrent, recurrentParameters }: Survey): string {
  if (recurrent.length === 0) return 'nothing';
  const able = recurrent.filter((n) => n.compressible).length;
  return `${recurrent.length} nodes, ${recurrentParameters.toLocaleString('en')} parameters; ${able} can be compressed`;
}

function nodeLines(node: SurveyedNode, { rolled }: Survey): string[] {
  const sizes =
    node.cells === undefined
      ? ''
      : `, ${node.inputs ?? 0} inputs, ${node.cells} cells, ${(node.parameters ?? 0).toLocaleString('en')} parameters`;
  const extras = [
    ...(node.layout === 'batch first' ? ['batch first'] : []),
    ...(node.sequenceLengths ? ['sequence lengths'] : []),
  ];
  const lines = [
    `  ${node.type.padEnd(11)} "${node.name}": ${[node.direction, ...extras].join(', ')}${sizes}`,
  ];
  const more = (text: string) => lines.push(`              ${text}`);
  if (node.place !== '') more(`in ${node.place}`);
  const steps = rolled.find((r) => r.name === node.name)?.steps;
  if (steps !== undefined) more(`in the file as plain operators of ${steps} steps`);
  if (node.sameWeightsAs !== undefined) more(`the weights of "${node.sameWeightsAs}"`);
  if (node.readBy.length > 0) more(`h is read by ${node.readBy.map((n) => `"${n}"`).join(', ')}`);
  if (node.why !== undefined) more(`not compressed: ${node.why}`);
  return lines;
}

/** features: FLOAT [1, time, 320] */
function valueText({ name, type }: Onnx.IValueInfoProto): string {
  const tensor = type?.tensorType;
  const element = TensorProto.DataType[tensor?.elemType ?? 0] ?? '?';
  const shape = (tensor?.shape?.dim ?? []).map(
    // Exporters leave a free dimension empty.
    (d) => d.dimParam || String(Number(d.dimValue ?? 0) || '?'),
  );
  return `${name ?? '?'}: ${element} [${shape.join(', ')}]`;
}
