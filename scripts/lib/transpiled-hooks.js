// Module hooks for tests: a TypeScript file of this repository is transpiled once, not once by each of the
// hundred test processes that import it. What was transpiled is kept in .tap, one file a source,
// and carries the hash of what it was made from: never stale, never more than there are sources.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const require = createRequire(import.meta.url);
const root = fileURLToPath(new URL('../..', import.meta.url));
const cache = join(root, '.tap/transpiled');
const own = (url) => url.startsWith('file:') && !url.includes('/node_modules/');

const digest = (...parts) =>
  parts.reduce((hash, part) => hash.update(part).update('\0'), createHash('sha256')).digest('hex');
const toolchain = digest(
  readFileSync(fileURLToPath(import.meta.url)),
  require('typescript/package.json').version,
);

/** Imports name the file that will be built, x.js; the tests run x.ts beside it. */
export function resolve(specifier, context, nextResolve) {
  if (specifier.startsWith('.') && specifier.endsWith('.js') && own(context.parentURL ?? '')) {
    const url = new URL(specifier.replace(/\.js$/, '.ts'), context.parentURL);
    if (existsSync(url)) return { url: url.href, format: 'module', shortCircuit: true };
  }
  return nextResolve(specifier, context);
}

export function load(url, context, nextLoad) {
  // Mutation testing loads a test file again and again: test.ts?1, test.ts?2.
  const [file] = url.split('?');
  if (!file.endsWith('.ts') || !own(file)) return nextLoad(url, context);
  return { format: 'module', source: transpiled(fileURLToPath(file)), shortCircuit: true };
}

function transpiled(path) {
  const text = readFileSync(path, 'utf8');
  const mark = `\n//${digest(toolchain, path, text)}`;
  const kept = `${join(cache, relative(root, path))}.js`;
  try {
    const source = readFileSync(kept, 'utf8');
    if (source.endsWith(mark)) return source;
  } catch {
    // not transpiled yet
  }
  const source = transpile(path, text) + mark;
  // Two processes may write the same file: each writes its own and renames.
  const mine = `${kept}.${process.pid}`;
  mkdirSync(dirname(kept), { recursive: true });
  writeFileSync(mine, source);
  renameSync(mine, kept);
  return source;
}

function transpile(path, text) {
  const ts = require('typescript');
  const { outputText, diagnostics } = ts.transpileModule(text, {
    fileName: path,
    reportDiagnostics: true,
    compilerOptions: {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.ESNext,
      esModuleInterop: true,
      inlineSourceMap: true,
    },
  });
  if (diagnostics.length > 0) {
    const host = {
      getCurrentDirectory: () => root,
      getNewLine: () => '\n',
      getCanonicalFileName: (f) => f,
    };
    throw new SyntaxError(ts.formatDiagnostics(diagnostics, host));
  }
  return outputText;
}
