import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import t from 'tap';
import { Bundle, parseManifest, sha256, writeBundle } from '../../src/bundle/index.js';
import { denseGraph } from '../../src/compress/graph/dense.js';
import { Engine } from '../../src/engine/engine.js';
import { tinyBundle, tinyCheckpoint } from '../sim/tiny-checkpoint.js';
import { bundleFaultOf as faultOf } from '../sim/bundle-fault.js';

const good = await tinyBundle('good');
const folder = await mkdtemp(join(tmpdir(), 'kikitori-bundles-'));
t.teardown(async () => {
  await rm(good.folder, { recursive: true, force: true });
  await rm(folder, { recursive: true, force: true });
});

const names = ['manifest.json', 'model.onnx', 'lexicon', 'selftest.wav'];
const opened = await Bundle.open(good.path);
const files = new Map(names.map((name) => [name, Buffer.from(opened.file(name))] as const));
// What is stored packed has tests of its own.
files.set('manifest.json', unpackedManifest());
await writeBundle(good.path, files);
type Manifest = Record<string, unknown> & {
  files: Record<string, unknown>;
  features: Record<string, unknown>;
  network: Record<string, unknown>;
};
function unpackedManifest() {
  const entries = Object.entries(opened.manifest.files).map(
    ([name, { sha256, bytes }]) => [name, { sha256, bytes }] as const,
  );
  return Buffer.from(JSON.stringify({ ...opened.manifest, files: Object.fromEntries(entries) }));
}
const manifest = (): Manifest =>
  JSON.parse((files.get('manifest.json') ?? '').toString()) as Manifest;

interface Entry {
  readonly name: string;
  readonly bytes?: Buffer;
  readonly type?: 'file' | 'symlink' | 'link' | 'directory' | 'character-device' | 'fifo';
  readonly linkname?: string;
  /** What the header says, whatever follows. */
  readonly size?: number;
}

async function tar(entries: readonly Entry[]): Promise<Buffer> {
  const archive = pack();
  const parts: Buffer[] = [];
  const done = (async () => {
    for await (const part of archive) parts.push(part as Buffer);
  })();
  for (const { name, bytes = Buffer.alloc(0), type = 'file', linkname } of entries)
    archive.entry(
      { name, type, mtime: new Date(0), ...(linkname === undefined ? {} : { linkname }) },
      type === 'file' ? bytes : '',
    );
  archive.finalize();
  await done;
  return Buffer.concat(parts);
}

let count = 0;
async function written(bytes: Buffer): Promise<string> {
  const path = join(folder, `b${count++}.tar`);
  await writeFile(path, bytes);
  return path;
}

/** The good bundle as a tar with other bytes for some files; their hashes are put right. */
async function changed(
  changes: Readonly<Record<string, Buffer>>,
  edit: (m: Manifest) => void = () => undefined,
): Promise<string> {
  const all = new Map([...files, ...Object.entries(changes)]);
  const m = manifest();
  for (const [name, bytes] of all)
    if (name !== 'manifest.json') m.files[name] = { sha256: sha256(bytes), bytes: bytes.length };
  edit(m);
  if (changes['manifest.json'] === undefined)
    all.set('manifest.json', Buffer.from(JSON.stringify(m)));
  return written(await tar([...all].map(([name, bytes]) => ({ name, bytes }))));
}

void t.test('a good one, as folder and as tar, is the same', async (t) => {
  const whole = await written(await tar([...files].map(([name, bytes]) => ({ name, bytes }))));
  const [a, b] = [await Bundle.open(good.path), await Bundle.open(whole)];
  t.equal(a.sha256, b.sha256);
  t.same(a.file('lexicon'), b.file('lexicon'));
});

void t.test('hashes, sizes, missing files', async (t) => {
  const damaged = Buffer.from(files.get('model.onnx') ?? '');
  damaged[100] = (damaged[100] ?? 0) ^ 1;
  const entries = (over: Record<string, Buffer | null>) =>
    [...files]
      .map(([name, bytes]) => ({ name, bytes: over[name] === undefined ? bytes : over[name] }))
      .filter((e): e is { name: string; bytes: Buffer<ArrayBuffer> } => e.bytes !== null);
  const fault = async (over: Record<string, Buffer | null>) =>
    faultOf(Bundle.open(await written(await tar(entries(over)))));
  t.match(
    await fault({ 'model.onnx': damaged }),
    /model\.onnx has SHA-256 [0-9a-f]{64}, the manifest says.*fetch it again/,
  );
  t.match(await fault({ lexicon: Buffer.from('x') }), /lexicon has 1 bytes, the manifest says \d+/);
  t.match(await fault({ lexicon: null }), /lexicon is missing/);
  t.match(
    await fault({ 'manifest.json': null }),
    /no manifest\.json in it; this is no kikitori bundle/,
  );
  t.match(await faultOf(Bundle.open(join(folder, 'none'))), /there is no such bundle/);
  t.match(await faultOf(Bundle.open(folder)), /no manifest\.json/);
});

