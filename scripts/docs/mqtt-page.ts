/** What docs/mqtt/README.md takes from the contract: an overview, each topic, the events, the requests. */
import {
  eventExample,
  exampleBase,
  exampleDevice,
  publishedEventEntries,
  requestEntries,
  responseExample,
  topicContracts,
  type RequestEntry,
  type TopicContract,
} from '../../src/publish/contract/index.js';
import { code, table } from './regions.js';
import { rowsOf, typeOf } from './schema-table.js';

const fieldsHead = ['field', 'type', 'there', 'meaning'];
const transactionExample = 7;

/** `{"a": 1}`: JSON on one line with room to read. */
function oneLine(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(oneLine).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).map(([k, v]) => `${JSON.stringify(k)}: ${oneLine(v)}`);
  return `{${entries.join(', ')}}`;
}

const widthMax = 100;

/** JSON with what fits on a line on one line. */
function readable(value: unknown, indent = '', before = 0): string {
  const short = oneLine(value);
  if (typeof value !== 'object' || value === null) return short;
  if (indent.length + before + short.length <= widthMax) return short;
  const deeper = `${indent}  `;
  if (Array.isArray(value))
    return `[\n${value.map((v) => deeper + readable(v, deeper)).join(',\n')}\n${indent}]`;
  const lines = Object.entries(value).map(([k, v]) => {
    const key = `${JSON.stringify(k)}: `;
    return `${deeper}${key}${readable(v, deeper, key.length)}`;
  });
  return `{\n${lines.join(',\n')}\n${indent}}`;
}

/** For a shell: JSON has no single quotes of its own here. */
export const publishCommand = (topic: string, payload: unknown) =>
  `mosquitto_pub -t '${topic}' -m '${oneLine(payload).replaceAll("'", `'\\''`)}'`;

const subscribeCommand = (topic: string) => `mosquitto_sub -v -t '${topic}'`;

const qosOf = ({ qos }: TopicContract) => (qos === null ? 'any' : String(qos));
const retainedOf = ({ from, retained }: TopicContract) =>
  from === 'you' ? 'never' : retained ? 'yes' : 'no';
const anchor = (topic: string) => topic.replace(/[^\w-]/g, '').toLowerCase();

function overview(): string {
  const rows = topicContracts.map((c) => [
    `[\`${c.topic}\`](#${anchor(c.topic)})`,
    c.from === 'you' ? 'you' : 'the device',
    qosOf(c),
    retainedOf(c),
    c.when,
  ]);
  return table(['topic', 'from', 'QoS', 'retained', 'when'], rows);
}

function ownRows({ schema, extends: base }: TopicContract): string[][] {
  const known = topicContracts.find((c) => c.name === base)?.schema.properties ?? {};
  const properties = Object.fromEntries(
    Object.entries(schema.properties ?? {}).filter(([name]) => !Object.hasOwn(known, name)),
  );
  return [...rowsOf({ ...schema, properties })];
}

function topicSection(c: TopicContract): string {
  const { topic, payload } = c.example;
  return [
    `### \`${c.topic}\``,
    `From ${c.from === 'you' ? 'you' : 'the device'}, QoS ${qosOf(c)}, retained: ${retainedOf(c)}. Schema: [${c.name}.json](${c.name}.json).`,
    `- **When**: ${c.when}.\n- **Rely on**: ${c.rely}`,
    code('sh', c.from === 'you' ? publishCommand(topic, payload) : subscribeCommand(topic)),
    code('json', readable(payload)),
    ...(c.extends === undefined ? [] : [`All that is in \`${c.extends}\`, and:`]),
    table(fieldsHead, ownRows(c)),
  ].join('\n\n');
}

function events(): string {
  const rows = publishedEventEntries.map(([name, { meaning, always = {}, sometimes = {} }]) => [
    `\`${name}\``,
    meaning,
    Object.entries({ ...always, ...sometimes })
      .map(([field, schema]) => {
        const type = schema.enum === undefined ? '' : `${typeOf(schema)}. `;
        return `\`${field}\`: ${type}${schema.description ?? ''}`;
      })
      .join(' '),
  ]);
  const examples = publishedEventEntries.map(([name, entry]) => oneLine(eventExample(name, entry)));
  return [
    table(['`event`', 'meaning', 'further fields'], rows),
    'Each of them, as it comes:',
    code('json', examples.join('\n')),
  ].join('\n\n');
}

function requestsOverview(): string {
  const rows = requestEntries.map(([name, { meaning, example }]) => [
    `[\`${name}\`](#request-${name})`,
    `\`${oneLine(example)}\``,
    meaning,
  ]);
  return table(['name', 'payload', 'what it does'], rows);
}

function requestSection([name, entry]: readonly [string, RequestEntry]): string {
  const { meaning, always = {}, sometimes = {}, example, data } = entry;
  const root = `${exampleBase}/${exampleDevice}`;
  const payload = { ...example, transaction: transactionExample };
  const fields = [
    ...rowsOf({ required: Object.keys(always), properties: { ...always, ...sometimes } }),
  ];
  const answer = [...rowsOf(data)];
  return [
    `### Request \`${name}\``,
    meaning,
    code('sh', publishCommand(`${root}/request/${name}`, payload)),
    `The answer on \`${root}/response/${name}\`:`,
    code('json', readable(responseExample(transactionExample, entry))),
    ...(fields.length === 0 ? [] : ['The request:', table(fieldsHead, fields)]),
    ...(answer.length === 0 ? [] : ['`data` of the answer:', table(fieldsHead, answer)]),
  ].join('\n\n');
}

export const mqttRegions = (): Readonly<Record<string, string>> => ({
  overview: overview(),
  topics: topicContracts.map(topicSection).join('\n\n'),
  events: events(),
  requests: [requestsOverview(), ...requestEntries.map(requestSection)].join('\n\n'),
});
