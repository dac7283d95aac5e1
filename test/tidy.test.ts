/** House rules that a machine can keep. Each message names the replacement. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const root = fileURLToPath(new URL('..', import.meta.url));

function filesUnder(folder: string, extensions: readonly string[]): string[] {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && extensions.some((e) => entry.name.endsWith(e)))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .filter((path) => !path.includes('node_modules') && !path.includes('__pycache__'));
}

const sources = filesUnder('src', ['.ts']);
const textOf = (path: string) => readFileSync(join(root, path), 'utf8');

void t.test('importing goes one way, and never in a circle', async (t) => {
  const { status, stdout } = spawnSync(
    join(root, 'node_modules/.bin/depcruise'),
    ['src', '--output-type', 'err-long'],
    { cwd: root, encoding: 'utf8' },
  );
  t.equal(status, 0, stdout);
});

void t.test('banned words, with the replacement', async (t) => {
  const banned: readonly (readonly [RegExp, string, readonly RegExp[]])[] = [
    [
      /\bDate\.now\(/,
      'clock.now(), so that tests can move time',
      [/^src\/runtime\//, /^src\/cli\//],
    ],
    [
      /\bsetInterval\(/,
      'clock.after(), so that tests can move time',
      [/^src\/runtime\//, /^src\/cli\//],
    ],
    [
      /\bMath\.random\(/,
      'a random function given as a parameter',
      [/^src\/runtime\//, /^src\/cli\//],
    ],
    [
      /\bwriteFile(Sync)?\(/,
      'atomicWrite(), so that a power cut leaves the old file',
      [/^src\/runtime\/atomic-write\.ts$/, /^src\/cli\//],
    ],
    [/\bprocess\.exit\(/, 'an exit status returned to main()', [/^src\/runtime\/shutdown\.ts$/]],
    [/\bFIXME\b|\bXXX\b/, 'an issue', []],
  ];
  const wrong: string[] = [];
  for (const path of sources) {
    const text = textOf(path);
    for (const [pattern, replacement, except] of banned) {
      if (pattern.test(text) && !except.some((e) => e.test(path))) {
        wrong.push(`${path}: ${pattern.source} is banned, use ${replacement}`);
      }
    }
  }
  t.same(wrong, []);
});

void t.test('files stay small enough to read', async (t) => {
  const long = [...sources, ...filesUnder('trainer', ['.py'])]
    .map((path) => ({ path, lines: textOf(path).split('\n').length }))
    .filter(({ lines }) => lines > 450)
    .map(({ path, lines }) => `${path}: ${lines} lines, split it by idea`);
  t.same(long, []);
});

void t.test('the project speaks of itself alone', async (t) => {
  const everything = [
    ...sources,
    ...['test', 'scripts', 'docs', 'config', 'systemd', 'bench', 'trainer', 'models'].flatMap((f) =>
      filesUnder(f, ['.ts', '.js', '.py', '.md', '.yaml', '.toml', '.service', '.json', '']),
    ),
  ];
  const own = 'test/tidy.test.ts';
  const wrong = [...new Set(everything)]
    .filter((path) => path !== own && !/\.(onnx|wav|npy|safetensors|tar|png|gz)$/.test(path))
    .filter((path) => !path.endsWith('/lexicon'))
    .filter((path) => /\/work\/|\/tmp\/team/.test(textOf(path)));
  t.same(wrong, [], 'no path of the machine it was written on');
});
