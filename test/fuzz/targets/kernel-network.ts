import { readIntegerNetwork } from '../../../src/recognizer/kernel/read-network.js';
import { StepKernel } from '../../../src/recognizer/kernel/step-kernel.js';
import { byteGraph } from '../../sim/byte-graph.js';
import { randomNetwork } from '../../sim/random-network.js';
import { mutateProtobuf } from '../engine/mutate-protobuf.js';
import { must, type Target } from '../engine/target.js';

const size = { layers: [2], ranks: [1], inputs: 2, outputs: 2 };
const steps = 5;
const inputsMost = 4096;

/** What the kernel takes of a network's file: never a fault, and what is taken has as many logits as it has rows. */
export const target: Omit<Target, 'name'> = {
  right:
    'a file is taken or left to ONNX Runtime; in both widths what is taken gives the same logits',
  covers: ['src/recognizer/kernel/read-network.ts', 'src/recognizer/kernel/placement.ts'],
  bytesMax: 8192,
  where: 'bundle.tar',
  words: ['features', 'logits', 'QLinearMatMul', 'com.microsoft', 'Scan', 'body', 'p0', 'c0_out'],
  seeds: () => [
    byteGraph(randomNetwork(size)),
    byteGraph(randomNetwork({ ...size, inputRank: 1 })),
    byteGraph(randomNetwork({ ...size, layers: [3, 2], ranks: [2, 1] })),
  ],
  mutate: mutateProtobuf,
  run: (input) => {
    const network = readIntegerNetwork(input);
    if (network === null || network.inputs > inputsMost) return;
    const rows = Float32Array.from({ length: steps * network.inputs }, (_, i) => Math.sin(i));
    const logits = (['wide', 'narrow'] as const).map((width) => {
      const kernel = StepKernel.of(network, width);
      return kernel?.run(rows, kernel.zeroState());
    });
    const [wide, narrow] = logits;
    must(
      (wide === undefined) === (narrow === undefined),
      'one width takes what the other does not',
    );
    if (wide === undefined || narrow === undefined) return;
    must(wide.length === steps * network.output.rows, 'another number of logits');
    must(
      wide.every((value, i) => Object.is(value, narrow[i])),
      'the widths differ',
    );
  },
};
