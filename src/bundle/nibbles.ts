/**
 * A file with 4-bit weights that were unpacked to bytes, written in half the bytes, without loss: what brotli then gets of
 * it. Of ONNX it knows nothing, only where matrices lie (docs/adr/0053-four-bits.md).
 *
 *     "KNB1"   count   count times: offset, inputs, outputs          numbers of 32 bits, little-endian
 *     all bytes of the file outside of the matrices, in order
 *     of each matrix: a multiple for each group of 32 inputs of each output, group after group
 *     of each matrix: its weights in the file's order, two a byte, the first one low
 *
 * In the file a matrix lies input after input, a byte a weight: 128 + multiple * q, q from -7 to 7, stored as q + 8.
 */

/** The grid of 4 bits: inputs that share a multiple, the largest q, the largest multiple. */
export const nibbleGroup = 32;
export const nibbleMax = 7;
export const multipleMax = 18;
const byteZero = 128;
const nibbleZero = 8;

const magic = Buffer.from('KNB1');
/** More matrices than any network of ours has; each takes 12 bytes of the head. */
const matricesMax = 4096;

/** Where a matrix of bytes lies in a file. */
export interface MatrixPlace {
  readonly offset: number;
  readonly inputs: number;
  readonly outputs: number;
}

const weightsIn = ({ inputs, outputs }: MatrixPlace) => inputs * outputs;
const groupsIn = ({ inputs, outputs }: MatrixPlace) => Math.ceil(inputs / nibbleGroup) * outputs;
const halvesIn = (m: MatrixPlace) => Math.ceil(weightsIn(m) / 2);
const sum = (all: readonly MatrixPlace[], of: (m: MatrixPlace) => number) =>
  all.reduce((total, m) => total + of(m), 0);
const headBytes = (matrices: number) => magic.length + 4 + 12 * matrices;

/** Multiples of a matrix, group after group; undefined when its bytes are on no grid of 4 bits. */
export function multiplesOf(bytes: Uint8Array, place: MatrixPlace): Uint8Array | undefined {
  const { offset, inputs, outputs } = place;
  const multiples = new Uint8Array(groupsIn(place));
  for (let g = 0; g * nibbleGroup < inputs; g++) {
    const end = Math.min(inputs, (g + 1) * nibbleGroup);
    for (let o = 0; o < outputs; o++) {
      let [divisor, largest] = [0, 0];
      for (let k = g * nibbleGroup; k < end; k++) {
        const size = Math.abs((bytes[offset + k * outputs + o] ?? 0) - byteZero);
        largest = Math.max(largest, size);
        divisor = commonDivisor(divisor, size);
      }
      let multiple = Math.min(multipleMax, divisor || 1);
      while (divisor % multiple !== 0) multiple--;
      if (largest > nibbleMax * multiple) return undefined;
      multiples[g * outputs + o] = multiple;
    }
  }
  return multiples;
}

function commonDivisor(a: number, b: number): number {
  while (b !== 0) [a, b] = [b, a % b];
  return a;
}

/** The shorter form of a file. The matrices lie in order and apart, and are on the grid: else it is a mistake here. */
export function asNibbles(bytes: Uint8Array, matrices: readonly MatrixPlace[]): Uint8Array {
  const head = Buffer.alloc(headBytes(matrices.length));
  magic.copy(head);
  head.writeUInt32LE(matrices.length, magic.length);
  const rest: Uint8Array[] = [];
  const allMultiples: Uint8Array[] = [];
  const allHalves: Uint8Array[] = [];
  let from = 0;
  for (const [i, m] of matrices.entries()) {
    const { offset, inputs, outputs } = m;
    const multiples = multiplesOf(bytes, m);
    if (multiples === undefined || offset < from || offset + weightsIn(m) > bytes.length)
      throw new Error(`matrix ${i} is on no grid of 4 bits, or not where it is said`);
    [offset, inputs, outputs].forEach((n, j) => head.writeUInt32LE(n, headBytes(i) + 4 * j));
    rest.push(bytes.subarray(from, offset));
    from = offset + weightsIn(m);
    const halves = new Uint8Array(halvesIn(m));
    for (let w = 0; w < weightsIn(m); w++) {
      const group = Math.floor(w / outputs / nibbleGroup);
      const multiple = multiples[group * outputs + (w % outputs)] ?? 1;
      const q = ((bytes[offset + w] ?? byteZero) - byteZero) / multiple;
      halves[w >> 1] = (halves[w >> 1] ?? 0) | ((q + nibbleZero) << (4 * (w % 2)));
    }
    allMultiples.push(multiples);
    allHalves.push(halves);
  }
  return Buffer.concat([head, ...rest, bytes.subarray(from), ...allMultiples, ...allHalves]);
}

