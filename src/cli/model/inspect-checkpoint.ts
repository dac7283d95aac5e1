import { parameterCount, readNetwork, tensorOf } from '../../compress/checkpoint.js';
import {
  analysePaper,
  explainedRank,
  type CompressionFacts,
} from '../../compress/factorize/index.js';
import { activationNames, namedScale } from '../../compress/quantize/scales.js';
import { jsonLine, type Io } from '../shared/command.js';

const taus = [0.6, 0.8, 0.9, 0.95];

/** What a checkpoint is: layers, ranks, parameters, and how much of each layer a rank explains. */
export async function inspectCheckpoint(path: string, json: boolean, io: Io): Promise<void> {
  const network = await readNetwork(path);
  const dense = network.kind === 'lstm';
  const bases = dense ? analysePaper(network).layers : [];
  const layers = network.layers.map((cells, l) => ({
    cells,
    ...(dense ? {} : { rank: network.ranks[l] }),
    parameters: ['weight_ih', 'weight_hh', 'bias', ...(dense ? [] : ['projection'])].reduce(
      (sum, name) => sum + tensorOf(network, `lstm.${l}.${name}`).data.length,
      0,
    ),
    // Rank that explains a share of the recurrent matrix's variance.
    ...(dense
      ? {
          rankAt: Object.fromEntries(
            taus.map((tau) => [tau, explainedRank(bases[l]?.gains ?? [], tau)]),
          ),
        }
      : {}),
  }));
  const compression = network.training['compression'] as CompressionFacts | undefined;
  const { kind, inputRank, inputs, outputs, units } = network;
  if (json) {
    jsonLine(io, {
      path,
      kind,
      layers: network.layers,
      ranks: network.ranks,
      inputRank,
      inputs,
      outputs,
      parameters: parameterCount(network),
      quantization: network.quantization,
      perLayer: layers,
      compression,
    });
    return;
  }
  const what = dense ? 'dense LSTM' : 'projected LSTM';
  const ranks = dense
    ? ''
    : `, ranks ${network.ranks.join(', ')}, ${inputRank > 0 ? `input ${inputRank}` : 'input as it is'}`;
  const lines = [
    path,
    `  network     ${what} ${network.layers.join(' x ')}${ranks}`,
    `  parameters  ${parameterCount(network).toLocaleString('en')}`,
    `  reads       ${inputs} values a step${network.features === undefined ? '' : ', log-mel of speech'}; gives ${outputs}${units === undefined ? '' : ' units'}`,
  ];
  if (network.quantization !== undefined) {
    const { weights, activations } = network.quantization;
    const bits = { int4: '4 bits (int4)', uint8: '8 bits (uint8)', mixed: '4 and 8 bits (mixed)' }[
      weights
    ];
    const all = activationNames(network);
    const named = all.filter((n) => namedScale(activations, n) !== undefined).length;
    lines.push(
      `  quantised   weights in ${bits}, scales for ${named} of ${all.length} activations${named === 0 ? ': "model quantize" chooses them' : ''}`,
    );
  }
  layers.forEach((layer, l) => {
    const more = dense
      ? `explained by rank: ${Object.entries(layer.rankAt ?? {})
          .map(([tau, rank]) => `${Math.round(100 * Number(tau))} % ${rank}`)
          .join(', ')}`
      : `rank ${layer.rank ?? 0} explains ${compression === undefined ? '?' : (100 * (compression.explained[l] ?? NaN)).toFixed(1)} %`;
    lines.push(
      `  layer ${l}     ${layer.cells} cells, ${layer.parameters.toLocaleString('en')} parameters; ${more}`,
    );
  });
  if (compression !== undefined) {
    const loss = compression.measuredLoss;
    lines.push(
      `  made by     ${compression.method}, ${(compression.parametersBefore / compression.parameters).toFixed(2)}x fewer parameters${loss === undefined ? '' : `, loss ${loss.toPrecision(3)} a step before fine-tuning`}`,
    );
  }
  io.stdout.write(`${lines.join('\n')}\n`);
}
