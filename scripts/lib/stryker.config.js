// Mutation testing of one file; scripts/mutate sets which.
export default {
  mutate: [process.env.MUTATE],
  testRunner: 'tap',
  tap: {
    testFiles: process.env.TESTS.split(' '),
    nodeArgs: ['--import', './scripts/lib/transpiled.js', '-r', '{{hookFile}}', '{{testFile}}'],
  },
  plugins: ['@stryker-mutator/*'],
  // What a person reads is checked where it matters, not letter by letter.
  mutator: { excludedMutations: ['StringLiteral'] },
  // A machine of two cores; and the tests must not disturb each other.
  concurrency: 1,
  timeoutMS: 60_000,
  tempDirName: '.tap/mutants',
  ignorePatterns: ['dist', 'demo', 'bench', 'trainer', 'runs', '.tap', 'tsconfig*.json'],
  checkers: [],
  reporters: ['clear-text', 'json'],
  clearTextReporter: { allowColor: false, logTests: false, reportTests: false },
  jsonReporter: { fileName: '.tap/mutation.json' },
  allowEmpty: false,
  warnings: { unknownOptions: false },
};