/**
 * The file again, of so many bytes. Whatever the shorter form says, no more is made and nothing outside of it is read or
 * written; whether it is the right file its SHA-256 says.
 */
export function fromNibbles(short: Uint8Array, bytes: number): Uint8Array {
  const matrices = placesIn(short, bytes);
  const out = Buffer.alloc(bytes);
  let at = headBytes(matrices.length);
  let from = 0;
  const take = (to: number) => {
    out.set(short.subarray(at, at + to - from), from);
    at += to - from;
  };
  for (const m of matrices) {
    take(m.offset);
    from = m.offset + weightsIn(m);
  }
  take(bytes);
  let halves = at + sum(matrices, groupsIn);
  for (const m of matrices) {
    unpack(out, m, short.subarray(at), short.subarray(halves));
    at += groupsIn(m);
    halves += halvesIn(m);
  }
  return out;
}

function unpack(
  out: Uint8Array,
  { offset, inputs, outputs }: MatrixPlace,
  multiples: Uint8Array,
  halves: Uint8Array,
): void {
  for (let k = 0, w = 0; k < inputs; k++) {
    const group = Math.floor(k / nibbleGroup) * outputs;
    for (let o = 0; o < outputs; o++, w++) {
      const half = ((halves[w >> 1] ?? 0) >> (4 * (w % 2))) & 15;
      // What is beyond a byte is a lie that the SHA-256 finds; here it wraps.
      out[offset + w] = byteZero + (multiples[group + o] ?? 0) * (half - nibbleZero);
    }
  }
}

/** Where the matrices lie, each within the file and behind the one before, and as long in all as what follows. */
function placesIn(short: Uint8Array, bytes: number): MatrixPlace[] {
  const view = new DataView(short.buffer, short.byteOffset, short.byteLength);
  if (short.length < headBytes(0) || !magic.equals(short.subarray(0, magic.length)))
    throw new Error('does not begin as weights in 4 bits do');
  const count = view.getUint32(magic.length, true);
  if (count > matricesMax || short.length < headBytes(count))
    throw new Error(`says that it has ${count} matrices, more than fit`);
  const matrices: MatrixPlace[] = [];
  let end = 0;
  for (let i = 0; i < count; i++) {
    const [offset = 0, inputs = 0, outputs = 0] = [0, 4, 8].map((j) =>
      view.getUint32(headBytes(i) + j, true),
    );
    const place = { offset, inputs, outputs };
    // Beyond 2^53 the product is rounded, and still larger than any file.
    if (offset < end || weightsIn(place) < 1 || weightsIn(place) > bytes - offset)
      throw new Error(
        `has matrix ${i} of ${inputs} x ${outputs} at ${offset}, outside of the ${bytes} bytes or over another`,
      );
    matrices.push(place);
    end = offset + weightsIn(place);
  }
  const wanted =
    headBytes(count) +
    (bytes - sum(matrices, weightsIn)) +
    sum(matrices, groupsIn) +
    sum(matrices, halvesIn);
  if (short.length !== wanted)
    throw new Error(`has ${short.length} bytes before brotli, its matrices need ${wanted}`);
  return matrices;
}
