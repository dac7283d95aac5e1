import { readFile } from 'node:fs/promises';
import { codeOf, KikitoriError, messageOf } from '../../runtime/errors.js';
import { parseSafetensors, wrong } from '../safetensors.js';
import type { Costs } from './factorize.js';

/**
 * Costs measured in training: safetensors with `fisher.l` [4N] of each layer's pre-activations (gates
 * i, f, g, o) and `fisher.output` [outputs], mean squared derivatives of the loss per step.
 */
export async function readCosts(
  path: string,
  layers: readonly number[],
  outputs: number,
): Promise<Costs> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    throw wrong(path, codeOf(error) === 'ENOENT' ? 'there is no such file' : messageOf(error));
  }
  const { tensors } = parseSafetensors(bytes, path);
  const of = (name: string, length: number) => {
    const data = tensors.get(name)?.data;
    if (data?.length === length && data.every((v) => v >= 0)) return data;
    throw new KikitoriError(
      `${name} is ${data === undefined ? 'missing' : `of ${data.length} values`}`,
      {
        kind: 'input',
        where: path,
        expected: `${length} values, none negative`,
      },
    );
  };
  return {
    layers: layers.map((n, l) => of(`fisher.${l}`, 4 * n)),
    output: of('fisher.output', outputs),
  };
}
