/** A bundle with its lexicon built anew: nothing else changes. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { Bundle } from '../../src/bundle/index.js';
import { repackLexicon } from '../../src/compress/pack.js';
import { Engine } from '../../src/engine/engine.js';
import { buildLexicon } from '../../src/recognizer/index.js';
import { tinyBundle } from '../sim/tiny-checkpoint.js';

void t.test('the lexicon is new, the rest keeps its bytes', async (t) => {
  const made = await tinyBundle('before');
  t.teardown(() => rm(made.folder, { recursive: true, force: true }));
  const out = join(made.folder, 'after.tar');
  const build = (units: readonly string[]) =>
    buildLexicon({ stop: 'S T AA1 P', zorb: 'Z AO1 R B' }, units, { rules: false });
  const bytes = await repackLexicon(made.path, build, out);
  const [before, after] = [await Bundle.open(made.path), await Bundle.open(out)];
  t.equal(after.file('lexicon').length, bytes);
  const { lexicon, ...others } = after.manifest.files;
  t.equal(lexicon?.bytes, bytes);
  t.match(before.manifest.files, others);
  t.same(
    { ...after.manifest, files: {} },
    { ...before.manifest, files: {} },
    'the manifest says the same otherwise',
  );
  const engine = await Engine.open({ modelPath: out });
  t.teardown(() => engine.close());
  t.equal(engine.lexicon.lookup('zorb')[0]?.source, 'dictionary');
  t.same(engine.lexicon.lookup('kitchen'), [], 'no rules were packed');
  await repackLexicon(made.path, build, made.path);
  t.equal((await Bundle.open(made.path)).manifest.files.lexicon?.bytes, bytes, 'in its own place');
});
