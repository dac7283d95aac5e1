/** Networks that were made to do harm, each the network of a good bundle with something in it. */
import onnxProto from 'onnx-proto';
import type { onnx as Onnx } from 'onnx-proto';

const { onnx } = onnxProto;
const { DataType } = onnx.TensorProto;
const { AttributeType } = onnx.AttributeProto;

type Graph = Onnx.IGraphProto;

function floats(name: string, dims: number[], value = 0): Onnx.ITensorProto {
  const data = new Float32Array(dims.reduce((a, b) => a * b, 1)).fill(value);
  return { name, dims, dataType: DataType.FLOAT, rawData: new Uint8Array(data.buffer) };
}

const node = (
  opType: string,
  input: string[],
  output: string[],
  attribute: Onnx.IAttributeProto[] = [],
  domain = '',
): Onnx.INodeProto => ({
  opType,
  input,
  output,
  attribute,
  domain,
  name: `evil.${opType}.${output[0]}`,
});

const value = (name: string, dims: number[], elemType: number = DataType.FLOAT) => ({
  name,
  type: { tensorType: { elemType, shape: { dim: dims.map((dimValue) => ({ dimValue })) } } },
});

/** Adds a [1, 1] value to what the network says, so that nothing of it can be left out. */
function put(graph: Graph, name: string): void {
  for (const n of graph.node ?? [])
    n.output = (n.output ?? []).map((o) => (o === 'logits' ? 'logits.good' : o));
  graph.node?.push(node('Add', ['logits.good', name], ['logits']));
}

/** [rows, columns] -> [1, 1]. */
function squash(graph: Graph, from: string, rows: number, columns: number, to: string): void {
  graph.initializer?.push(floats('right', [columns, 1]), floats('left', [1, rows]));
  graph.node?.push(node('MatMul', [from, 'right'], ['column']));
  graph.node?.push(node('MatMul', ['left', 'column'], [to]));
}

const wide = 40_000;
const cells = 256;
const steps = 1_000_000;

export const hostile = {
  /** Goes round as often as 63 bits can count. */
  'a loop without end': (graph: Graph) => {
    const body: Graph = {
      name: 'body',
      node: [node('Identity', ['go.in'], ['go.out']), node('Identity', ['x.in'], ['x.out'])],
      input: [
        value('i', [], DataType.INT64),
        value('go.in', [], DataType.BOOL),
        value('x.in', [1, 1]),
      ],
      output: [value('go.out', [], DataType.BOOL), value('x.out', [1, 1])],
    };
    graph.initializer?.push(floats('zero', [1, 1]), {
      name: 'go',
      dims: [],
      dataType: DataType.BOOL,
      rawData: Uint8Array.of(1),
    });
    const loop = [{ name: 'body', type: AttributeType.GRAPH, g: body }];
    graph.node?.push(node('Loop', ['', 'go', 'zero'], ['looped'], loop));
    put(graph, 'looped');
  },
  'an operator of its own': (graph: Graph) => {
    graph.initializer?.push(floats('zero', [1, 1]));
    graph.node?.push(node('Run', ['zero'], ['ran'], [], 'evil.example'));
    put(graph, 'ran');
  },
  'a constant in another file': (graph: Graph) => {
    graph.initializer?.push({
      name: 'read',
      dims: [1, 1],
      dataType: DataType.FLOAT,
      dataLocation: onnx.TensorProto.DataLocation.EXTERNAL,
      externalData: [{ key: 'location', value: '../../../../../../etc/passwd' }],
    });
    put(graph, 'read');
  },
  'a constant of a terabyte': (graph: Graph) => {
    graph.initializer?.push({ name: 'huge', dims: [2 ** 20, 2 ** 18], dataType: DataType.FLOAT });
    squash(graph, 'huge', 1, 1, 'small');
    put(graph, 'small');
  },
  /** Only what is allowed: a column and a row, added. */
  'six gigabytes out of two small constants': (graph: Graph) => {
    graph.initializer?.push(floats('high', [wide, 1]), floats('broad', [1, wide]));
    graph.node?.push(node('Add', ['high', 'broad'], ['sheet']));
    squash(graph, 'sheet', wide, wide, 'small');
    put(graph, 'small');
  },
  /** Only what is allowed: a scan that ends, in a minute or so. */
  'a million steps in each call': (graph: Graph) => {
    const body: Graph = {
      name: 'body',
      node: [node('MatMul', ['s', 'W'], ['m']), node('Tanh', ['m'], ['s.out'])],
      input: [value('s', [1, cells]), value('tick', [1])],
      output: [value('s.out', [1, cells])],
    };
    graph.initializer?.push(
      ...[floats('start', [1, cells], 0.1), floats('W', [cells, cells], 0.01)],
      floats('ticks', [steps, 1]),
    );
    graph.node?.push(
      node(
        'Scan',
        ['start', 'ticks'],
        ['scanned'],
        [
          { name: 'body', type: AttributeType.GRAPH, g: body },
          { name: 'num_scan_inputs', type: AttributeType.INT, i: 1 },
        ],
      ),
    );
    squash(graph, 'scanned', 1, cells, 'small');
    put(graph, 'small');
  },
} as const;

export type Hostility = keyof typeof hostile;

/** The network with something evil in it. */
export function evil(network: Uint8Array, what: Hostility): Uint8Array {
  const model = onnx.ModelProto.decode(network);
  if (model.graph === null || model.graph === undefined) throw new Error('no graph');
  hostile[what](model.graph);
  const domain = { domain: 'evil.example', version: 1 };
  if (what === 'an operator of its own') model.opsetImport = [...model.opsetImport, domain];
  return onnx.ModelProto.encode(model).finish();
}
