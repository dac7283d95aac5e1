/** Where format and data of a WAV file are, whatever its header says of their lengths. */

export interface Chunks {
  readonly view: DataView;
  readonly littleEndian: boolean;
  readonly format: { readonly at: number; readonly size: number };
  /** `size` is what is there. */
  readonly data: { readonly at: number; readonly size: number; readonly truncated: boolean };
}

/** The largest length that 32 bits hold, and near it: whoever streams writes one of these, for want of a length. */
const unknownFrom = 0x7ff00000;

/** Throws what `wrong` makes of the words. */
export function findChunks(bytes: Uint8Array, wrong: (what: string) => Error): Chunks {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const tag = (at: number) => String.fromCharCode(...bytes.subarray(at, at + 4));
  const kind = tag(0);
  if (bytes.length === 0) throw wrong('the file is empty');
  if (bytes.length < 12 || !['RIFF', 'RIFX', 'RF64', 'BW64'].includes(kind) || tag(8) !== 'WAVE')
    throw wrong('this is no WAV file, whatever its name says');
  const littleEndian = kind !== 'RIFX';
  const isTag = (at: number) => at === bytes.length || /^[A-Za-z][\w ]{3}$/.test(tag(at));
  const sizeAt = (at: number) => view.getUint32(at + 4, littleEndian);
  let long: number | undefined;
  let format: Chunks['format'] | undefined;
  for (let at = 12; at + 8 <= bytes.length;) {
    const size = sizeAt(at);
    const body = at + 8;
    if (tag(at) === 'ds64' && body + 16 <= bytes.length)
      long = Number(view.getBigUint64(body + 8, littleEndian));
    if (tag(at) === 'fmt ') {
      if (size < 16 || body + size > bytes.length) throw wrong('the format chunk is cut off');
      format = { at: body, size };
    } else if (tag(at) === 'data') {
      if (format === undefined) throw wrong('the data come before the format');
      return {
        view,
        littleEndian,
        format,
        data: dataAt(body, size === 0xffffffff ? (long ?? size) : size),
      };
    }
    at = nextChunk(body, size);
  }
  throw wrong('the header is cut off: there is no audio in it');

  /** Chunks begin at even places; some writers forget it. */
  function nextChunk(body: number, size: number): number {
    const end = body + size;
    return size % 2 === 1 && !isTag(end + 1) && isTag(end) ? end : end + (size % 2);
  }

  function dataAt(at: number, size: number): Chunks['data'] {
    const rest = bytes.length - at;
    if (size === 0) return { at, size: onlyChunksFrom(at) ? 0 : rest, truncated: false };
    return { at, size: Math.min(size, rest), truncated: size > rest && size < unknownFrom };
  }

  /** Whether other chunks follow, to the very end: then the data were empty, and not of unknown length. */
  function onlyChunksFrom(begin: number): boolean {
    let at = begin;
    while (at + 8 <= bytes.length && isTag(at)) at = nextChunk(at + 8, sizeAt(at));
    return at === bytes.length || at === bytes.length + 1;
  }
}
