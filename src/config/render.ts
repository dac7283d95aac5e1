/** The schema as files for people: config/default.yaml is one, the tables of docs/configuration.md are the other. */
import {
  environmentName,
  expectation,
  isKey,
  keysOf,
  schema,
  type Key,
  type Tree,
} from './schema.js';

const width = 100;

function comment(text: string, indent: string): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && indent.length + 2 + line.length + 1 + word.length > width) {
      lines.push(line);
      line = '';
    }
    line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line].map((l) => `${indent}# ${l}`);
}

const yamlOf = (value: Key['default']) => (value === '' ? "''" : String(value));

function* lines(tree: Tree, indent = ''): Generator<string> {
  for (const [name, node] of Object.entries(tree)) {
    if (isKey(node)) {
      yield* comment(`${node.doc} Expected: ${expectation(node)}.`, indent);
      yield `${indent}#${name}: ${yamlOf(node.default)}`;
    } else {
      if (indent === '') yield '';
      yield `${indent}${name}:`;
      yield* lines(node, `${indent}  `);
    }
  }
}

/** Every key with its default, commented out, below what it means. */
export function defaultYaml(): string {
  return [
    '# Every key of kikitori with its default. Copy this file, and take away the # before a key that you change.',
    '# Durations: 500, "500ms", "30s", "5m", "2h", "7d". Sizes: 1000000, "10MB", "64MiB". A relative path begins at',
    '# the folder of the file. The environment wins over the file: KIKITORI_CAPTURE_GAIN_DB=6 is capture.gainDb: 6.',
    '# Check a change with: kikitori config check FILE. This file is made from the schema: npm run docs',
    ...lines(schema),
    '',
  ].join('\n');
}

const cell = (text: string) => text.replace(/\|/g, '\\|');

function table(rows: readonly { path: string; key: Key }[]): string {
  const body = rows.map(
    ({ path, key }) =>
      `| \`${path}\` | \`${JSON.stringify(key.default)}\` | ${cell(key.doc)} | ${cell(expectation(key))} | \`${environmentName(path)}\` |`,
  );
  return `| key | default | what | expected | environment |\n|---|---|---|---|---|\n${body.join('\n')}\n`;
}

/** Every key, a table a section. */
export function referenceMarkdown(): string {
  const all = [...keysOf(schema)];
  const sections = Object.keys(schema).map((name) => {
    const rows = all.filter(({ path }) => path.startsWith(`${name}.`));
    return `## ${name}\n${table(rows)}`;
  });
  return sections.join('\n');
}
