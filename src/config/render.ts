/** The schema as files for people: config/default.yaml and docs/configuration.md are these texts. */
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
    '# Check a change with: kikitori config check FILE. This file is made from the schema: npm run docs:config',
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

/** The reference, a table a section. */
export function referenceMarkdown(): string {
  const all = [...keysOf(schema)];
  const sections = Object.keys(schema).map((name) => {
    const rows = all.filter(({ path }) => path.startsWith(`${name}.`));
    return `## ${name}\n${table(rows)}`;
  });
  return `# Configuration

Made from the schema by \`npm run docs:config\`; \`kikitori config schema\` prints the same.

A file in YAML, JSON5 or JSON, given with \`--config\`. The environment wins over the file. Nothing is needed:
every key has a default. Faults are all shown at once, with place, path, what was found and what was
expected; \`kikitori config check FILE\` looks without starting anything, \`kikitori config show --config FILE\`
prints what would hold. \`SIGHUP\` (\`systemctl reload kikitori\`) reads the file again: grammar and recogniser
change at once, other sections are named in the log as needing a restart, and with a fault the old
configuration stays. A file that became empty is refused too, where it would change something.

\`~/\` at the beginning of a path is the home of who runs kikitori. A text that YAML would read as another one needs
quotes: \`id: '007'\`. Tags of other programs (\`!secret\`) are refused.

Secrets are files, named in \`publish.mqtt.*File\` and \`update.*File\`: a path, or the name of a systemd credential (the unit makes
\`mqtt_NAME\` of every \`/etc/kikitori/secrets/NAME\`). They are read when a connection is made and never printed.
Of an address only scheme, host, port and path are shown, in \`config show\`, in errors and in logs; of one that is odd
only the scheme. \`publish.mqtt.username\` is never shown, and a file of a secret only if there is one of that name: somebody
may have written the secret there.

${sections.join('\n')}`;
}
