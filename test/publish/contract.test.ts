/** The contract holds together: what it promises can be read, and its examples are what it says. */
import t from 'tap';
import {
  eventExample,
  publishedEventEntries,
  requestEntries,
  responseExample,
  topicContracts,
} from '../../src/publish/contract/index.js';
import { topicsOf } from '../../src/publish/index.js';
import { phases } from '../../src/update/state.js';
import { fault, faultOf, schemas } from '../sim/schemas.js';

void t.test('every example is as its schema says', async (t) => {
  for (const { name, from, example, moreExamples = [] } of topicContracts) {
    const schema = from === 'device' ? name : `${name}#/definitions/mute`;
    for (const payload of [example.payload, ...moreExamples])
      t.equal(fault(schema, payload), '', name);
  }
  for (const [name, entry] of publishedEventEntries)
    t.equal(faultOf({ topic: 'k/d/event', json: eventExample(name, entry) }), '', name);
  for (const [name, entry] of requestEntries) {
    const asked = { ...entry.example, transaction: 7 };
    t.equal(fault(`request#/definitions/${name}`, asked), '', name);
    const answer = responseExample(7, entry);
    t.equal(faultOf({ topic: `k/d/response/${name}`, json: answer }), '', name);
  }
});

void t.test('every schema refuses what is not described', async (t) => {
  for (const { name, from, example } of topicContracts) {
    if (from === 'device') t.not(fault(name, {}), '', `${name}: an empty object`);
    for (const field of (schemas.get(name)?.['required'] as string[] | undefined) ?? []) {
      const { [field]: _gone, ...rest } = example.payload;
      t.match(fault(name, rest), field, `${name} without ${field}`);
    }
    if (name !== 'request')
      t.match(fault(name, { ...example.payload, volume: 11 }), /additional/, name);
  }
  t.match(fault('event#/definitions/wake', { event: 'wake', at: '2026-03-02T06:14:09Z' }), /score/);
});

void t.test('every topic of the code is in the contract, and no other', async (t) => {
  const topics = topicsOf('<base>', '<device>');
  const general = Object.values(topics).map((topic) =>
    typeof topic === 'string' ? topic.replace('+', 'NAME') : topic('NAME'),
  );
  t.same(topicContracts.map(({ topic }) => topic.replace('<name>', 'NAME')).sort(), general.sort());
});

void t.test('states of updates are those of the updater', async (t) => {
  const { properties } = schemas.get('update') as { properties: { state: { enum: string[] } } };
  t.same(properties.state.enum, phases);
});
