/** What Home Assistant is told: what it takes, under names that are its own, whatever device and grammar are called. */
import { readFileSync } from 'node:fs';
import t from 'tap';
import {
  announce,
  discoveryTopic,
  goneMax,
  intentsMax,
  type Announced,
} from '../../../src/neighbours/home-assistant/discovery.js';
import {
  conditions,
  entitiesOf,
  rejectReasons,
} from '../../../src/neighbours/home-assistant/entities.js';
import { objectIdOf, slugOf, triggerKeyOf } from '../../../src/neighbours/home-assistant/names.js';
import { intentPayload, rejectedPayload, topicsOf } from '../../../src/publish/index.js';
import { publishedEventEntries } from '../../../src/publish/contract/index.js';
import { anyContext, heardNumber } from '../../sim/heard.js';
import { discoveryFault, updateFault } from '../../sim/home-assistant-sim.js';
import { Jinja, noJinja } from '../../sim/jinja.js';

type Json = Record<string, unknown>;

const announced = (more: Partial<Announced> = {}): Announced => {
  const { base = 'kikitori', device = 'press-3' } = more;
  return {
    prefix: 'homeassistant',
    base,
    device,
    version: '1.2.3',
    topics: topicsOf(base, device),
    intents: ['Stop', 'Light'],
    before: {},
    ...more,
  };
};
const componentsOf = (message: Json) => message['components'] as Record<string, Json>;
const entity = (key: string, intents: readonly string[] | null = ['Count']) => {
  const found = entitiesOf(topicsOf('kikitori', 'board'), intents).find((e) => e.key === key);
  if (found === undefined) throw new Error(`no entity ${key}`);
  return found.settings;
};

void t.test('updates of the language model, where a channel brings any', async (t) => {
  const of = (more: Partial<Announced>) => componentsOf(announce(announced(more)).message);
  t.notOk('language_model' in of({}));
  const shown = of({ languageUpdates: true });
  t.match(shown['language_model'], {
    platform: 'update',
    name: 'Language model',
    default_entity_id: 'update.press_3_language_model',
    title: 'kikitori language model',
    state_topic: 'kikitori/press-3/language',
    command_topic: 'kikitori/press-3/request/language',
    value_template: shown['model']?.['value_template'],
  });
  const off = of({ languageUpdates: true, requestsOff: ['language'] });
  t.notOk('command_topic' in (off['language_model'] ?? {}), 'which one it is, is still shown');
  const gone = announce(announced({ before: { language_model: 'update' } }));
  t.strictSame(componentsOf(gone.message)['language_model'], { platform: 'update' }, 'taken away');
});

void t.test('a device with two intents', async (t) => {
  const { topic, message, platforms } = announce(announced());
  t.equal(topic, 'homeassistant/device/kikitori_press-3/config');
  t.equal(discoveryFault(message), '');
  t.match(message, {
    device: { identifiers: ['kikitori_press-3'], name: 'press-3', sw_version: '1.2.3' },
    origin: { name: 'kikitori' },
    availability: [{ topic: 'kikitori/press-3/state', payload_available: 'online' }],
    components: {
      command: {
        platform: 'event',
        unique_id: 'kikitori_press-3_command',
        default_entity_id: 'event.press_3_command',
        event_types: ['Stop', 'Light'],
      },
      mute: { command_topic: 'kikitori/press-3/request/mute' },
      intent_Stop: {
        platform: 'device_automation',
        subtype: 'Stop',
        topic: 'kikitori/press-3/intent/Stop',
      },
    },
  });
  t.same(Object.keys(componentsOf(message)), Object.keys(platforms));
  t.notOk(JSON.stringify(message).includes('object_id'), 'object_id ends in 2026.4');
});

void t.test(
  'names of every kind give what Home Assistant takes, and no two the same',
  async (t) => {
    const devices = [
      'press-3',
      'press.3',
      'press_3',
      'PRESS-3',
      '---',
      '3',
      'x'.repeat(64),
      'ゑ',
      'a b',
    ];
    const bases = ['kikitori', 'site/hall-3/kikitori', 'a b/ü'];
    const topics: string[] = [];
    for (const base of bases)
      for (const device of devices) {
        const intents = ['Stop', 'a b', 'a_b', 'Lüfter', '"};{{ 1 }}', '{% x %}', "it's", '日本'];
        const { topic, message } = announce(announced({ base, device, intents }));
        t.equal(discoveryFault(message), '', `${base} ${device}`);
        t.match(topic, /^homeassistant\/device\/[A-Za-z0-9_-]+\/config$/);
        topics.push(topic);
        t.equal(Object.keys(componentsOf(message)).length, 19 + intents.length);
      }
    t.equal(new Set(topics).size, topics.length);
    t.equal(slugOf('Press  3 (Hall-2)'), 'press_3_hall_2');
    t.equal(slugOf('---'), 'kikitori');
    t.equal(objectIdOf('kikitori', 'board'), 'kikitori_board');
    t.not(triggerKeyOf('a b'), triggerKeyOf('a_b'));
  },
);

