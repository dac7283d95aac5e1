import { setImmediate } from 'node:timers/promises';
import type { Manifest } from '../../bundle/index.js';
import { inputsOf, type Network, type NetworkRun } from '../network.js';
import { readIntegerNetwork, type IntegerNetwork } from './read-network.js';
import { StepKernel } from './step-kernel.js';

/** A projected LSTM in 8 bits, computed by the kernel. */
export class KernelNetwork implements Network {
  readonly computedBy = 'kernel';

  private constructor(private readonly kernel: StepKernel) {}

  /** null for every other network, and where the manifest says other shapes: ONNX Runtime is to run it, or to say what is wrong. */
  static of(file: Uint8Array, manifest: Manifest): KernelNetwork | null {
    const network = readIntegerNetwork(file);
    if (network === null || !fits(network, manifest)) return null;
    const kernel = StepKernel.of(network);
    return kernel === null ? null : new KernelNetwork(kernel);
  }

  /** Memory of JavaScript: it goes when nobody has it any more. */
  async close(): Promise<void> {
    await Promise.resolve();
  }

  begin(): NetworkRun {
    const state = this.kernel.zeroState();
    return {
      // Whatever waits has its turn before each call, as with ONNX Runtime: a long phrase heard again takes a second of a small board.
      run: async (rows) => {
        await setImmediate();
        return this.kernel.run(rows, state);
      },
    };
  }
}

function fits(network: IntegerNetwork, manifest: Manifest): boolean {
  const state = network.layers.flatMap(({ cells, projection }, l) => [
    `p${l} ${projection.rows}`,
    `c${l} ${cells}`,
  ]);
  const wanted = manifest.network.state.map(({ name, shape }) => `${name} ${shape.join(' ')}`);
  return (
    network.inputs === inputsOf(manifest) &&
    network.output.rows === manifest.units.length &&
    state.sort().join() === wanted.sort().join()
  );
}
