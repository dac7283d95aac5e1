/** Files of a bundle that are stored packed: the same bundle, fewer bytes, and nothing unpacked that was not checked. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliCompressSync, brotliDecompressSync } from 'node:zlib';
import t from 'tap';
import {
  Bundle,
  manifestText,
  pack,
  readTar,
  sha256,
  storedFiles,
  storedName,
  writeBundle,
  type FileEntry,
} from '../../src/bundle/index.js';
import { opened } from '../../src/bundle/packed.js';
import { main } from '../../src/cli/main.js';
import { repackLexicon, rewriteManifest } from '../../src/compress/pack.js';
import { randomFrom } from '../../src/measure/evaluate/statistics.js';
import { modelMissing, shippedModel } from '../sim/model.js';
import { tinyBundle, tinyLexiconBytes } from '../sim/tiny-checkpoint.js';
import { bundleFaultOf as faultOf } from '../sim/bundle-fault.js';
import { nibbleFile } from '../sim/nibble-file.js';

const made = await tinyBundle('plain');
const folder = await mkdtemp(join(tmpdir(), 'kikitori-packed-'));
t.teardown(async () => {
  await rm(made.folder, { recursive: true, force: true });
  await rm(folder, { recursive: true, force: true });
});
const plain = await Bundle.open(made.path);
const random = randomFrom(1);
/** Like weights in 8 bits: most are near the middle. */
const network = Uint8Array.from(
  { length: 100_000 },
  () => 128 + 24 * (random() + random() + random() - 1.5),
);

let count = 0;
const fresh = (end = '') => join(folder, `b${count++}${end}`);
const read = (name: string) => (name === 'model.onnx' ? network : plain.file(name));

const packedBefore = new Map<string, ReturnType<typeof pack>>();
/** The tiny bundle with that network, as `pack` stores it. Brotli's slowest level is slow. */
function packedFiles(minAgent = '0.9.0') {
  const files = new Map(Object.keys(plain.manifest.files).map((name) => [name, read(name)]));
  const made = packedBefore.get(minAgent) ?? pack(files, minAgent);
  packedBefore.set(minAgent, made);
  return { ...made, stored: new Map(made.stored) };
}

/** Writes it as a .tar, with another entry and other bytes for the network where given. */
async function written(
  entry?: unknown,
  stored?: Uint8Array,
  path = fresh('.tar'),
): Promise<string> {
  const { entries, minAgent, stored: files } = packedFiles();
  const said = { ...entries, ...(entry === undefined ? {} : { 'model.onnx': entry }) };
  const manifest = JSON.stringify({ ...plain.manifest, minAgent, files: said });
  if (stored !== undefined) files.set('model.onnx.br', stored);
  await writeBundle(path, new Map([['manifest.json', Buffer.from(manifest)], ...files]));
  return path;
}

void t.test('as folder and as tar it is what it was before', async (t) => {
  const { entries, minAgent, stored } = packedFiles();
  t.match(entries['model.onnx'], { bytes: network.length, packed: { encoding: 'br' } });
  t.ok((stored.get('model.onnx.br')?.length ?? NaN) < 0.9 * network.length);
  t.equal(entries['selftest.wav']?.packed, undefined, 'short files stay as they are');
  t.equal(minAgent, '0.11.0', 'agents before that cannot read it');
  t.equal(packedFiles('1.2.3').minAgent, '1.2.3');
  const paths = [await written(), await written(undefined, undefined, fresh())];
  for (const path of paths) {
    const bundle = await Bundle.open(path);
    for (const name of Object.keys(plain.manifest.files))
      t.same(Buffer.from(bundle.file(name)), Buffer.from(read(name)), name);
    t.throws(() => bundle.file('model.onnx.br'), /missing/, 'what it was packed in is not kept');
    bundle.forget('model.onnx');
    t.throws(() => bundle.file('model.onnx'), /missing/);
  }
  t.same((await readdir(paths[1] ?? '')).sort(), [
    ...['lexicon', 'manifest.json', 'model.onnx.br', 'selftest.wav'],
  ]);
  t.equal((await Bundle.open(paths[0] ?? '')).sha256, (await Bundle.open(paths[1] ?? '')).sha256);
});

void t.test('what does not gain is not packed', (t) => {
  const noise = Uint8Array.from({ length: 80_000 }, () => 256 * random());
  const { entries, minAgent, stored } = pack(new Map([['lexicon', noise]]), '0.9.0');
  t.same(entries, { lexicon: { sha256: sha256(noise), bytes: noise.length } });
  t.equal(stored.get('lexicon'), noise);
  t.equal(minAgent, '0.9.0');
  t.end();
});

