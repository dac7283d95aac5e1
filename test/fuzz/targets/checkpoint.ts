import {
  encodeCheckpoint,
  parseCheckpoint,
  parseNetwork,
} from '../../../src/compress/checkpoint.js';
import { isStateDict, readStateDict } from '../../../src/compress/import/index.js';
import { encodeSafetensors, parseSafetensors } from '../../../src/compress/safetensors.js';
import { randomNetwork } from '../../sim/random-network.js';
import { tinyCheckpointBytes } from '../../sim/tiny-checkpoint.js';
import { mutateJson } from '../engine/mutate-json.js';
import type { Random } from '../engine/random.js';
import { must, unlessRefused, type Target } from '../engine/target.js';

const small = randomNetwork({ layers: [1], inputs: 1, outputs: 2 });
const cell = (shape: number[]) => ({
  shape,
  data: new Float32Array(shape.reduce((a, b) => a * b, 1)),
});
const stateDict = new Map([
  ['lstm.weight_ih_l0', cell([4, 1])],
  ['lstm.weight_hh_l0', cell([4, 1])],
  ['lstm.bias_ih_l0', cell([4])],
  ['lstm.bias_hh_l0', cell([4])],
  ['head.weight', cell([2, 1])],
]);

export const target: Omit<Target, 'name'> = {
  right:
    'as many finite values as the shapes say, never more than the file holds; written and read again alike',
  covers: [
    'src/compress/safetensors.ts',
    'src/compress/checkpoint.ts',
    'src/compress/half.ts',
    'src/compress/quantize/scales.ts',
    'src/compress/import/state-dict.ts',
  ],
  bytesMax: 12_000,
  where: 'net.safetensors',
  seeds: () => [
    encodeCheckpoint(small),
    encodeCheckpoint(small, 'F16'),
    encodeSafetensors({ tensors: stateDict, metadata: {} }),
    tinyCheckpointBytes([2], 1).subarray(0, 12_000),
  ],
  mutate: (input, random, other) => {
    const header = headerOf(input);
    const changed = metaChanged(header, random, headerOf(other));
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(changed.length));
    return Buffer.concat([length, changed, input.subarray(8 + header.length)]);
  },
  run: (input) => {
    const file = parseSafetensors(input, 'net.safetensors');
    let values = 0;
    for (const { shape, data } of file.tensors.values()) {
      must(data.length === shape.reduce((a, b) => a * b, 1), 'another count than the shape says');
      must(data.every(Number.isFinite), 'not finite');
      values += data.length;
    }
    must(values <= input.length * Math.max(1, file.tensors.size), 'more values than bytes');
    const again = parseSafetensors(encodeSafetensors(file), 'written');
    for (const [name, { data }] of file.tensors)
      must(
        again.tensors.get(name)?.data.every((v, i) => v === data[i]) === true,
        `${name} after writing`,
      );
    if (isStateDict(file)) unlessRefused(() => readStateDict(file, 'net.safetensors'));
    unlessRefused(() => parseCheckpoint(input, 'net.safetensors'));
    const network = parseNetwork(input, 'net.safetensors');
    must(network.layers.every((n) => n > 0) && network.outputs > 0, 'a layer without cells');
    parseNetwork(encodeCheckpoint(network), 'net.safetensors');
  },
};

function headerOf(input: Buffer): Buffer {
  if (input.length < 8) return Buffer.alloc(0);
  const length = Number(input.readBigUInt64LE());
  return input.subarray(8, 8 + Math.min(length, input.length));
}

/** The network's own description is JSON in a text of the header. */
function metaChanged(header: Buffer, random: Random, other: Buffer): Buffer {
  if (random.chance(0.5)) return mutateJson(header, random, other);
  try {
    const value = JSON.parse(header.toString()) as { __metadata__?: { kikitori?: string } };
    const meta = value.__metadata__;
    if (meta?.kikitori === undefined) return mutateJson(header, random, other);
    meta.kikitori = mutateJson(Buffer.from(meta.kikitori), random, other).toString();
    return Buffer.from(JSON.stringify(value));
  } catch {
    return header;
  }
}
