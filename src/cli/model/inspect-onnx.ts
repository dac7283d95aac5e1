import { open, readFile } from 'node:fs/promises';
import onnxProto from 'onnx-proto';
import type { onnx as Onnx } from 'onnx-proto';
import { fileFault, KikitoriError } from '../../runtime/errors.js';
import { jsonLine, type Io } from '../shared/command.js';

const { ModelProto, TensorProto } = onnxProto.onnx;

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

/** What an ONNX file has at its top level; it is no bundle, and may become part of one. */
export async function inspectOnnx(path: string, json: boolean, io: Io): Promise<void> {
  const model = await read(path);
  const graph = model.graph ?? {};
  const constants = new Set((graph.initializer ?? []).map(({ name }) => name));
  const nodes: Record<string, number> = {};
  for (const { opType, domain } of graph.node ?? []) {
    const type = `${domain ? `${domain}.` : ''}${opType ?? '?'}`;
    nodes[type] = (nodes[type] ?? 0) + 1;
  }
  const about = {
    path,
    kind: 'onnx',
    producer: `${model.producerName ?? ''} ${model.producerVersion ?? ''}`.trim(),
    irVersion: Number(model.irVersion ?? 0),
    opset: (model.opsetImport ?? []).map(
      ({ domain, version }) => `${domain ? domain : 'ai.onnx'} ${Number(version)}`,
    ),
    inputs: (graph.input ?? []).filter((i) => !constants.has(i.name)).map(valueText),
    outputs: (graph.output ?? []).map(valueText),
    nodes: Object.fromEntries(Object.entries(nodes).sort(([, a], [, b]) => b - a)),
    constants: constants.size,
  };
  if (json) return jsonLine(io, about);
  const counted = Object.entries(about.nodes).map(([type, count]) => `${count} ${type}`);
  io.stdout.write(
    [
      `${path}: an ONNX file, not a bundle`,
      `  producer    ${about.producer === '' ? 'not said' : about.producer}, IR ${about.irVersion}`,
      `  opset       ${about.opset.join(', ')}`,
      `  inputs      ${about.inputs.join('; ')}`,
      `  outputs     ${about.outputs.join('; ')}`,
      `  nodes       ${counted.join(', ')}`,
      `  constants   ${about.constants}`,
      '',
    ].join('\n'),
  );
}

async function read(path: string): Promise<Onnx.IModelProto> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    throw new KikitoriError(fileFault(error), { kind: 'input', where: path });
  }
  try {
    const model = ModelProto.decode(bytes);
    if ((model.graph?.node ?? []).length > 0) return model;
  } catch {
    // Said below.
  }
  throw new KikitoriError('this is no ONNX file, or a damaged one', {
    kind: 'input',
    where: path,
    expected: 'an ONNX file, a bundle (a folder or a .tar of one) or a .safetensors',
  });
}

/** features: FLOAT [1, time, 320] */
function valueText({ name, type }: Onnx.IValueInfoProto): string {
  const tensor = type?.tensorType;
  const element = TensorProto.DataType[tensor?.elemType ?? 0] ?? '?';
  const shape = (tensor?.shape?.dim ?? []).map(
    (d) => d.dimParam || String(Number(d.dimValue ?? 0)),
  );
  return `${name ?? '?'}: ${element} [${shape.join(', ')}]`;
}
