import { KikitoriError } from '../../runtime/errors.js';
import { tensorOf, type NetworkCheckpoint, type Tensor } from '../checkpoint.js';
import { basisOf, projection, readerFactor, type Basis, type Reader } from './basis.js';
import { fromTensor, multiply, subtract, timesVector, toTensor, type Mat } from './matrix.js';
import { metricOf, type Activations } from './moments.js';

export type Method = 'paper' | 'data-aware';

/**
 * What an error costs: for each pre-activation of each layer, and for each output, the mean squared
 * derivative of the loss (the diagonal of the Fisher information), in nats per step.
 */
export interface Costs {
  readonly layers: readonly ArrayLike<number>[];
  readonly output: ArrayLike<number>;
}

/** A dense network taken apart: every rank is one cut of this. */
export interface Analysis {
  readonly method: Method;
  readonly network: NetworkCheckpoint;
  /** Absent: the input is not projected. */
  readonly input?: Basis;
  readonly layers: readonly Basis[];
  readonly activations?: Activations;
}

export interface Ranks {
  readonly layers: readonly number[];
  /** 0: the input stays as it is. */
  readonly input: number;
}

interface Weights {
  readonly ih: readonly Mat[];
  readonly hh: readonly Mat[];
  readonly output: Mat;
}

function weightsOf(network: NetworkCheckpoint): Weights {
  const all = (name: string) =>
    network.layers.map((_, l) => fromTensor(tensorOf(network, `lstm.${l}.${name}`)));
  return {
    ih: all('weight_ih'),
    hh: all('weight_hh'),
    output: fromTensor(tensorOf(network, 'output.weight')),
  };
}

function denseOnly(network: NetworkCheckpoint): void {
  if (network.kind === 'lstm') return;
  throw new KikitoriError('the network is factored already', {
    kind: 'input',
    expected: 'a dense checkpoint',
    hint: 'factor the dense network that it came from',
  });
}

/**
 * The published method (Prabhavalkar et al., 2016): singular vectors of the recurrent matrix alone, no
 * metric. Directions are orthonormal rows, so Z_x by least squares is W_x P^T.
 */
export function analysePaper(network: NetworkCheckpoint): Analysis {
  denseOnly(network);
  const layers = weightsOf(network).hh.map((weight) => basisOf([{ weight }]));
  return { method: 'paper', network, layers };
}

/**
 * Stacked readers in the metric of the activations. Without `activations` the metric is the identity
 * (the stacked method alone), without `costs` every row costs the same.
 */
export function analyseDataAware(
  network: NetworkCheckpoint,
  activations?: Activations,
  costs?: Costs,
  progress: (layer: number) => void = () => undefined,
): Analysis {
  denseOnly(network);
  const { ih, hh, output } = weightsOf(network);
  const reader = (weight: Mat | undefined, rowCosts: ArrayLike<number> | undefined): Reader => {
    if (weight === undefined) throw new Error('no such layer');
    return rowCosts === undefined ? { weight } : { weight, rowCosts };
  };
  const layers = network.layers.map((_, l) => {
    progress(l);
    const above =
      l + 1 < network.layers.length
        ? reader(ih[l + 1], costs?.layers[l + 1])
        : reader(output, costs?.output);
    const moments = activations?.layers[l];
    return basisOf(
      [reader(hh[l], costs?.layers[l]), above],
      moments === undefined ? undefined : metricOf(moments, `layer ${l}`),
    );
  });
  const metric = activations === undefined ? undefined : metricOf(activations.input, 'the input');
  const input = basisOf([reader(ih[0], costs?.layers[0])], metric);
  return {
    method: 'data-aware',
    network,
    input,
    layers,
    ...(activations === undefined ? {} : { activations }),
  };
}

/** The factored network of these ranks. Biases take over what the left-out directions give on average. */
export function factorize(analysis: Analysis, ranks: Ranks): NetworkCheckpoint {
  const { network, layers, activations } = analysis;
  checkRanks(network, analysis.method, ranks);
  const { ih, hh, output } = weightsOf(network);
  const tensors = new Map<string, Tensor>();
  const inputBasis = ranks.input === 0 ? undefined : analysis.input;
  if (inputBasis !== undefined) {
    tensors.set('input.projection', toTensor(projection(inputBasis, ranks.input)));
  }
  /** Z for a reader of vector `from` (-1: the input), and what its bias gains: (W - Z P) mean. */
  const factor = (weight: Mat | undefined, from: number): { z: Mat; shift: Float64Array } => {
    if (weight === undefined) throw new Error('no such layer');
    const basis = from < 0 ? inputBasis : layers[from];
    if (basis === undefined) return { z: weight, shift: new Float64Array(weight.rows) };
    const rank = from < 0 ? ranks.input : (ranks.layers[from] ?? 0);
    const z = readerFactor(weight, basis, rank);
    const mean = (from < 0 ? activations?.input : activations?.layers[from])?.mean;
    if (mean === undefined) return { z, shift: new Float64Array(weight.rows) };
    const left = subtract(
      column(timesVector(weight, mean)),
      multiply(z, column(timesVector(projection(basis, rank), mean))),
    );
    return { z, shift: left.data };
  };
  const bias = (name: string, ...shifts: readonly Float64Array[]): Tensor => {
    const { shape, data } = tensorOf(network, name);
    return { shape, data: data.map((b, i) => shifts.reduce((sum, s) => sum + (s[i] ?? 0), b)) };
  };
  network.layers.forEach((_, l) => {
    const below = factor(ih[l], l - 1);
    const before = factor(hh[l], l);
    const basis = layers[l];
    if (basis === undefined) throw new Error('no such layer');
    tensors.set(`lstm.${l}.weight_ih`, toTensor(below.z));
    tensors.set(`lstm.${l}.weight_hh`, toTensor(before.z));
    tensors.set(`lstm.${l}.projection`, toTensor(projection(basis, ranks.layers[l] ?? 0)));
    tensors.set(`lstm.${l}.bias`, bias(`lstm.${l}.bias`, below.shift, before.shift));
  });
  const top = factor(output, network.layers.length - 1);
  tensors.set('output.weight', toTensor(top.z));
  tensors.set('output.bias', bias('output.bias', top.shift));
  return {
    ...network,
    kind: 'lstmp',
    ranks: [...ranks.layers],
    inputRank: ranks.input,
    tensors,
    // Scales of the dense network's activations say nothing about p.
    quantization: undefined,
  };
}

const column = (x: Float64Array): Mat => ({ rows: x.length, cols: 1, data: x });

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
