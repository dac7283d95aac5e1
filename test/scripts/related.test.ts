/** What `scripts/test --changed` runs: of a small made-up repository, and of this one. */
import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import t from 'tap';
import { related, type Repository } from '../../scripts/lib/related.js';
import { distancesTo, Uses } from '../../scripts/lib/uses.js';

const texts: Record<string, string> = {
  'src/lamp/index.ts': "export { bulb } from './bulb.js';\nexport * from './shade.js';\n",
  'src/lamp/bulb.ts': "import type { Watt } from '../units.js';\nexport const bulb: Watt = 40;\n",
  'src/lamp/shade.ts': "export const shade = 'green';\n",
  'src/units.ts': 'export type Watt = number;\n',
  'src/cli/main.ts': "import { bulb } from '../lamp/index.js';\nawait import('./late.js');\n",
  'src/cli/late.ts': 'export {};\n',
  'bin/lamp.js': "import '../dist/src/cli/main.js';\n",
  'config/lamp.yaml': 'watt: 40\n',
  'models/en/manifest.json': '{}\n',
  'test/tidy.test.ts': '',
  'test/lamp/bulb.test.ts': "import { bulb as b } from '../../src/lamp/index.js';\n",
  'test/lamp/shade.test.ts': "import { shade } from '../../src/lamp/index.js';\n",
  'test/lamp/all.test.ts': "import * as lamp from '../../src/lamp/index.js';\n",
  'test/cli/run.test.ts': "const program = new URL('../../bin/lamp.js', import.meta.url);\n",
  'test/cli/model.test.ts': "const m = 'models/en'; const c = `${m}config/lamp.yaml`;\n",
  'test/other.test.ts': "import t from 'tap';\n",
  'trainer/kikitori_trainer/fit.py': '',
  'trainer/tests/test_fit.py': '',
  'notes/lamp.md': '',
  'package.json': '{}',
};

function repository(lastMs: Record<string, number> = {}): Repository {
  const files = new Set(Object.keys(texts));
  const uses = new Uses(files, (path) => texts[path] ?? '');
  return { files, usesOf: (path) => uses.of(path), lastMs: (test) => lastMs[test] };
}
const ask = (changed: string[], lastMs?: Record<string, number>, budgetMs = 60_000) =>
  related(changed, repository(lastMs), { budgetMs, jobs: 2 });

void t.test('names are followed through an index to the file that has them', async (t) => {
  t.same(ask(['src/lamp/bulb.ts']).tests, [
    'test/tidy.test.ts',
    'test/lamp/bulb.test.ts',
    'test/lamp/all.test.ts',
    'test/cli/run.test.ts',
  ]);
  t.same(
    ask(['src/lamp/shade.ts']).tests,
    ['test/tidy.test.ts', 'test/lamp/shade.test.ts'],
    'handed on with all else: found by its name',
  );
  t.same(ask(['src/lamp/index.ts']).tests.length, 5, 'all who import from it');
});

void t.test('types, what is loaded late, and what was built count as uses', async (t) => {
  t.ok(ask(['src/units.ts']).tests.includes('test/lamp/bulb.test.ts'));
  t.same(ask(['src/cli/late.ts']).tests, ['test/tidy.test.ts', 'test/cli/run.test.ts']);
});

void t.test('files and folders that a test names', async (t) => {
  for (const path of ['config/lamp.yaml', 'models/en/manifest.json'])
    t.same(ask([path]).tests, ['test/tidy.test.ts', 'test/cli/model.test.ts'], path);
});

void t.test(
  'a changed test runs whatever it costs; the others nearest first, as time allows',
  async (t) => {
    const slow = { 'test/lamp/bulb.test.ts': 100_000, 'test/cli/run.test.ts': 100_000 };
    const found = ask(['test/lamp/bulb.test.ts', 'src/lamp/bulb.ts'], slow);
    t.same(found.tests, ['test/tidy.test.ts', 'test/lamp/bulb.test.ts', 'test/lamp/all.test.ts']);
    t.same(found.farther, ['test/cli/run.test.ts'], 'and those that are left out are named');
    t.same(ask(['src/lamp/bulb.ts'], {}, 0).tests, ['test/tidy.test.ts']);
  },
);

void t.test('what is not of the tests, or of all of them, is said', async (t) => {
  const found = ask(['notes/lamp.md', 'package.json', 'gone.txt']);
  t.same(found.everything, ['package.json']);
  t.same(found.unmapped, ['notes/lamp.md', 'gone.txt']);
  t.same(found.format, ['notes/lamp.md', 'package.json']);
  t.same(found.lint, []);
  t.same(ask([]).tests, []);
});

void t.test('a part of the trainer and its test', async (t) => {
  const found = ask(['trainer/kikitori_trainer/fit.py']);
  t.same(found.trainer, ['trainer/kikitori_trainer/fit.py']);
  t.same(found.trainerTests, ['trainer/tests/test_fit.py']);
  t.same(found.unmapped, []);
});

void t.test('distances are those of the obvious way', async (t) => {
  const edges: Record<string, [string, number][]> = {};
  let seed = 7;
  const random = (n: number) => (seed = (seed * 48271) % 2147483647) % n;
  const names = Array.from({ length: 30 }, (_, i) => `f${i}`);
  for (const name of names)
    edges[name] = Array.from({ length: random(4) }, () => [`f${random(30)}`, 1 + 2 * random(2)]);
  const fast = distancesTo(new Set(['f0', 'f1']), names, (path) =>
    (edges[path] ?? []).map(([used, steps]) => ({ path: used, steps })),
  );
  const slow = new Map(names.map((name) => [name, name === 'f0' || name === 'f1' ? 0 : Infinity]));
  for (let round = 0; round < names.length; round++)
    for (const name of names)
      for (const [used, steps] of edges[name] ?? [])
        slow.set(name, Math.min(slow.get(name) ?? Infinity, (slow.get(used) ?? Infinity) + steps));
  for (const name of names) t.equal(fast.get(name) ?? Infinity, slow.get(name), name);
});

void t.test('of this repository: the test of a file comes first', async (t) => {
  const root = fileURLToPath(new URL('../../', import.meta.url));
  const files = new Set(
    ['src', 'test', 'scripts', 'bin', 'config', 'docs'].flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name).slice(root.length)),
    ),
  );
  const uses = new Uses(files, (path) => readFileSync(join(root, path), 'utf8'));
  const found = new Map([...files].map((path) => [path, uses.of(path)]));
  const repository: Repository = {
    files,
    usesOf: (path) => found.get(path) ?? [],
    lastMs: () => 1000,
  };
  const nearest = (path: string) =>
    related([path], repository, { budgetMs: 60_000, jobs: 2 }).tests.slice(1);
  const first = (path: string) => nearest(path).slice(0, 2);
  t.ok(first('src/publish/outbox.ts').includes('test/publish/outbox.test.ts'));
  t.ok(first('src/update/machine.ts').includes('test/update/machine.test.ts'));
  t.ok(
    nearest('src/recognizer/grammar/nfa.ts').includes('test/recognizer/grammar/grammar.test.ts'),
  );
  t.ok(nearest('src/agent/agent.ts').includes('test/agent/daemon.test.ts'));
  t.ok(nearest('docs/mqtt/README.md').includes('test/agent/contract.test.ts'));
  t.ok(nearest('config/default.yaml').includes('test/config/config.test.ts'));
});
