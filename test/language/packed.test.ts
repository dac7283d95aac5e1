import t from 'tap';
import { Children } from '../../src/language/children.js';
import { Packed, packedBytes } from '../../src/language/packed.js';
import { generator } from '../sim/random-text.js';

void t.test('numbers of every width come back, and are found', (t) => {
  const { random } = generator(1);
  for (let width = 1; width <= 25; width += 1) {
    const numbers = Array.from({ length: 300 }, () => Math.floor(random() * 2 ** width));
    const sorted = [...new Set(numbers)].sort((a, b) => a - b);
    const packed = new Packed(new Uint8Array(packedBytes(sorted.length, width)), width);
    sorted.forEach((number, i) => {
      packed.put(i, number);
    });
    t.strictSame(
      sorted.map((_, i) => packed.at(i)),
      sorted,
      `${width} bits`,
    );
    const found = sorted.every((number, i) => packed.find(number, 0, sorted.length) === i);
    t.ok(found, `${width} bits: each is found`);
    const last = sorted.at(-1) ?? 0;
    t.equal(packed.find(last, 0, sorted.length - 1), -1, 'not behind the end');
  }
  t.end();
});

void t.test('children of each parent, however many or few', (t) => {
  for (let seed = 1; seed <= 40; seed += 1) {
    const { random } = generator(seed);
    const first = [0];
    const parents = Math.floor(200 * random());
    for (let i = 0; i < parents; i += 1) {
      const many = random() < 0.1 ? 300 : 3;
      first.push((first.at(-1) ?? 0) + Math.floor(random() * many));
    }
    const { bits, places } = Children.of(Uint32Array.from(first));
    const children = new Children(bits, places);
    const found = first.slice(0, -1).map((_, parent) => {
      const place = children.place(parent);
      return [place - parent, children.next(place) - parent - 1];
    });
    t.strictSame(
      found,
      first.slice(0, -1).map((from, i) => [from, first[i + 1]]),
      `seed ${seed}`,
    );
  }
  t.end();
});
