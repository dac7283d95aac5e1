/** A file with matrices of 4-bit weights in bytes at random places, made from a seed. */
import type { MatrixPlace } from '../../src/bundle/index.js';

export function nibbleFile(
  random: () => number,
  shapes: readonly (readonly [inputs: number, outputs: number])[],
): { bytes: Uint8Array; places: MatrixPlace[] } {
  const below = (n: number) => Math.floor(random() * n);
  const parts: Uint8Array[] = [];
  const places: MatrixPlace[] = [];
  let at = 0;
  const add = (part: Uint8Array) => {
    parts.push(part);
    at += part.length;
  };
  const noise = () => add(Uint8Array.from({ length: below(20) }, () => below(256)));
  noise();
  for (const [inputs, outputs] of shapes) {
    const groups = Math.ceil(inputs / 32);
    const multiples = Array.from({ length: groups * outputs }, () => 1 + below(18));
    places.push({ offset: at, inputs, outputs });
    add(
      Uint8Array.from({ length: inputs * outputs }, (_, w) => {
        const group = Math.floor(Math.floor(w / outputs) / 32);
        return 128 + (multiples[group * outputs + (w % outputs)] ?? 1) * (below(15) - 7);
      }),
    );
    noise();
  }
  return { bytes: Buffer.concat(parts), places };
}

/** The slow reading: each byte of the file by itself. */
export function slowly(short: Uint8Array, bytes: number): number[] {
  const u32 = (at: number) => Buffer.from(short).readUInt32LE(at);
  const places = Array.from({ length: u32(4) }, (_, i) => ({
    ...{ offset: u32(8 + 12 * i), inputs: u32(12 + 12 * i), outputs: u32(16 + 12 * i) },
  }));
  const size = (m: MatrixPlace) => m.inputs * m.outputs;
  const sum = (of: (m: MatrixPlace) => number, all = places) =>
    all.reduce((total, m) => total + of(m), 0);
  const groups = (m: MatrixPlace) => Math.ceil(m.inputs / 32) * m.outputs;
  const halves = (m: MatrixPlace) => Math.ceil(size(m) / 2);
  const head = 8 + 12 * places.length;
  return Array.from({ length: bytes }, (_, at) => {
    const i = places.findIndex((m) => at >= m.offset && at < m.offset + size(m));
    const place = places[i];
    if (place === undefined) {
      const before = places.filter((m) => m.offset < at);
      return short[head + at - sum(size, before)] ?? NaN;
    }
    const w = at - place.offset;
    const before = places.slice(0, i);
    const [row, column] = [Math.floor(w / place.outputs), w % place.outputs];
    const rest = head + bytes - sum(size);
    const multiple =
      short[rest + sum(groups, before) + Math.floor(row / 32) * place.outputs + column] ?? NaN;
    const pair = short[rest + sum(groups) + sum(halves, before) + Math.floor(w / 2)] ?? NaN;
    const half = w % 2 === 0 ? pair % 16 : Math.floor(pair / 16);
    return (((128 + multiple * (half - 8)) % 256) + 256) % 256;
  });
}
