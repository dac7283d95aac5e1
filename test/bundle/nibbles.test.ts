/** The filter for weights in 4 bits: any file comes back to the byte, and no other bytes do harm. */
import t from 'tap';
import { multiplesOf } from '../../src/bundle/index.js';
import { asNibbles, fromNibbles } from '../../src/bundle/nibbles.js';
import { randomFrom } from '../../src/measure/evaluate/statistics.js';
import { nibbleFile, slowly } from '../sim/nibble-file.js';

const random = randomFrom(3);
const below = (n: number) => Math.floor(random() * n);

void t.test('a file by hand', (t) => {
  // Three inputs of two outputs: multiples 5 and 18.
  const weights = [128 + 35, 128 - 18, 128 - 5, 128, 128, 128 + 126];
  const bytes = Uint8Array.of(9, 8, ...weights, 7);
  const short = asNibbles(bytes, [{ offset: 2, inputs: 3, outputs: 2 }]);
  t.equal(
    Buffer.from(short).toString('hex'),
    [
      ...[Buffer.from('KNB1').toString('hex'), '01000000', '02000000', '03000000', '02000000'],
      ...['090807', '0512', '7f', '87', 'f8'],
    ].join(''),
  );
  t.same([...fromNibbles(short, 9)], [...bytes]);
  t.end();
});

void t.test('any weights: the same bytes, as the slow reading has them', (t) => {
  for (let i = 0; i < 120; i++) {
    const shapes = Array.from(
      { length: below(4) },
      () => [1 + below(i % 4 === 0 ? 100 : 7), 1 + below(9)] as const,
    );
    const { bytes, places } = nibbleFile(random, shapes);
    const short = asNibbles(bytes, places);
    const back = fromNibbles(short, bytes.length);
    if (Buffer.compare(back, bytes) !== 0) t.fail(`file ${i}: ${shapes.join(' ')}`);
    if (i % 4 === 0) t.same([...back], slowly(short, bytes.length));
  }
  t.end();
});

void t.test('what is on no grid of 4 bits is not taken', (t) => {
  const place = { offset: 0, inputs: 2, outputs: 1 };
  for (const whole of [
    [127, 1],
    [19, 0],
    [8, 1],
    [-128, 0],
    [38, 0],
  ])
    t.equal(
      multiplesOf(
        Uint8Array.from(whole, (v) => v + 128),
        place,
      ),
      undefined,
      whole.join(),
    );
  const multiple = (...whole: number[]) => [
    ...(multiplesOf(
      Uint8Array.from(whole, (v) => v + 128),
      place,
    ) ?? []),
  ];
  t.same(multiple(0, 0), [1]);
  t.same(multiple(36, -36), [18]);
  t.same(multiple(34, 17), [17]);
  t.same(multiple(-119, 17), [17]);
  const off = { ...place, offset: 1 };
  for (const places of [[off], [place, off], [{ ...place, inputs: 3 }]])
    t.throws(() => asNibbles(Uint8Array.of(128, 128), places), /not where it is said/);
  t.end();
});

void t.test('cut short, lies, noise: an error in words, or as many bytes as were said', (t) => {
  const { bytes, places } = nibbleFile(random, [
    [40, 6],
    [33, 5],
  ]);
  const short = asNibbles(bytes, places);
  const length = bytes.length;
  for (let share = 0; share < 100; share++)
    t.throws(
      () => fromNibbles(short.subarray(0, Math.floor((share / 100) * short.length)), length),
      /^(does not begin as|says that it has|has \d+ bytes before brotli)/,
    );
  t.throws(() => fromNibbles(Buffer.concat([short, Buffer.of(0)]), length), /before brotli/);
  t.throws(() => fromNibbles(short, length + 1), /before brotli/);
  const lie = (at: number, value: number) => {
    const copy = Buffer.from(short);
    copy.writeUInt32LE(value, at);
    return () => fromNibbles(copy, length);
  };
  t.throws(lie(0, 1), /does not begin/);
  t.throws(lie(4, 0xffffffff), /says that it has 4294967295 matrices/);
  t.throws(lie(4, 4096), /says that it has 4096 matrices/);
  t.throws(lie(8, length), /matrix 0 of 40 x 6 at \d+, outside of/);
  t.throws(lie(12, 0), /matrix 0 of 0 x 6/);
  t.throws(lie(12, 0xffffffff), /matrix 0 of 4294967295 x 6/);
  t.throws(lie(16, 0xffffffff), /outside of/);
  t.throws(lie(20, (places[0]?.offset ?? 0) + 1), /matrix 1 .* over another/);
  for (let i = 0; i < 400; i++) {
    const copy = Buffer.from(short);
    for (let n = 1 + below(3); n > 0; n--) copy[below(i % 2 ? 32 : copy.length)] = below(256);
    try {
      if (fromNibbles(copy, length).length !== length) t.fail(`${i}`);
    } catch (error) {
      if (!/^Error: (does|says|has) /.test(String(error))) t.fail(String(error));
    }
  }
  t.end();
});
