import { KikitoriError } from '../../runtime/errors.js';
import { tensorOf, type NetworkCheckpoint, type Tensor } from '../checkpoint.js';
import type { Basis } from './basis.js';
import { identity, toTensor, type Mat } from './matrix.js';
import type { Activations } from './moments.js';
import {
  analyseByReaders,
  analyseByRecurrent,
  cutAt,
  type Cut,
  type Method,
  type Plan,
  type PlanAnalysis,
  type PlanMatrix,
  type Sizes,
} from './plan.js';

export type { Method } from './plan.js';

/**
 * What an error costs: for each pre-activation of each layer, and for each output, the mean squared
 * derivative of the loss (the diagonal of the Fisher information), in nats per step.
 */
export interface Costs {
  readonly layers: readonly ArrayLike<number>[];
  readonly output: ArrayLike<number>;
}

/** A dense network taken apart: every rank is one cut of this. */
export interface Analysis extends PlanAnalysis {
  readonly network: NetworkCheckpoint;
  /** Absent: the input is not projected. */
  readonly input?: Basis;
  readonly layers: readonly Basis[];
}

export interface Ranks {
  readonly layers: readonly number[];
  /** 0: the input stays as it is. */
  readonly input: number;
}

function denseOnly(network: NetworkCheckpoint): void {
  if (network.kind === 'lstm') return;
  throw new KikitoriError('the network is factored already', {
    kind: 'input',
    expected: 'a dense checkpoint',
    hint: 'factor the dense network that it came from',
  });
}

/** Vectors: the input, then h of each layer. Matrices: W and R of each layer, then the output's. */
export function checkpointSizes({
  layers,
  inputs,
  outputs,
}: Pick<NetworkCheckpoint, 'layers' | 'inputs' | 'outputs'>): Sizes {
  return {
    vectors: [
      { name: 'the input', size: inputs, input: true },
      ...layers.map((cells, l) => ({ name: `layer ${l}`, size: cells, input: false })),
    ],
    matrices: [
      ...layers.flatMap((cells, l) => [
        { reads: l, rows: 4 * cells },
        { reads: l + 1, rows: 4 * cells },
      ]),
      { reads: layers.length, rows: outputs },
    ],
  };
}

function planOf(network: NetworkCheckpoint): Plan {
  denseOnly(network);
  const sizes = checkpointSizes(network);
  const names = [
    ...network.layers.flatMap((_, l) => [`lstm.${l}.weight_ih`, `lstm.${l}.weight_hh`]),
    'output.weight',
  ];
  const matrices = sizes.matrices.map(({ reads, rows }, m): PlanMatrix => {
    const name = names[m] ?? '';
    const recurrent = name.endsWith('weight_hh');
    return { name, reads, rows, weight: tensorOf(network, name), recurrent };
  });
  return { vectors: sizes.vectors, matrices };
}

/** An analysis of a chain of LSTM layers, as one of the dense network that the chain is. */
export function analysisOf(network: NetworkCheckpoint, analysis: PlanAnalysis): Analysis {
  const [input, ...layers] = analysis.bases;
  return {
    ...analysis,
    network,
    ...(input === undefined ? {} : { input }),
    layers: layers.map((basis) => {
      if (basis === undefined) throw new Error('every layer is projected');
      return basis;
    }),
  };
}

/** The published method: {@link analyseByRecurrent}. */
export const analysePaper = (network: NetworkCheckpoint): Analysis =>
  analysisOf(network, analyseByRecurrent(planOf(network)));

/** Stacked readers in the metric of the activations: {@link analyseByReaders}. */
export function analyseDataAware(
  network: NetworkCheckpoint,
  activations?: Activations,
  costs?: Costs,
): Analysis {
  const plan = planOf(network);
  return analysisOf(
    network,
    analyseByReaders(plan, {
      ...(activations === undefined ? {} : { moments: [activations.input, ...activations.layers] }),
      ...(costs === undefined ? {} : { costs: matrixCosts(costs, [costs.output.length]) }),
    }),
  );
}

