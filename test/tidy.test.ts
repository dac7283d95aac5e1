/** House rules that a machine can keep. Each message names the replacement. */
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

/** src/<stage>/... -> stage; files directly in src/ are their own name. */
function stageOf(path: string): string {
  const [, first = '', second] = path.split('/');
  return second === undefined ? first : first;
}

/** Who may import whom; a stage may always import itself. Importing goes one way. */
const mayImport: Record<string, readonly string[]> = {
  'records.ts': [],
  runtime: [],
  audio: ['runtime', 'records.ts'],
  bundle: ['runtime', 'records.ts'],
  config: ['runtime', 'records.ts'],
  capture: ['runtime', 'records.ts', 'audio'],
  frontend: ['runtime', 'records.ts', 'bundle'],
  recognizer: ['runtime', 'records.ts', 'bundle'],
  publish: ['runtime', 'records.ts'],
  update: ['runtime', 'records.ts', 'bundle'],
  'engine.ts': ['runtime', 'records.ts', 'audio', 'bundle', 'frontend', 'recognizer'],
  'ear.ts': ['records.ts', 'frontend', 'recognizer', 'engine.ts'],
  'selftest.ts': ['runtime', 'engine.ts'],
  'agent-board.ts': ['runtime', 'config', 'engine.ts', 'recognizer'],
  'agent-probe.ts': ['runtime', 'config', 'update'],
  'agent-updates.ts': [
    'runtime',
    'config',
    'update',
    'agent-board.ts',
    'agent-probe.ts',
    'ear.ts',
    'engine.ts',
  ],
  'agent-requests.ts': ['runtime', 'publish'],
  'agent-options.ts': ['runtime', 'config', 'update'],
  'agent.ts': [
    'agent-options.ts',
    'agent-board.ts',
    'agent-requests.ts',
    'agent-updates.ts',
    'ear.ts',
    'runtime',
    'records.ts',
    'audio',
    'bundle',
    'config',
    'capture',
    'frontend',
    'recognizer',
    'publish',
    'update',
    'engine.ts',
  ],
  compress: ['runtime', 'records.ts', 'bundle', 'audio', 'frontend', 'recognizer', 'engine.ts'],
  fleet: ['runtime', 'records.ts', 'bundle', 'update'],
};

void t.test('importing goes one way', async (t) => {
  const wrong: string[] = [];
  for (const path of sources) {
    const stage = stageOf(path);
    const allowed = mayImport[stage];
    if (stage === 'cli') continue; // the command line may call everything
    if (allowed === undefined) {
      wrong.push(`${path}: unknown stage "${stage}": add it to mayImport with what it needs`);
      continue;
    }
    for (const [, target = ''] of textOf(path).matchAll(
      /(?:from|import)\s*\(?\s*'(\.{1,2}\/[^']+)'/g,
    )) {
      const resolved = relative(root, join(root, path, '..', target)).replace(/\.js$/, '.ts');
      if (!resolved.startsWith('src/')) continue;
      const other = stageOf(resolved);
      if (other !== stage && !allowed.includes(other)) {
        wrong.push(`${path} imports ${resolved}: stages meet in agent.ts through records.ts`);
      }
    }
  }
  t.same(wrong, []);
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
    [/from 'convict'/, 'config/: it is the only importer of convict', [/^src\/config\//]],
    [/from 'node-record-lpcm16'/, 'capture/: one class wraps it', [/^src\/capture\//]],
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
