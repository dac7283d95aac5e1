/**
 * Who may import whom. Importing goes one way, from the commands down to runtime/, and never in a circle: types
 * count too. `npx depcruise src` shows what is wrong; test/tidy.test.ts runs the same.
 */
const foundations = ['runtime', 'records.ts'];

/** room -> the rooms it may import, besides itself and the foundations. */
const mayImport = {
  runtime: [],
  audio: [],
  bundle: [],
  config: [],
  capture: ['audio'],
  frontend: ['bundle'],
  recognizer: ['bundle', 'language'],
  language: [],
  publish: [],
  update: ['bundle'],
  fleet: ['bundle', 'update'],
  engine: ['audio', 'bundle', 'frontend', 'language', 'recognizer'],
  agent: [
    'audio',
    'bundle',
    'capture',
    'config',
    'engine',
    'frontend',
    'neighbours',
    'publish',
    'recognizer',
    'update',
  ],
  neighbours: [
    'audio',
    'bundle',
    'config',
    'engine',
    'frontend',
    'publish',
    'recognizer',
    'update',
  ],
  measure: ['audio', 'bundle', 'engine', 'frontend', 'recognizer'],
  compress: ['audio', 'bundle', 'engine', 'frontend', 'measure', 'recognizer'],
};

const rooms = Object.entries(mayImport).map(([room, others]) => ({
  name: `${room}-imports-only`,
  severity: 'error',
  comment: `src/${room}/ may import ${[...others, ...foundations].join(', ')}: the rooms meet in agent/ and engine/`,
  from: { path: `^src/${room}/` },
  to: {
    path: '^src/',
    pathNot: [room, ...others, ...(room === 'runtime' ? [] : foundations)].map((name) =>
      name.endsWith('.ts') ? `^src/${name.replace('.', '\\.')}$` : `^src/${name}/`,
    ),
  },
}));

const only = (name, folder) => ({
  name: `${name}-in-one-place`,
  severity: 'error',
  comment: `src/${folder}/ is the only importer of ${name}`,
  from: { path: '^src/', pathNot: `^src/${folder}/` },
  to: { path: `^(node_modules/)?${name}` },
});

export default {
  forbidden: [
    {
      name: 'no-circular',
      severity: 'error',
      comment:
        'files that import each other cannot be read one after the other; move what both need to a third',
      from: {},
      to: { circular: true },
    },
    {
      name: 'known-room',
      severity: 'error',
      comment: 'a new room under src/ gets its line in mayImport of .dependency-cruiser.mjs',
      from: {
        path: '^src/[^/]+/',
        pathNot: `^src/(${[...Object.keys(mayImport), 'cli'].join('|')})/`,
      },
      to: {},
    },
    {
      name: 'records-are-types',
      severity: 'error',
      comment: 'src/records.ts imports nothing: every stage reads it',
      from: { path: '^src/records\\.ts$' },
      to: { path: '.' },
    },
    ...rooms,
    {
      name: 'language-is-read',
      severity: 'error',
      comment: 'src/language/build/ makes models; what hears only reads them',
      from: { path: '^src/', pathNot: '^src/(language/build|cli/lm)/' },
      to: { path: '^src/language/build/' },
    },
    only('convict', 'config'),
    only('node-record-lpcm16', 'capture'),
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.js'],
      exportsFields: ['exports'],
      conditionNames: ['import'],
    },
  },
};
