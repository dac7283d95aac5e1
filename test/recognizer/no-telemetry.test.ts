/** ONNX Runtime writes down and sends what it is used for, unless it is told not to before it is loaded. */
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { Child } from '../sim/process.js';
import { tinyBundle } from '../sim/tiny-checkpoint.js';

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));

void t.test('nothing is kept for sending, and there is no device id', async (t) => {
  const home = await mkdtemp(join(tmpdir(), 'kikitori-telemetry-'));
  const { path, folder } = await tinyBundle();
  t.teardown(async () => {
    await rm(home, { recursive: true, force: true });
    await rm(folder, { recursive: true, force: true });
  });
  await mkdir(join(home, 'tmp'));
  const script = `
    import { Bundle } from ${JSON.stringify(at('../../src/bundle/index.ts'))};
    import { AcousticModel } from ${JSON.stringify(at('../../src/recognizer/index.ts'))};
    const model = await AcousticModel.open(await Bundle.open(${JSON.stringify(path)}));
    await model.begin().feed(new Float32Array(8 * model.dim));
    console.log('heard');
    await model.close();`;
  const args = ['--import', at('../../scripts/lib/transpiled.js'), '--input-type=module'];
  const child = Child.node([...args, '-e', script], {
    HOME: home,
    XDG_CACHE_HOME: '',
    TMPDIR: join(home, 'tmp'),
    ORT_DISABLE_TELEMETRY: '',
  });
  await child.line('heard');
  t.equal(await child.exit(), 0, child.errors);
  t.same(await readdir(home, { recursive: true }), ['tmp'], 'it wrote nothing anywhere');
});

void t.test('it is loaded in one place', async (t) => {
  const src = at('../../src');
  const files = (await readdir(src, { recursive: true })).filter((name) => name.endsWith('.ts'));
  const loads = [];
  for (const name of files)
    if ((await readFile(join(src, name), 'utf8')).includes("await import('onnxruntime-node')"))
      loads.push(name);
  t.same(loads, ['recognizer/onnx-runtime.ts']);
});
