import type { Target } from '../engine/target.js';

export const target: Omit<Target, 'name'> = {
  right: 'for the test of the fuzzer: it does not end',
  covers: ['src/audio/'],
  seeds: () => ['a', 'h'],
  run: (input) => {
    while (input[0] === 104);
  },
};
