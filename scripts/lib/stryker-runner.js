// A test runner for Stryker that stays in one process: what the tests import is loaded once, and each mutant costs
// the tests alone. Stryker's own runner for tap begins a process for every mutant.
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

// tap tells the process that began this one of its time limit, as an object; Stryker there reads strings alone.
const send = process.send?.bind(process);
process.send = (message, ...more) =>
  typeof message === 'string' ? send?.(message, ...more) : true;
// Who is interrupted leaves no process behind.
process.once('disconnect', () => process.exit(1));
const { t } = await import('tap');
t.setTimeout(0); // Stryker has limits of its own
// What a file asks for at its end is done at its end here, not at the end of the process; and tap, when asked for
// that, takes an idle moment for the end of all tests.
const teardowns = [];
t.teardown = (...args) => teardowns.push(args.at(-1));

// After the first failure the mutant is known to be noticed: the tests that follow are skipped.
let failuresBefore = 0;
const test = t.test.bind(t);
t.test = (...args) => {
  const body = args.pop(); // every test of ours has one
  return test(...args, async (...all) => {
    if (t.counts.fail === failuresBefore) await body(...all);
  });
};

const context = (globalThis.__stryker__ ??= {});
const urlOf = (path) => pathToFileURL(resolve(path)).href;

class InOneProcess {
  static inject = ['options'];

  constructor({ inOneProcess: { source, tests } }) {
    this.source = source;
    this.tests = tests.filter((path) => existsSync(path));
    this.times = 0;
  }

  // What is computed when the source is loaded can be mutated only before: Stryker begins a new process for that.
  capabilities() {
    return { reloadEnvironment: false };
  }

  async dryRun() {
    // Loaded by itself first, so that what happens then is not counted as a test's.
    await import(urlOf(this.source));
    const tests = [];
    for (const path of this.tests) {
      context.currentTestId = path;
      const begin = performance.now();
      const fault = await this.run(path);
      context.currentTestId = undefined;
      const timeSpentMs = performance.now() - begin;
      tests.push({
        id: path,
        name: path,
        fileName: path,
        timeSpentMs,
        ...(fault === undefined ? { status: 0 } : { status: 1, failureMessage: fault }),
      });
    }
    return { status: 'complete', tests, mutantCoverage: context.mutantCoverage };
  }

  async mutantRun({ activeMutant, testFilter }) {
    context.activeMutant = activeMutant.id;
    const tests = this.tests.filter((path) => testFilter?.includes(path) ?? true);
    for (const [i, path] of tests.entries()) {
      const failureMessage = await this.run(path);
      if (failureMessage !== undefined)
        return { status: 'killed', killedBy: [path], failureMessage, nrOfTests: i + 1 };
    }
    return { status: 'survived', nrOfTests: tests.length };
  }

  /** The first failure of a test file; undefined: none. */
  async run(path) {
    failuresBefore = t.counts.fail;
    try {
      await import(`${urlOf(path)}?${this.times++}`);
      // Subtests run in the order in which they were asked for: this one is the last.
      await t.test('the end', async () => undefined);
    } catch (error) {
      return String(error);
    } finally {
      for (const teardown of teardowns.splice(0)) await teardown();
    }
    return t.counts.fail === failuresBefore ? undefined : 'a test failed';
  }
}

/** Says what no test notices as soon as it is known: a run may be interrupted. */
class AsFound {
  onMutantTested({ status, fileName, location: { start }, replacement }) {
    if (status !== 'Killed' && status !== 'Ignored')
      console.log(`${status}: ${fileName}:${start.line}:${start.column} -> ${replacement}`);
  }
}

export const strykerPlugins = [
  { kind: 'TestRunner', name: 'in-one-process', injectableClass: InOneProcess },
  { kind: 'Reporter', name: 'as-found', injectableClass: AsFound },
];