void t.test('manifests: every fault with its field', async (t) => {
  const fault = async (edit: (m: Manifest) => void) =>
    faultOf(Bundle.open(await changed({}, edit)));
  t.match(
    await fault((m) => (m['format'] = 2)),
    /format is 2; expected format 1; this bundle is newer than the agent: update/,
  );
  t.match(await fault((m) => (m['minAgent'] = '99.0.0')), /minAgent is 99\.0\.0.*update kikitori/);
  t.match(
    await fault((m) => delete m.features['melBins']),
    /features\.melBins: missing, expected a whole number/,
  );
  const two = await fault((m) => {
    delete m['units'];
    m.network['chunkSteps'] = 'four';
  });
  t.match(two, /2 fault\(s\)/);
  t.match(two, /units: missing/);
  t.match(two, /network\.chunkSteps: "four", expected a whole number from 1 to 64/);
  t.match(await fault((m) => (m.features['fftSize'] = 500)), /features\.fftSize/);
  t.match(await fault((m) => (m.features['stack'] = 2.5)), /features\.stack/);
  t.match(await fault((m) => (m.files['model.onnx'] = null)), /model\.onnx/);
  t.match(
    await fault((m) => (m.files['../../etc/passwd'] = { sha256: '0'.repeat(64), bytes: 1 })),
    /not allowed|missing/,
  );
  t.match(await fault((m) => (m.files['extra'] = 7)), /extra/);
  t.match(await fault((m) => (m.network['state'] = [null])), /network\.state/);
  t.match(
    await fault((m) => (m.network['state'] = [{ name: 'h0', shape: [1, 1e12] }])),
    /network\.state/,
  );
  t.match(
    await faultOf(Bundle.open(await changed({ 'manifest.json': Buffer.from('{"a"') }))),
    /manifest\.json is not JSON/,
  );
  const deep = Buffer.from(`{"format":${'['.repeat(200_000)}${']'.repeat(200_000)}}`);
  t.match(await faultOf(Bundle.open(await changed({ 'manifest.json': deep }))), /format|JSON/);
});

