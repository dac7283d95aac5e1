import { createReadStream } from 'node:fs';
import { createGunzip } from 'node:zlib';
import { codeOf, fileFault, KikitoriError, messageOf } from '../../runtime/errors.js';

/** A longer line is no sentence: something else is wrong with the file. */
const lineBytesMax = 1024 * 1024;

/** Lines of a file in UTF-8, packed with gzip or not, without their ends. Every fault names its line. */
export async function* linesOf(path: string): AsyncGenerator<string, void, void> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let rest: Buffer = Buffer.alloc(0);
  let line = 0;
  const fault = (what: string, expected: string, hint?: string) =>
    new KikitoriError(what, {
      kind: 'input',
      where: `${path}:${line}`,
      expected,
      ...(hint === undefined ? {} : { hint }),
    });
  const decoded = (bytes: Uint8Array) => {
    line += 1;
    try {
      const end = bytes.at(-1) === 13 ? bytes.length - 1 : bytes.length;
      return decoder.decode(bytes.subarray(0, end));
    } catch {
      throw fault(
        'a line that is no UTF-8',
        'UTF-8',
        'save it as UTF-8: iconv -f WINDOWS-1252 -t UTF-8 OLD > NEW',
      );
    }
  };
  for await (const chunk of bytesOf(path)) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let from = 0;
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, from)) {
      yield decoded(bytes.subarray(from, end));
      from = end + 1;
    }
    rest = bytes.subarray(from);
    if (rest.length <= lineBytesMax) continue;
    line += 1;
    throw fault(
      `a line of more than ${lineBytesMax} bytes`,
      'one sentence a line',
      'of running text, say --prose and end its paragraphs with an empty line',
    );
  }
  if (rest.length > 0) yield decoded(rest);
}

async function* bytesOf(path: string): AsyncGenerator<Buffer, void, void> {
  const file = createReadStream(path, { highWaterMark: 256 * 1024 });
  try {
    let source: AsyncIterable<unknown> | undefined;
    const chunks = file[Symbol.asyncIterator]();
    const first = (await chunks.next()) as IteratorResult<Buffer>;
    if (first.done === true) return;
    if (first.value[0] === 0x1f && first.value[1] === 0x8b) {
      file.destroy();
      const packed = createReadStream(path);
      const unpacked = createGunzip();
      packed.on('error', (error) => unpacked.destroy(error)).pipe(unpacked);
      source = unpacked;
    } else {
      yield first.value;
      source = { [Symbol.asyncIterator]: () => chunks };
    }
    for await (const chunk of source) yield chunk as Buffer;
  } catch (error) {
    if (error instanceof KikitoriError) throw error;
    const packed = /^Z_|^ERR_.*Z/.test(codeOf(error) ?? '');
    throw new KikitoriError(
      packed ? `its gzip packing is damaged (${messageOf(error)})` : fileFault(error),
      { kind: 'input', where: path, expected: 'a text, as it is or packed with gzip' },
    );
  } finally {
    file.destroy();
  }
}