void t.test('an older agent says that it is too old, not that something is missing', async (t) => {
  t.match(
    await faultOf(Bundle.open(await written(), '0.10.0')),
    /minAgent is 0\.11\.0 and this is kikitori 0\.10\.0.*update kikitori/,
  );
});

void t.test('bombs, lies, damage', async (t) => {
  const right = packedFiles().entries['model.onnx'] as Required<FileEntry>;
  const of = (bytes: Uint8Array) => ({ sha256: sha256(bytes), bytes: bytes.length });
  const holding = async (stored: Uint8Array, more: Partial<FileEntry> = {}) =>
    faultOf(
      Bundle.open(
        await written({ ...right, ...more, packed: { encoding: 'br', ...of(stored) } }, stored),
      ),
    );
  const again = /; the bundle is damaged: fetch it again/;
  const bomb = brotliCompressSync(Buffer.alloc(60_000_000));
  t.match(await holding(bomb), /model\.onnx\.br is larger than is said.*fetch it again/);
  t.match(
    await holding(bomb, { bytes: 70_000_000 }),
    /its files have \d+ bytes, at most 67108864 are taken/,
  );
  t.match(await holding(brotliCompressSync(network.subarray(1))), /has not the size that is said/);
  const other = network.map((v, i) => (i === 7 ? v ^ 1 : v));
  t.match(
    await holding(brotliCompressSync(other)),
    /model\.onnx has SHA-256 [0-9a-f]{64}, the manifest says/,
  );
  t.match(await holding(Buffer.from('no brotli at all')), again);
  const good = brotliCompressSync(network);
  t.match(await holding(good.subarray(0, good.length - 9)), again, 'cut off, and signed so');
  t.match(
    await faultOf(Bundle.open(await written(right, Buffer.alloc(99)))),
    /model\.onnx\.br has 99 bytes, the manifest says \d+/,
  );
  const flipped = Buffer.from(packedFiles().stored.get('model.onnx.br') ?? '');
  flipped[50] = (flipped[50] ?? 0) ^ 1;
  t.match(
    await faultOf(Bundle.open(await written(right, flipped))),
    /model\.onnx\.br has SHA-256 [0-9a-f]{64}, the manifest says/,
    'not unpacked',
  );
  const encoding = { ...right, packed: { ...right.packed, encoding: 'zstd' } };
  t.match(await faultOf(Bundle.open(await written(encoding))), /model\.onnx.*with encoding "br"/);
  t.match(await faultOf(Bundle.open(await written({ ...right, packed: null }))), /encoding "br"/);
});

