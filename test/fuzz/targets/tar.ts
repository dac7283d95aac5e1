import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pack } from 'tar-stream';
import { Bundle, readTar, sha256, writeBundle } from '../../../src/bundle/index.js';
import type { Random } from '../engine/random.js';
import { must, type Target } from '../engine/target.js';

const folder = mkdtempSync(join(tmpdir(), 'kikitori-fuzz-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
const inner = join(folder, 'in');
const path = join(folder, 'bundle.tar');
const blockBytes = 512;

export const target: Omit<Target, 'name'> = {
  right:
    'plain files with plain names, no more bytes than the archive has; nothing is written; it is written and read again alike',
  covers: ['src/bundle/bundle.ts'],
  bytesMax: 12 * 1024,
  where: 'bundle.tar',
  words: [
    '../evil',
    '/etc/passwd',
    'manifest.json',
    'a/b',
    'ustar',
    '00000000000',
    '77777777777',
    '\x80\0\0\0',
  ],
  seeds: async () => [
    await tar([{ name: 'manifest.json' }, { name: 'lexicon' }]),
    await tar([{ name: 'a', type: 'directory' }, { name: 'b' }]),
    await tar([{ name: 'link', type: 'symlink', linkname: '/etc/passwd' }]),
    await tar([
      { name: 'x'.repeat(120) },
      { name: 'a', pax: { path: '../evil', size: '99999999999' } },
    ]),
    await tar([{ name: 'same' }, { name: 'same' }]),
    await tar([{ name: 'b', type: 'link', linkname: 'a' }]),
  ],
  mutate: withChecks,
  run: async (input) => {
    writeFileSync(path, input);
    const before = readdirSync(folder).sort().join();
    const files = await readTar(path);
    let total = 0;
    for (const [name, bytes] of files) {
      must(
        /^[\w][\w.-]*$/.test(name) && !name.includes('..' + '/'),
        `the name ${JSON.stringify(name)}`,
      );
      total += bytes.length;
    }
    must(total <= input.length, 'more bytes than the archive has');
    must(
      readdirSync(folder).sort().join() === before && !existsSync(inner),
      'something was written',
    );
    const again = join(folder, 'again.tar');
    await writeBundle(again, files);
    const back = await readTar(again);
    must(
      JSON.stringify([...back].map(([n, b]) => [n, sha256(b)])) ===
        JSON.stringify([...files].map(([n, b]) => [n, sha256(b)])),
      'other files after writing',
    );
    rmSync(again);
    await Bundle.open(path);
  },
};

async function tar(
  entries: readonly ({ name: string } & Record<string, unknown>)[],
): Promise<Buffer> {
  const archive = pack();
  const parts: Buffer[] = [];
  const done = (async () => {
    for await (const part of archive) parts.push(part as Buffer);
  })();
  for (const entry of entries)
    archive.entry(
      { mtime: new Date(0), ...entry },
      'type' in entry ? '' : `content of ${entry.name}`,
    );
  archive.finalize();
  await done;
  return Buffer.concat(parts);
}

/** Some byte or number of a header is changed, and its checksum made right again: else nothing is read of it. */
function withChecks(input: Buffer, random: Random): Buffer {
  const copy = Buffer.from(input);
  const blocks = Math.floor(copy.length / blockBytes);
  if (blocks === 0) return copy;
  const header = copy.subarray(blockBytes * random.below(blocks)).subarray(0, blockBytes);
  const fields = [
    [0, 100],
    [100, 8],
    [124, 12],
    [136, 12],
    [156, 1],
    [157, 100],
    [257, 8],
    [345, 155],
  ];
  const [at = 0, size = 1] = random.of(fields);
  const put = Buffer.from(
    random.of([
      ...[
        '../evil\0',
        '/abs\0',
        'a\0',
        '',
        '00000000777\0',
        '77777777777\0',
        '-0000000001\0',
        '\x80',
      ],
      ...['0', '1', '2', '5', '7', 'x', 'g', 'L', 'K', 'S', '\xff\xff\xff\xff', 'manifest.json\0'],
    ]),
    'latin1',
  );
  put.copy(header, at, 0, size);
  header.fill(' ', 148, 156);
  const sum = header.reduce((a, b) => a + b, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return copy;
}
