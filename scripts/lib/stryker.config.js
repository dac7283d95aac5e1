// Mutation testing of one file; scripts/mutate sets which.
const [source] = process.env.MUTATE.split(':');

export default {
  mutate: [process.env.MUTATE],
  testRunner: 'in-one-process',
  inOneProcess: { source, tests: process.env.TESTS.split(' ') },
  plugins: [new URL('stryker-runner.js', import.meta.url).pathname],
  testRunnerNodeArgs: ['--import', './scripts/lib/transpiled.js'],
  coverageAnalysis: 'perTest',
  // What a person reads is checked where it matters, not letter by letter.
  mutator: { excludedMutations: ['StringLiteral'] },
  // A machine of two cores; and the tests must not disturb each other.
  concurrency: 1,
  timeoutMS: 60_000,
  tempDirName: '.tap/mutants',
  ignorePatterns: ['dist', 'demo', 'bench', 'trainer', 'runs', '.tap', 'tsconfig*.json'],
  reporters: ['as-found', 'clear-text', 'progress-append-only', 'json'],
  clearTextReporter: { allowColor: false, logTests: false, reportTests: false },
  jsonReporter: { fileName: '.tap/mutation.json' },
  warnings: { unknownOptions: false },
};
