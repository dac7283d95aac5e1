/** Links between documents hold, anchors included, and so does what the sources say about documents. */
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const root = fileURLToPath(new URL('..', import.meta.url));
const rooms = ['docs', 'bench', 'models', 'trainer', 'config', 'test', 'src', 'scripts', 'systemd'];
const others = ['node_modules', '.tap', 'dist', '__pycache__'];

function files(folder: string, endings: readonly string[]): string[] {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && endings.some((ending) => entry.name.endsWith(ending)))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .filter((path) => !others.some((other) => path.split('/').includes(other)));
}

const atTheTop = readdirSync(root).filter((name) => name.endsWith('.md'));
const documents = [...atTheTop, ...rooms.flatMap((room) => files(room, ['.md']))];
const textOf = (path: string) => readFileSync(join(root, path), 'utf8');
const withoutCode = (text: string) => text.replace(/```[^]*?```/g, '').replace(/`[^`\n]*`/g, '');

/** The anchor of a heading as GitHub makes it: small letters, signs dropped, spaces as hyphens. */
const anchor = (heading: string) =>
  heading
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\- _]/gu, '')
    .replace(/ /g, '-');

function anchors(path: string): Set<string> {
  const text = textOf(path).replace(/```[^]*?```/g, '');
  const found = new Set<string>();
  for (const [, heading = ''] of text.matchAll(/^#{1,6} (.*)$/gm)) {
    const first = anchor(heading);
    let name = first;
    for (let again = 1; found.has(name); again++) name = `${first}-${again}`;
    found.add(name);
  }
  return found;
}

void t.test('every link of a document leads to a file, and to a heading of it', async (t) => {
  t.ok(documents.length > 40);
  const wrong: string[] = [];
  for (const path of documents) {
    for (const [, target = ''] of withoutCode(textOf(path)).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      const [file = '', name] = target.split('#');
      const to = file === '' ? path : normalize(join(dirname(path), decodeURIComponent(file)));
      if (!existsSync(join(root, to))) wrong.push(`${path}: ${target}: no such file`);
      else if (name !== undefined && statSync(join(root, to)).isFile() && !anchors(to).has(name))
        wrong.push(`${path}: ${target}: no such heading`);
    }
  }
  t.same(wrong, []);
});

void t.test('every document that sources and other documents name exists', async (t) => {
  const sources = [
    ...documents,
    ...['src', 'test', 'scripts', 'bench', 'trainer', 'config'].flatMap((room) =>
      files(room, ['.ts', '.js', '.py', '.toml', '.yaml', '']),
    ),
  ];
  const wrong: string[] = [];
  for (const path of new Set(sources)) {
    if (/\.(onnx|wav|npy|safetensors|tar|png|gz)$/.test(path)) continue;
    for (const [name] of textOf(path).matchAll(/\bdocs\/[\w./-]*\w\.md\b/g))
      if (!existsSync(join(root, name))) wrong.push(`${path}: ${name}: no such file`);
  }
  t.same(wrong, []);
});

void t.test('every command of npm that is named exists', async (t) => {
  const { scripts } = JSON.parse(textOf('package.json')) as { scripts: Record<string, string> };
  const named = [...documents, ...files('scripts', ['']), ...files('src', ['.ts'])].flatMap(
    (path) =>
      [...textOf(path).matchAll(/\bnpm run (?:--\S+ )*([a-z:]+)/g)].map(([, name = '']) => [
        path,
        name,
      ]),
  );
  t.ok(named.length > 10);
  t.same(
    named.filter(([, name = '']) => !(name in scripts)).map(([path, name]) => `${path}: ${name}`),
    [],
  );
});

void t.test('a page says whom it is for and what he can do after it', async (t) => {
  const made = ['docs/configuration.md', 'docs/mqtt/README.md']; // from schemas, by other rules
  const wrong = [...files('docs', ['.md']), 'models/README.md', 'bench/NOTES.md', 'CONTRIBUTING.md']
    .filter((path) => !made.includes(path))
    .filter((path) => {
      const beginning = textOf(path).split('\n').slice(2, 8).join(' ');
      return !/^For (the|whoever) /.test(beginning) || !beginning.includes('After this page');
    })
    .map((path) => `${path}: begin with "For whoever ..." and "After this page ..."`);
  t.same(wrong, []);
});

void t.test('a decision is context, options, outcome and cost, on a page', async (t) => {
  const wrong: string[] = [];
  for (const path of files('docs/adr', ['.md'])) {
    if (path.endsWith('README.md')) continue;
    const text = textOf(path);
    const headings = [...text.matchAll(/^## (.*)$/gm)].map(([, heading]) => heading);
    if (headings.join() !== 'Context,Options,Outcome,Cost')
      wrong.push(`${path}: ${headings.join()}`);
    const lines = text.trimEnd().split('\n').length;
    if (lines > 60) wrong.push(`${path}: ${lines} lines, move measurements to bench/notes/`);
  }
  t.same(wrong, []);
});

void t.test('the readme fits on two screens, an entry of the changelog on two lines', async (t) => {
  t.ok(textOf('README.md').split('\n').length <= 75);
  const entries = textOf('CHANGELOG.md').split(/^(?=- |#|$)/m);
  const long = entries
    .filter((entry) => entry.startsWith('- '))
    .filter((entry) => entry.trimEnd().split('\n').length > 2)
    .map((entry) => `more than two lines: ${entry}`);
  t.same(long, []);
});