/** Costs of the rows of W and R of each layer, and of the heads that make up the output. */
export function matrixCosts(costs: Costs, heads: readonly number[]): ArrayLike<number>[] {
  let at = 0;
  return [
    ...costs.layers.flatMap((layer) => [layer, layer]),
    ...heads.map((rows) => Array.from(costs.output).slice(at, (at += rows))),
  ];
}

/** The factored network of these ranks. Biases take over what the left-out directions give on average. */
export function factorize(analysis: Analysis, ranks: Ranks): NetworkCheckpoint {
  const { network } = analysis;
  checkRanks(network, analysis.method, ranks);
  return checkpointOf(network, cutAt(analysis, [ranks.input, ...ranks.layers]));
}

/** A cut of a chain of LSTM layers as a checkpoint: every layer has a projection, if only the identity. */
export function checkpointOf(network: NetworkCheckpoint, cut: Cut): NetworkCheckpoint {
  const tensors = new Map<string, Tensor>();
  const [input, ...layers] = cut.projections;
  if (input !== undefined) tensors.set('input.projection', toTensor(input));
  const reader = (m: number): Mat => {
    const found = cut.readers[m];
    if (found === undefined) throw new Error('no such matrix');
    return found;
  };
  const bias = (name: string, ...shifts: readonly (Float64Array | undefined)[]): Tensor => {
    const { shape, data } = tensorOf(network, name);
    return { shape, data: data.map((b, i) => shifts.reduce((sum, s) => sum + (s?.[i] ?? 0), b)) };
  };
  const projections = network.layers.map((cells, l) => layers[l] ?? identity(cells));
  network.layers.forEach((_, l) => {
    tensors.set(`lstm.${l}.weight_ih`, toTensor(reader(2 * l)));
    tensors.set(`lstm.${l}.weight_hh`, toTensor(reader(2 * l + 1)));
    tensors.set(`lstm.${l}.projection`, toTensor(projections[l] ?? identity(0)));
    const name = `lstm.${l}.bias`;
    tensors.set(name, bias(name, cut.shifts[2 * l], cut.shifts[2 * l + 1]));
  });
  const heads = cut.readers.slice(2 * network.layers.length);
  const shifts = cut.shifts.slice(2 * network.layers.length);
  const columns = heads[0]?.cols ?? 0;
  const data = new Float32Array(network.outputs * columns);
  let at = 0;
  for (const head of heads) {
    data.set(head.data, at);
    at += head.data.length;
  }
  tensors.set('output.weight', { shape: [network.outputs, columns], data });
  tensors.set('output.bias', bias('output.bias', Float64Array.from(shifts.flatMap((s) => [...s]))));
  return {
    ...network,
    kind: 'lstmp',
    ranks: projections.map((p) => p.rows),
    inputRank: input?.rows ?? 0,
    tensors,
    // Scales of the dense network's activations say nothing about p.
    quantization: undefined,
  };
}

/** Refuses ranks that the network does not have; before the work, not after. */
export function checkRanks(network: NetworkCheckpoint, method: Method, ranks: Ranks): void {
  const faults: string[] = [];
  if (ranks.layers.length !== network.layers.length) {
    faults.push(`${ranks.layers.length} ranks for ${network.layers.length} layers`);
  }
  ranks.layers.forEach((rank, l) => {
    const cells = network.layers[l];
    if (!Number.isInteger(rank) || rank < 1) faults.push(`rank ${rank} of layer ${l} is no count`);
    else if (cells !== undefined && rank > cells) {
      faults.push(`rank ${rank} of layer ${l} is beyond its ${cells} cells`);
    }
  });
  if (!Number.isInteger(ranks.input) || ranks.input < 0 || ranks.input > network.inputs) {
    faults.push(`input rank ${ranks.input} is beyond the ${network.inputs} inputs`);
  }
  if (ranks.input > 0 && method === 'paper') {
    faults.push('the published method leaves the input as it is');
  }
  if (faults.length > 0) throw new KikitoriError(faults.join('; '), { kind: 'usage' });
}
