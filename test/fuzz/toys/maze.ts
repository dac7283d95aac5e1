import { parseWav } from '../../../src/audio/wav.js';
import { encodeWav } from '../../../src/audio/wav.js';
import { Wrong, type Target } from '../engine/target.js';

/** Big-endian 24 bits with two channels: three changes from the only seed, each of which a branch of the reader shows. */
export const target: Omit<Target, 'name'> = {
  right: 'for the test of the fuzzer: there is no way to the middle',
  covers: ['src/audio/'],
  seeds: () => [encodeWav(new Float32Array(12), 16_000)],
  run: (input) => {
    const { channels } = parseWav(input, 'x');
    const eight = input.readUInt16LE(34) === 8;
    if (eight && channels.length === 2) throw new Wrong('the middle of the maze');
  },
};