void t.test('what has gone is said to be gone, the newest of it', async (t) => {
  const first = announce(announced({ intents: ['Stop', 'Light'] }));
  const second = announce(announced({ intents: ['Stop'], before: first.platforms }));
  t.same(componentsOf(second.message)['intent_Light'], { platform: 'device_automation' });
  t.equal(discoveryFault(second.message), '');
  const third = announce(announced({ intents: ['Light'], before: second.platforms }));
  t.match(componentsOf(third.message)['intent_Light'], { subtype: 'Light' });
  t.same(componentsOf(third.message)['intent_Stop'], { platform: 'device_automation' });

  let before = {};
  for (let round = 0; round < 5; round++) {
    const intents = Array.from({ length: intentsMax }, (_, i) => `Round${round}_${i}`);
    const next = announce(announced({ intents, before }));
    t.ok(Object.keys(next.platforms).length <= 19 + intentsMax + goneMax);
    before = next.platforms;
  }
  t.same(
    Object.keys(before).filter((key) => key.startsWith('intent_Round2')),
    [],
  );
});

void t.test('a broker with little room, and a grammar with very many intents', async (t) => {
  const some = announce(announced());
  t.equal(discoveryFault(some.shorter), '');
  t.match(componentsOf(some.shorter)['command'], { event_types: ['command'] });
  t.equal(componentsOf(some.shorter)['intent_Stop'], undefined);
  t.ok(JSON.stringify(some.shorter).length < 11_000, `${JSON.stringify(some.shorter).length}`);
  const intents = Array.from({ length: intentsMax + 1 }, (_, i) => `Intent${i}`);
  const many = announce(announced({ intents }));
  t.match(componentsOf(many.message)['command'], { event_types: ['command'] });
  t.equal(componentsOf(many.message)['intent_Intent0'], undefined);
});

void t.test('the lists are those of docs/mqtt', async (t) => {
  const docs = new URL('../../../docs/mqtt/', import.meta.url);
  t.same(
    publishedEventEntries.map(([name]) => name),
    [...conditions],
  );
  const rejected = JSON.parse(readFileSync(new URL('rejected.json', docs), 'utf8')) as {
    properties: { reason: { enum: string[] } };
  };
  t.same(rejected.properties.reason.enum, [...rejectReasons]);
  t.equal(discoveryTopic('ha', 'x'), 'ha/device/x/config');
});

