/** What a change asks for: the tests that use it, nearest first, as many as a developer waits for. */
import { basename } from 'node:path';
import { distancesTo, type Use } from './uses.js';

export interface Repository {
  /** Every file there is now, relative to the root. */
  readonly files: ReadonlySet<string>;
  usesOf(path: string): readonly Use[];
  /** How long a test file took the last time; undefined: not known. */
  lastMs(test: string): number | undefined;
}

export interface Related {
  readonly tests: readonly string[];
  /** Related too, but farther than the time allows. */
  readonly farther: readonly string[];
  readonly lint: readonly string[];
  readonly format: readonly string[];
  readonly trainer: readonly string[];
  readonly trainerTests: readonly string[];
  /** Changed files that every test depends on: packages, compiler options. */
  readonly everything: readonly string[];
  /** Changed files that no test is known to use. */
  readonly unmapped: readonly string[];
  readonly estimatedMs: number;
}

export interface Limits {
  readonly budgetMs: number;
  readonly jobs: number;
}

/** Of a test whose time is not known; and what a process of its own adds. */
const unknownMs = 4000;
const startMs = 1000;
const nearer = 3;
/** src/publish/x.ts and test/publish/y.test.ts: publish. */
const roomOf = (path: string) => /^(?:src|test)\/([^/]+)\//.exec(path)?.[1] ?? path;
const isTest = (path: string) => /^test\/.*\.test\.ts$/.test(path);
const isTrainerTest = (path: string) => /^trainer\/tests\/test_\w+\.py$/.test(path);
/** Named in many tests, and no measure of which: package.json is read for its version. */
const isEverything = (path: string) => /^(package(-lock)?\.json|tsconfig[\w.]*\.json)$/.test(path);
/** "outbox" of src/publish/outbox.ts and of its test. */
const nameOf = (path: string) => basename(path).replace(/(\.test)?\.[a-z]+$/, '');
/** Its rules are about the text of every file. */
const always = 'test/tidy.test.ts';

export function related(
  changed: readonly string[],
  repository: Repository,
  { budgetMs, jobs }: Limits,
): Related {
  const { files } = repository;
  const there = changed.filter((path) => files.has(path));
  const own = changed.filter((path) => !isEverything(path));
  const distances = distancesTo(new Set(own), files, (path) => repository.usesOf(path));
  const rooms = new Set(own.map(roomOf));
  // Tests of the same room are meant for it, though they may start the whole program to see it.
  const rank = (test: string) =>
    (distances.get(test) ?? Infinity) - (rooms.has(roomOf(test)) ? nearer : 0);
  const names = new Set(own.map(nameOf));
  const named = (test: string) => names.has(nameOf(test));
  const reached = [...files]
    .filter((path) => isTest(path) && path !== always && distances.has(path))
    .sort((a, b) => rank(a) - rank(b) || Number(named(b)) - Number(named(a)) || (a < b ? -1 : 1));
  const costMs = (test: string) => (repository.lastMs(test) ?? unknownMs) + startMs;

  const tests: string[] = changed.length > 0 && files.has(always) ? [always] : [];
  const farther: string[] = [];
  let sumMs = 0;
  for (const test of reached) {
    const longer = sumMs + costMs(test);
    // What changed itself runs whatever it costs.
    if (distances.get(test) !== 0 && longer / jobs > budgetMs) farther.push(test);
    else {
      sumMs = longer;
      tests.push(test);
    }
  }

  const trainer = there.filter((path) => path.startsWith('trainer/') && path.endsWith('.py'));
  const trainerTests = [
    ...new Set(
      trainer
        .map((path) =>
          isTrainerTest(path) ? path : `trainer/tests/test_${path.split('/').at(-1) ?? ''}`,
        )
        .filter((path) => files.has(path)),
    ),
  ];
  // A file is seen to when a test uses it, or is the test.
  const used = (path: string) =>
    distancesTo(new Set([path]), files, (p) => repository.usesOf(p)).size > 1 ||
    isTest(path) ||
    isTrainerTest(path) ||
    trainerTests.includes(`trainer/tests/test_${path.split('/').at(-1) ?? ''}`);
  return {
    tests,
    farther,
    lint: there.filter((path) => /^(src|test|bench|scripts)\/.*\.ts$/.test(path)),
    format: there.filter((path) => /\.(ts|js|cjs|mjs|json|ya?ml|md)$/.test(path)),
    trainer,
    trainerTests,
    everything: changed.filter(isEverything),
    unmapped: own.filter((path) => !used(path)),
    estimatedMs: sumMs / jobs,
  };
}
