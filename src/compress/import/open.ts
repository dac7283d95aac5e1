import { open, readFile, stat } from 'node:fs/promises';
import { dirname, join, normalize, isAbsolute } from 'node:path';
import onnxProto from 'onnx-proto';
import type { onnx as Onnx } from 'onnx-proto';
import { fileFault, messageOf } from '../../runtime/errors.js';
import { encodeModel } from './layout.js';
import { bodiesOf, refused } from './proto.js';

const { onnx } = onnxProto;

/** Protocol Buffers end at 2 GiB, and so does what is made of weights in other files. */
const mostBytes = 2 ** 31 - 1;

/** The bytes of an ONNX file; weights that lie in files beside it are brought in. */
export async function readOnnx(path: string): Promise<Uint8Array> {
  let bytes: Buffer;
  try {
    const { size } = await stat(path);
    if (size > mostBytes) throw refused(path, `${size} bytes long`, 'at most 2 GiB');
    bytes = await readFile(path);
  } catch (error) {
    if (error instanceof Error && error.name === 'KikitoriError') throw error;
    throw refused(path, fileFault(error), 'an ONNX file');
  }
  let proto: Onnx.IModelProto;
  try {
    proto = onnx.ModelProto.decode(bytes);
  } catch (error) {
    throw refused(path, `this is no ONNX file, or a damaged one: ${messageOf(error)}`);
  }
  const outside = proto.graph ? outsideOf(proto.graph) : [];
  if (outside.length === 0) return bytes;
  let total = bytes.length;
  for (const tensor of outside) {
    tensor.rawData = await piece(path, tensor, mostBytes - total);
    total += tensor.rawData.length;
    tensor.externalData = [];
    tensor.dataLocation = 0;
  }
  return encodeModel(proto);
}

/** Tensors of a graph and its bodies that lie in other files. */
function outsideOf(graph: Onnx.IGraphProto): Onnx.ITensorProto[] {
  const values = (graph.node ?? []).flatMap((node) => [
    ...(node.attribute ?? []).flatMap((a) => [...(a.t ? [a.t] : []), ...(a.tensors ?? [])]),
    ...bodiesOf(node).flatMap((b) => outsideOf(b.graph)),
  ]);
  const own = [...(graph.initializer ?? []), ...values];
  return own.filter((t) => (t.externalData ?? []).length > 0);
}

/** The bytes of one tensor: `location` beside the file, from `offset`, `length` long. */
async function piece(path: string, tensor: Onnx.ITensorProto, most: number): Promise<Uint8Array> {
  const name = tensor.name ?? '';
  const said = new Map((tensor.externalData ?? []).map((e) => [e.key ?? '', e.value ?? '']));
  const location = normalize(said.get('location') ?? '');
  if (location === '.' || isAbsolute(location) || location.startsWith('..')) {
    throw refused(
      path,
      `the weights of "${name}" are said to be in "${said.get('location') ?? ''}"`,
      'a file beside it or below',
    );
  }
  const from = Number(said.get('offset') ?? 0);
  const beside = join(dirname(path), location);
  try {
    const file = await open(beside);
    try {
      const { size } = await file.stat();
      const length = Number(said.get('length') ?? size - from);
      if (!(from >= 0 && length >= 0 && from + length <= size)) {
        throw refused(
          beside,
          `"${name}" is said to be ${length} bytes from ${from} of its ${size}`,
          'the file that was exported with the network',
        );
      }
      if (length > most) throw refused(path, 'more than 2 GiB with its weights', 'at most that');
      const buffer = Buffer.alloc(length);
      await file.read(buffer, 0, length, from);
      return buffer;
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof Error && error.name === 'KikitoriError') throw error;
    throw refused(beside, `${fileFault(error)}: it has the weights of "${name}"`);
  }
}
