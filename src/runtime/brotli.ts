/** Brotli of whole pieces (RFC 7932), by Node's own zlib. */
import { promisify } from 'node:util';
import {
  brotliCompressSync,
  brotliDecompress,
  brotliDecompressSync,
  constants,
  type BrotliOptions,
} from 'node:zlib';
import { codeOf } from './errors.js';

/** @param effort brotli's quality, 0 to 11. The same input gives the same bytes. */
export function packed(bytes: Uint8Array, effort = constants.BROTLI_MAX_QUALITY): Buffer {
  return brotliCompressSync(bytes, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: effort,
      [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS,
      [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
    },
  });
}

/**
 * Unpacks into one piece of memory, of the size that is said. Whatever the bytes are, no more than that is made: a bomb is
 * an error. Node's own pieces of 16 KB fragment the heap: 5 MB more at each of the first changes of the model.
 */
export function unpacked(bytes: Uint8Array, unpackedBytes: number): Buffer {
  try {
    return asSaid(brotliDecompressSync(bytes, oneOf(unpackedBytes)), unpackedBytes);
  } catch (error) {
    throw inWords(error);
  }
}

/** The same on a thread of its own: what is large stops nobody. */
export async function unpackedAside(bytes: Uint8Array, unpackedBytes: number): Promise<Buffer> {
  try {
    return asSaid(await decompress(bytes, oneOf(unpackedBytes)), unpackedBytes);
  } catch (error) {
    throw inWords(error);
  }
}

const decompress = promisify<Uint8Array, BrotliOptions, Buffer>(brotliDecompress);

const oneOf = (bytes: number): BrotliOptions => ({
  chunkSize: Math.max(bytes + 1, 1024),
  maxOutputLength: bytes,
});

function asSaid(whole: Buffer, bytes: number): Buffer {
  if (whole.length !== bytes) throw new Error('has not the size that is said');
  return whole;
}

const inWords = (error: unknown): unknown =>
  codeOf(error) === 'ERR_BUFFER_TOO_LARGE' ? new Error('is larger than is said') : error;
