/**
 * `related-tests.ts [BASE]`: what changed since BASE (without it: what is not committed), and what to run for it.
 * Says it on stderr; stdout has one `KIND PATH` a line for scripts/test.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { related } from './related.js';
import { Uses, type Use } from './uses.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
/** Types, lint and the build take the rest of the minute. */
const limits = { budgetMs: 30_000, jobs: 2 };

const git = (...args: readonly string[]) =>
  execFileSync('git', args, { cwd: root, encoding: 'utf8', maxBuffer: 64 << 20 })
    .split('\0')
    .filter((path) => path !== '');

const base = process.argv[2];
const since =
  base === undefined
    ? 'HEAD'
    : execFileSync('git', ['merge-base', base, 'HEAD'], { cwd: root, encoding: 'utf8' }).trim();
const others = git('ls-files', '-z', '--others', '--exclude-standard');
const changed = [...new Set([...git('diff', '--name-only', '-z', since), ...others])].sort();
const files = new Set(
  [...git('ls-files', '-z'), ...others].filter((path) => existsSync(join(root, path))),
);

const uses = new Uses(files, (path) => readFileSync(join(root, path), 'utf8'));
const known = new Map<string, readonly Use[]>();
function usesOf(path: string): readonly Use[] {
  const found = known.get(path) ?? uses.of(path);
  known.set(path, found);
  return found;
}

/** tap keeps what each test file printed last. */
function lastMs(test: string): number | undefined {
  const path = join(root, '.tap/test-results', `${test}.tap`);
  if (!existsSync(path)) return undefined;
  const times = [...readFileSync(path, 'utf8').matchAll(/^# time=([\d.]+)ms$/gm)];
  return times.length === 0 ? undefined : Number(times.at(-1)?.[1]);
}

const found = related(changed, { files, usesOf, lastMs }, limits);
const say = (line: string) => process.stderr.write(`${line}\n`);
const list = (paths: readonly string[]) => paths.forEach((path) => say(`  ${path}`));

say(
  `changed ${base === undefined ? 'and not committed' : `since ${base}`}: ${changed.length} files`,
);
if (found.tests.length > 0)
  say(`runs, nearest first, about ${Math.ceil(found.estimatedMs / 1000)} s on an idle machine:`);
list([...found.tests, ...found.trainerTests]);
if (found.farther.length > 0) {
  say(`does not run: ${found.farther.length} more that use it from farther away:`);
  list(found.farther);
}
if (found.everything.length > 0) {
  say('every test depends on:');
  list(found.everything);
}
if (found.unmapped.length > 0) {
  say('no test is known to use:');
  list(found.unmapped);
}
say('everything: scripts/test');

for (const [kind, paths] of Object.entries({
  test: found.tests,
  lint: found.lint,
  format: found.format,
  trainer: found.trainer,
  'trainer-test': found.trainerTests,
}))
  for (const path of paths) process.stdout.write(`${kind} ${path}\n`);