void t.test('weights in 4 bits: half the bytes, and nothing is believed', async (t) => {
  const { bytes, places } = nibbleFile(random, [
    [64, 500],
    [70, 300],
  ]);
  const { entries, minAgent, stored } = pack(
    new Map([['model.onnx', bytes]]),
    '0.9.0',
    new Map([['model.onnx', places]]),
  );
  t.equal(minAgent, '0.12.0');
  const right = entries['model.onnx'] as Required<FileEntry>;
  const good = stored.get('model.onnx.br') ?? new Uint8Array();
  t.match(right, { bytes: bytes.length, packed: { encoding: 'br', filter: 'nibbles' } });
  t.ok(good.length < 0.58 * bytes.length, `${good.length} of ${bytes.length} bytes`);
  const open = async (version: string, packed: object, content = good) => {
    const path = await written({ ...right, packed: { ...right.packed, ...packed } }, content);
    const text = Buffer.from((await readTar(path)).get('manifest.json') ?? '').toString();
    const files = (await readTar(path)).set(
      'manifest.json',
      Buffer.from(text.replace(/"minAgent":"[^"]*"/, '"minAgent":"0.12.0"')),
    );
    await writeBundle(path, files);
    return Bundle.open(path, version);
  };
  t.same(Buffer.from((await open('0.12.0', {})).file('model.onnx')), Buffer.from(bytes));
  t.match(
    await faultOf(open('0.11.0', {})),
    /minAgent is 0\.12\.0 and this is kikitori 0\.11\.0.*update/,
  );
  const faulty = async (packed: object, content?: Uint8Array) =>
    faultOf(open('0.12.0', packed, content));
  const expected = /model\.onnx.*filter "nibbles" and filteredBytes/;
  t.match(await faulty({ filter: 'lzma' }), expected);
  t.match(await faulty({ filteredBytes: -1 }), expected);
  t.match(await faulty({ filter: undefined }), expected, 'a size of nothing');
  const size = right.packed.filteredBytes ?? 0;
  t.match(await faulty({ filteredBytes: size - 1 }), /model\.onnx\.br is larger than is said/);
  t.match(await faulty({ filteredBytes: size + 1 }), /has not the size that is said/);
  t.match(await faulty({ filteredBytes: 2 ** 26 }), /files have \d+ bytes, at most 67108864/);
  // Signed so: the sums are right, the content is not.
  const of = (content: Uint8Array) => ({ sha256: sha256(content), bytes: content.length });
  for (let share = 0; share < 100; share++) {
    const cut = good.subarray(0, Math.floor((share / 100) * good.length));
    const got = await opened(
      'model.onnx',
      { ...right, packed: { ...right.packed, ...of(cut) } },
      cut,
    );
    if (typeof got !== 'string') t.fail(`cut at ${share} %`);
  }
  const short = Buffer.from(brotliDecompressSync(good));
  for (const [at, said] of [
    [0, /model\.onnx\.br does not begin as weights in 4 bits do.*fetch it again/],
    [7, /model\.onnx\.br says that it has \d+ matrices/],
    [11, /model\.onnx\.br has matrix 0 of 64 x 500 at \d+, outside of the/],
    [short.length - 1, /model\.onnx has SHA-256 [0-9a-f]{64}, the manifest says/],
  ] as const) {
    const other = Buffer.from(short);
    other[at] = (other[at] ?? 0) ^ 0x41;
    const content = brotliCompressSync(other);
    t.match(await faulty(of(content), content), said);
  }
});

void t.test('any bytes give the file or a text', async (t) => {
  const { entries, stored } = packedFiles();
  const entry = entries['model.onnx'] as FileEntry;
  const good = stored.get('model.onnx.br') ?? new Uint8Array();
  for (let i = 0; i < 150; i++) {
    const bytes = Uint8Array.from(
      good.subarray(0, i % 3 === 0 ? good.length * random() : undefined),
    );
    for (let n = 1 + 4 * random(); n > 0 && i % 3 !== 0; n--)
      bytes[Math.floor(bytes.length * random() ** 3)] = 256 * random();
    const got = await opened('model.onnx', entry, bytes);
    if (typeof got === 'string') t.match(got, /^model\.onnx(\.br)? \S/);
    else t.equal(sha256(got), entry.sha256);
  }
});

void t.test('who writes a bundle again keeps what is packed, to the byte', async (t) => {
  const path = await written(undefined, undefined, fresh());
  const before = await storedFiles(await Bundle.open(path));
  t.same([...before.keys()].sort(), (await readdir(path)).sort());
  for (const [name, bytes] of before)
    t.same(Buffer.from(bytes), await readFile(join(path, name)), name);
  await rewriteManifest(path, { measured: { something: 1 } });
  const bundle = await Bundle.open(path);
  t.same(bundle.manifest.measured, { something: 1 });
  const after = await storedFiles(bundle);
  t.same(after.get('model.onnx.br'), before.get('model.onnx.br'));
  t.same([...after.keys()].sort(), [...before.keys()].sort());
  await writeFile(join(path, 'model.onnx.br'), 'x');
  await t.rejects(storedFiles(bundle), /model\.onnx\.br has 1 bytes/);
});

const skip = modelMissing() ?? false;
void t.test('a manifest as text is what it was, with lists of numbers on one line', (t) => {
  const texts = ['[ 1, 2 ]', '[\n 1,\n 2\n]', '[', '[\n 1', '\n ]', '"[\n 7\n]"'];
  const value = {
    texts,
    ...Object.fromEntries(texts.map((text) => [text, [texts, [1], []]])),
    numbers: [1, -2.5, 1e-9, 1e21],
    mixed: [1, 'a', [2, [3, 4]], { a: [5, 6] }, null, true, -7],
    manifest: plain.manifest,
  };
  const text = manifestText(value);
  t.same(JSON.parse(text), value);
  t.match(text, '"numbers": [1, -2.5, 1e-9, 1e+21],\n');
  t.equal(text.match(/^\s*-?[\d.]+,?$/gm)?.length, 3, 'only of mixed lists');
  t.end();
});

void t.test('the model that ships, packed: same bits, fewer bytes', { skip }, async (t) => {
  const path = fresh('.tar');
  await repackLexicon(shippedModel, () => tinyLexiconBytes(), path);
  const [was, is] = [await Bundle.open(shippedModel), await Bundle.open(path)];
  t.same(is.file('model.onnx'), was.file('model.onnx'));
  const entry = is.manifest.files['model.onnx'] as Required<FileEntry>;
  t.equal(storedName('model.onnx', entry), 'model.onnx.br');
  t.ok(entry.packed.bytes < 0.85 * entry.bytes, `${entry.packed.bytes} of ${entry.bytes} bytes`);
  t.not(is.manifest.minAgent, '0.9.0');
  let out = '';
  const status = await main(['model', 'selftest', '--json', path], {
    stdout: { write: (text: string) => (out += text) },
    stderr: { write: () => undefined },
    env: {},
  });
  t.match(out, /"logits":"?same/);
  t.type(status, 'number');
});
