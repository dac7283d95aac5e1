import { fromNibbles, asNibbles } from '../../../src/bundle/nibbles.js';
import { randomFrom } from '../../../src/measure/evaluate/statistics.js';
import { nibbleFile, slowly } from '../../sim/nibble-file.js';
import { must, type Target } from '../engine/target.js';

/** The first two bytes are how long the file is said to be; the rest is its shorter form. */
function seed(shapes: readonly (readonly [number, number])[]): Buffer {
  const { bytes, places } = nibbleFile(randomFrom(shapes.length), shapes);
  const length = Buffer.alloc(2);
  length.writeUInt16LE(bytes.length);
  return Buffer.concat([length, asNibbles(bytes, places)]);
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
