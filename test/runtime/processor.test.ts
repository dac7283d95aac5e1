import t from 'tap';
import { hasFusedMultiplyAdd } from '../../src/runtime/processor.js';

void t.test('which processors must compute the same bits', async (t) => {
  const on = (flags: string) =>
    hasFusedMultiplyAdd('x64', () => `model name\t: x\nflags\t\t: ${flags}\n`);
  t.equal(on('sse4_2 fma avx2'), true);
  t.equal(on('sse4_2 fma4 avx'), false, 'another instruction of a like name');
  t.equal(on('sse4_2 ssse3'), false);
  t.equal(
    hasFusedMultiplyAdd('x64', () => ''),
    true,
    'nothing is known',
  );
  t.equal(
    hasFusedMultiplyAdd('x64', () => {
      throw new Error('no such file');
    }),
    true,
  );
  t.equal(
    hasFusedMultiplyAdd('arm64', () => ''),
    true,
  );
});