void t.test('templates', { skip: noJinja() }, async (t) => {
  const jinja = new Jinja();
  t.teardown(() => jinja.close());
  const render = (key: string, value: unknown, template = 'value_template', state?: string) =>
    jinja.render(String(entity(key)[template]), JSON.stringify(value), state);
  const json = async (...given: Parameters<typeof render>) =>
    JSON.parse(await render(...given)) as Json;
  const context = { ...anyContext(), boot: '0123456789ab', seq: 0 };
  const heard = { ...heardNumber(7), text: 'it\'s "number" <7>', said: { number: 'seven' } };

  await t.test('a command is an event; what may be old is none', async (t) => {
    const payload = intentPayload(heard, context);
    t.same(await json('command', payload), {
      event_type: 'Count',
      intent: 'Count',
      text: 'it\'s "number" <7>',
      confidence: 0.91,
      slots: { number: 7 },
      said: { number: 'seven' },
      confirm: false,
      id: '0123456789ab-0',
    });
    t.match(await json('command', intentPayload({ ...heard, confirm: true }, context)), {
      confirm: true,
    });
    t.equal(await render('command', { ...payload, replayed: true }), '');
    const any = String(entity('command', null)['value_template']);
    t.match(JSON.parse(await jinja.render(any, JSON.stringify(payload))), {
      event_type: 'command',
      intent: 'Count',
    });
    t.equal(await render('last_command', payload), heard.text);
    t.equal(await render('last_command', { ...payload, replayed: true }, undefined, 'go'), 'go');
    t.equal((await render('last_command', { ...payload, text: 'a'.repeat(300) })).length, 255);
  });

  await t.test('a trigger goes off for its intent alone, whatever it is called', async (t) => {
    const topics = topicsOf('k', 'd');
    t.equal(topics.intent('a b'), topics.intent('a_b'), 'two intents on one topic');
    for (const intent of ['Count', 'a b', 'a_b', 'Lüfter "2" \\ {{ 1 }} %}', '日本'])
      for (const replayed of [false, true]) {
        const { message } = announce(announced({ intents: [intent] }));
        const trigger = componentsOf(message)[triggerKeyOf(intent)] ?? {};
        const rendered = async (name: string) =>
          jinja.render(
            String(trigger['value_template']),
            JSON.stringify({ ...intentPayload({ ...heard, intent: name }, context), replayed }),
          );
        t.equal((await rendered(intent)) === trigger['payload'], !replayed, intent);
        t.not(await rendered('Other'), trigger['payload']);
      }
  });

  await t.test('a refused utterance, and a condition', async (t) => {
    const refused = { ...heardNumber(1, false), reason: 'ambiguous' as const };
    t.same(
      await json(
        'refused',
        rejectedPayload({ ...refused, second: { text: 'number nine', margin: 1 } }, context),
      ),
      {
        event_type: 'ambiguous',
        text: 'number 1',
        intent: 'Count',
        confidence: 0.91,
        second: 'number nine',
      },
    );
    t.match(await json('refused', rejectedPayload(heardNumber(1, false), context)), {
      event_type: 'not-a-command',
      second: null,
    });
    const condition = { event: 'mic-lost', at: '2026-01-01T00:00:00.000Z', why: 'unplugged' };
    t.same(await json('condition', condition), { event_type: 'mic-lost', ...condition });
  });

  await t.test('states', async (t) => {
    t.equal(await render('microphone', { mic: 'up' }), 'OFF');
    t.equal(await render('microphone', { mic: 'none' }), 'OFF', 'it is to have none');
    t.equal(await render('microphone', { mic: 'silent' }), 'ON');
    t.same(await json('microphone', { mic: 'lost' }, 'json_attributes_template'), {
      microphone: 'lost',
    });
    t.equal(await render('mute', { muted: true }), 'ON');
    t.equal(await render('mute', { muted: false }), 'OFF');
    t.equal(await render('min_confidence', { thresholds: { minConfidence: 0.62 } }), '0.62');
    t.equal(await render('self_test_result', { status: 'ok', data: { passed: true } }), 'passed');
    t.equal(await render('self_test_result', { status: 'ok', data: { passed: false } }), 'failed');
    t.equal(await render('self_test_result', { status: 'error', data: {}, error: 'no' }), 'error');
  });

  await t.test('the update, in each of its states', async (t) => {
    const states = JSON.parse(
      readFileSync(new URL('../../../docs/mqtt/update.json', import.meta.url), 'utf8'),
    ) as { properties: { state: { enum: string[] } } };
    const base = { installedVersion: '1.0.0', latestVersion: '1.1.0', progress: null };
    for (const state of states.properties.state.enum) {
      const shown = await json('model', { ...base, state, since: '2026-01-01T00:00:00.000Z' });
      t.equal(updateFault(shown), '', state);
      t.equal(shown['in_progress'], state === 'downloading', state);
    }
    t.match(await json('model', { ...base, state: 'downloading', progress: 37 }), {
      installed_version: '1.0.0',
      latest_version: '1.1.0',
      update_percentage: 37,
    });
    t.match(await json('model', { ...base, state: 'idle', latestVersion: null }), {
      latest_version: '1.0.0',
      update_percentage: null,
      release_summary: '',
    });
    const refused = { ...base, state: 'rolled-back', latestRefused: true };
    t.match(await json('model', refused), {
      ...{ installed_version: '1.0.0', latest_version: '1.0.0' },
    });
    const failed = await json('model', { ...base, state: 'rejected', error: 'é'.repeat(400) });
    t.equal(String(failed['release_summary']).length, 255);
    t.equal(updateFault(failed), '');
  });
});

void t.test(
  'what is switched off is not shown; the model still is, without a button',
  async (t) => {
    const all = componentsOf(announce(announced()).message);
    const off = (...requestsOff: string[]) =>
      componentsOf(announce(announced({ requestsOff })).message);
    t.same(off(), all);
    const gone = (some: Record<string, Json>) =>
      Object.keys(all).filter((key) => some[key] === undefined);
    t.same(gone(off('mute')), ['mute']);
    t.same(gone(off('listen', 'restart', 'rollback')), ['listen', 'restart', 'roll_back']);
    t.same(gone(off('options')), ['min_confidence']);
    t.same(gone(off('selftest')), ['self_test']);
    t.same(gone(off('update')), []);
    t.match(off('update')['model'], { platform: 'update', command_topic: undefined });
    const { message } = announce(announced({ requestsOff: ['update', 'mute'] }));
    t.equal(discoveryFault(message), '');
  },
);