void t.test('a manifest whose numbers would give none is refused', async (t) => {
  const shipped = readFileSync('models/kikitori-en/manifest.json', 'utf8');
  const fault = (text: string) => {
    try {
      parseManifest(text, 'x', '9.0.0');
      return '';
    } catch (error) {
      return (error as Error).message;
    }
  };
  const features = (changes: object) => {
    const m = JSON.parse(shipped) as Manifest;
    return fault(JSON.stringify({ ...m, features: { ...m.features, ...changes } }));
  };
  const list = (value: number) => {
    const m = JSON.parse(shipped) as { features: { melBins: number } };
    return Array.from({ length: m.features.melBins }, () => value);
  };
  t.equal(features({}), '');
  t.match(features({ std: list(1e-300) }), /features\.std: below 0\.000001/);
  t.match(features({ mean: list(-1e30) }), /features\.mean: beyond 1000000/);
  t.match(features({ stride: 9, stack: 8 }), /features\.stride: above features\.stack/);
  t.equal(features({ stride: 8, stack: 8 }), '');
  const weight = shipped.replace(/("weights": \{\s*"\w+": )-?[\d.]+/, '$11e999');
  t.not(weight, shipped);
  t.match(fault(weight), /expected an object of finite numbers|object of numbers/);
});

void t.test('tars that reach out, repeat or swell are refused', async (t) => {
  const bytes = Buffer.from('x');
  const cases: [Entry[], RegExp][] = [
    [[{ name: '../outside', bytes }], /file name "\.\.\/outside" is not allowed/],
    [[{ name: '/etc/passwd', bytes }], /not allowed/],
    [[{ name: 'a/b', bytes }], /not allowed/],
    [[{ name: '.hidden', bytes }], /not allowed/],
    [
      [{ name: 'lexicon', type: 'symlink', linkname: '/etc/passwd' }],
      /symlink entries are not allowed/,
    ],
    [
      [{ name: 'lexicon', type: 'link', linkname: 'manifest.json' }],
      /link entries are not allowed/,
    ],
    [[{ name: 'folder', type: 'directory' }], /directory entries are not allowed|not allowed/],
    [[{ name: 'dev', type: 'character-device' }], /not allowed/],
    [
      [
        { name: 'lexicon', bytes },
        { name: 'lexicon', bytes },
      ],
      /lexicon is there twice/,
    ],
  ];
  for (const [entries, expected] of cases)
    t.match(await faultOf(Bundle.open(await written(await tar(entries)))), expected);
  // A header that promises 8 GB: refused before any of it is read.
  const swollen = await tar([{ name: 'lexicon', bytes }]);
  swollen.write('77777777777\0', 124, 'latin1');
  let sum = 0;
  swollen.fill(' ', 148, 156);
  for (let i = 0; i < 512; i++) sum += swollen[i] ?? 0;
  swollen.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  t.match(await faultOf(Bundle.open(await written(swollen))), /more than 67108864 bytes/);
});

void t.test('cut off anywhere, or noise: an error or the whole bundle, never a part', async (t) => {
  const whole = await tar([...files].map(([name, bytes]) => ({ name, bytes })));
  const { sha256: wanted } = await Bundle.open(good.path);
  let complete = 0;
  for (let i = 0; i <= 60; i++) {
    const cut = i < 30 ? i * 173 : Math.floor((whole.length * (i - 30)) / 30);
    const path = await written(whole.subarray(0, cut));
    const fault = await faultOf(
      Bundle.open(path).then((b) => {
        if (b.sha256 !== wanted) throw new Error('another bundle');
        for (const name of names.slice(1)) b.file(name);
      }),
    );
    if (fault === 'NO ERROR') complete++;
    else t.notMatch(fault, /NO CLEAR ERROR/, `cut at ${cut}`);
  }
  t.ok(complete <= 2, 'only when nothing but the end marks is missing');
  const noise = Buffer.from(Array.from({ length: 3000 }, (_, i) => (i * 7919) % 251));
  t.match(await faultOf(Bundle.open(await written(noise))), /cannot be read as a tar|no manifest/);
  t.match(await faultOf(Bundle.open(await written(Buffer.alloc(0)))), /no manifest|tar/);
});

void t.test('a network that does not fit, and a lexicon that is none', async (t) => {
  const load = async (changes: Record<string, Buffer>, edit?: (m: Manifest) => void) =>
    faultOf(changed(changes, edit).then((modelPath) => Engine.open({ modelPath })));
  const fewer = tinyCheckpoint();
  const units = fewer.units.slice(0, 30);
  const narrow = denseGraph(
    {
      ...fewer,
      units,
      outputs: units.length,
      tensors: new Map(
        [...fewer.tensors].map(([name, tensor]) => {
          if (name !== 'output.weight' && name !== 'output.bias') return [name, tensor];
          const shape = [30, ...tensor.shape.slice(1)];
          const size = shape.reduce((a, b) => a * b, 1);
          return [name, { ...tensor, shape, data: tensor.data.slice(0, size) }];
        }),
      ),
    },
    'float32',
  );
  t.match(
    await load({ 'model.onnx': Buffer.from(narrow) }),
    /does not fit its manifest: it gives 30 values for 40 units/,
  );
  const other = Buffer.from(denseGraph(tinyCheckpoint([12]), 'float32'));
  t.match(
    await load({ 'model.onnx': other }),
    /model\.onnx takes c0, features, h0; expected c0, c1, features, h0, h1/,
  );
  const wide = Buffer.from(denseGraph(tinyCheckpoint([12, 11]), 'float32'));
  t.match(await load({ 'model.onnx': wide }), /does not fit its manifest/);
  t.match(await load({ 'model.onnx': Buffer.from('no network') }), /model\.onnx does not load/);
  t.match(await load({ 'model.onnx': Buffer.alloc(0) }), /model\.onnx does not load/);
  for (const lexicon of [
    Buffer.alloc(0),
    Buffer.from('garbage'),
    gzipSync('kikitori-lexicon 9\n{}\n'),
    gzipSync('kikitori-lexicon 1\n{"units":3}\n'),
    gzipSync('kikitori-lexicon 1\nnot json\nhello'),
    gzipSync('kikitori-lexicon 1\n{"units":["a","b"],"words":1000000}\nhello'),
    gzipSync(`kikitori-lexicon 1\n${JSON.stringify({ units: ['<blank>', 'A'], words: 0 })}\n`),
  ])
    t.match(await load({ lexicon }), /the lexicon (cannot be read|does not fit)/);
});

void t.test('links inside a folder do not get around the hashes', async (t) => {
  const other = await tinyBundle('linked');
  t.teardown(() => rm(other.folder, { recursive: true, force: true }));
  await rm(join(other.path, 'lexicon'));
  await symlink('/etc/hostname', join(other.path, 'lexicon'));
  t.match(await faultOf(Bundle.open(other.path)), /lexicon (has|is missing)/);
});

void t.test('a bundle replaces a bundle or an empty folder, and nothing else', async (t) => {
  const own = await mkdtemp(join(tmpdir(), 'kikitori-write-'));
  t.teardown(() => rm(own, { recursive: true, force: true }));
  const all = new Map([...files, ['manifest.json', Buffer.from(JSON.stringify(manifest()))]]);
  const ship = join(own, 'ship');
  await writeBundle(`${ship}/`, all);
  await writeBundle(`${ship}/`, all);
  t.same((await readdir(own)).sort(), ['ship'], 'a slash at the end is no other folder');
  t.same((await readdir(ship)).sort(), [...names].sort());
  await mkdir(join(own, 'empty'));
  await writeBundle(join(own, 'empty'), all);
  await writeFile(join(own, 'notes.txt'), 'mine');
  await t.rejects(writeBundle(own, all), /holds other files/);
  await t.rejects(writeBundle(join(own, 'notes.txt'), all), { kind: 'input' } as never);
  t.equal(await readFile(join(own, 'notes.txt'), 'utf8'), 'mine');
});
