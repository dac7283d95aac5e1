import { fromNibbles, asNibbles } from '../../../src/bundle/nibbles.js';
import { randomFrom } from '../../../src/measure/evaluate/statistics.js';
import { nibbleFile, slowly } from '../../sim/nibble-file.js';
import type { Random } from '../engine/random.js';
import { must, type Target } from '../engine/target.js';

/** The first two bytes are how long the file is said to be; the rest is its shorter form. */
function seed(shapes: readonly (readonly [number, number])[]): Buffer {
  const { bytes, places } = nibbleFile(randomFrom(shapes.length), shapes);
  const length = Buffer.alloc(2);
  length.writeUInt16LE(bytes.length);
  return Buffer.concat([length, asNibbles(bytes, places)]);
}

/** A number of the head is changed, and all lengths made right for it: else nothing is read of the rest. */
function otherHead(input: Buffer, random: Random): Buffer {
  const copy = Buffer.from(input);
  const count = copy.length < 10 ? 0 : copy.readUInt32LE(6);
  const headBytes = 10 + 12 * count;
  if (count === 0 || headBytes > copy.length) return copy;
  const at = 10 + 4 * random.below(3 * count);
  copy.writeUInt32LE(random.below(random.of([4, 40, 400])), at);
  let [end, weights, groups, halves] = [0, 0, 0, 0];
  for (let i = 0; i < count; i++) {
    const [offset = 0, inputs = 0, outputs = 0] = [0, 4, 8].map((j) =>
      copy.readUInt32LE(10 + 12 * i + j),
    );
    end = Math.max(end, offset + inputs * outputs);
    weights += inputs * outputs;
    groups += Math.ceil(inputs / 32) * outputs;
    halves += Math.ceil((inputs * outputs) / 2);
  }
  const bytes = end + random.below(9);
  if (bytes > 0xffff || weights > bytes) return copy;
  const right = Buffer.alloc(headBytes + bytes - weights + groups + halves, copy);
  copy.copy(right, 0, 0, headBytes);
  right.writeUInt16LE(bytes, 0);
  return right;
}

export const target: Omit<Target, 'name'> = {
  right: 'a refusal in words, or as many bytes as were said, each as the slow reading has it',
  covers: ['src/bundle/nibbles.ts'],
  words: ['KNB1', '\xff\xff\xff\xff', '\0\0\0\x80'],
  seeds: () => [
    seed([]),
    seed([[3, 2]]),
    seed([
      [33, 2],
      [1, 5],
    ]),
  ],
  mutate: otherHead,
  run: (input) => {
    if (input.length < 2) return;
    const bytes = input.readUInt16LE();
    const short = input.subarray(2);
    let file: Uint8Array;
    try {
      file = fromNibbles(short, bytes);
    } catch (error) {
      must(/^Error: (does not begin|says that|has) /.test(String(error)), String(error));
      return;
    }
    must(file.length === bytes, 'another length');
    // Overlong files are read slowly in part.
    if (bytes <= 4096)
      must(
        slowly(short, bytes).every((v, i) => v === file[i]),
        'another byte',
      );
  },
};
