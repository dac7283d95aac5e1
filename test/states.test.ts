/** The table of states in docs/operate.md against the code: whatever an operator may see is in it, and nothing else. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { healthSchema } from '../src/publish/contract/device.js';
import { publishedEventEntries } from '../src/publish/contract/events.js';
import type { Schema } from '../src/publish/contract/index.js';
import { logEvents, type LogEventEntry } from '../src/runtime/log-events.js';
import { reasons } from '../src/update/state.js';

const read = (path: string) =>
  readFileSync(fileURLToPath(new URL(`../${path}`, import.meta.url)), 'utf8');
const operate = read('docs/operate.md');
const section = operate.split('\n## ').find((part) => part.startsWith('Every state')) ?? '';
const rows = section
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('| state'))
  .map((line) => line.split('|').map((cell) => cell.trim()));
const quoted = (text: string) => [...text.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name);
const column = (index: number) => rows.map((row) => row[index] ?? '');
const [log, mqtt, metrics, doctor] = [2, 3, 4, 5].map(column) as [
  string[],
  string[],
  string[],
  string[],
];

void t.test('each row says what to do', async (t) => {
  t.ok(rows.length > 25);
  for (const row of rows) t.ok(row.length === 8 && row[6] !== '', row[1] ?? '');
});

void t.test('each event of the log that somebody should look at, and no other name', async (t) => {
  const entries = Object.entries(logEvents as Record<string, LogEventEntry>);
  const loud = entries
    .filter(([, { level }]) => !['info', 'debug'].includes(level))
    .map(([name]) => name);
  const named = quoted(log.join());
  t.same(
    loud.filter((name) => !named.includes(name)),
    [],
    'in the table',
  );
  t.same(
    named.filter((name) => !(name in logEvents)),
    [],
    'in the code',
  );
  t.equal(new Set(named).size, named.length, 'each in one row');
});

void t.test('each event over MQTT, and each field of health with its values', async (t) => {
  const said = quoted(mqtt.join());
  const events = publishedEventEntries.map(([name]) => name);
  t.same(
    events.filter((name) => !said.includes(name)),
    [],
  );
  const fields = healthSchema.properties as Record<string, Schema>;
  const wanted = Object.keys(fields).map((name) => `health.${name}`);
  t.same(
    wanted.filter((name) => !said.includes(name)),
    [],
    'in the table',
  );
  t.same(
    said.filter((name) => name.startsWith('health.') && !wanted.includes(name)),
    [],
    'in the contract',
  );
  const values = (schema: unknown): string[] =>
    typeof schema !== 'object' || schema === null
      ? []
      : Object.entries(schema).flatMap(([key, value]) =>
          key === 'enum' ? (value as string[]) : values(value),
        );
  t.same(
    values(fields).filter((value) => !said.includes(value)),
    [],
    'states',
  );
});

void t.test('metrics and lines of the doctor that there are', async (t) => {
  const numbers = read('docs/metrics.md');
  for (const name of quoted(metrics.join()))
    if (name.startsWith('kikitori_')) t.match(numbers, name, name);
  const code = [
    'doctor',
    'broker',
    'brokered',
    'dictation',
    'feedback',
    'history',
    'listeners',
    'secrets',
  ]
    .map((name) => read(`src/cli/doctor/${name}.ts`))
    .join();
  const checks = new Set(doctor.flatMap((cell) => cell.split(', ')).filter((name) => name !== ''));
  for (const name of checks) t.ok(code.includes(`'${name}'`), name);
});

void t.test('each reason of an update is explained', async (t) => {
  const updates = read('docs/updates.md');
  t.same(
    reasons.filter((reason) => !updates.includes(`\`${reason}\``)),
    [],
  );
});
