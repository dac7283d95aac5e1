/**
 * What Home Assistant shows of a device. All of it is read from the topics of docs/mqtt by templates (Jinja), and
 * commands are the requests there: nothing is said twice.
 */
import type { PublishedEvent, Topics } from '../../publish/index.js';
import type { RejectReason } from '../../records.js';

export type Json = Readonly<Record<string, unknown>>;

/** One entity: `key` makes its ids. */
export interface Entity {
  readonly key: string;
  readonly platform: string;
  readonly name: string;
  readonly settings: Json;
}

/** Every `event` of docs/mqtt; Home Assistant takes no other. */
export const conditions = [
  'restarted',
  'mic-lost',
  'mic-restored',
  'outbox-full',
  'message-set-aside',
  'message-shortened',
  'message-left-out',
  'outbox-damaged',
  'wake',
  'model-committed',
  'model-rolled-back',
  'language-model-committed',
  'language-model-rolled-back',
] as const satisfies readonly PublishedEvent[];

export const rejectReasons = [
  'low-confidence',
  'ambiguous',
  'not-a-command',
  'too-long',
  'noise',
] as const satisfies readonly RejectReason[];

/** Where a grammar has more intents than Home Assistant should be told one by one. */
export const anyIntent = 'command';

/** An entity's state is at most this long there. */
const stateCharsMax = 255;

const json = (value: string) => `{{ ${value} | tojson }}`;
const field = (path: string) => `{{ value_json.${path} }}`;
const diagnostic = { entity_category: 'diagnostic' } as const;

/** What a site has of it. */
export interface Shown {
  /** Switched off: what asks for them is not shown. */
  readonly requestsOff?: readonly string[];
  /** A channel brings language models for free words. */
  readonly languageUpdates?: boolean;
}

/** `intents` null: all of them are the one event `command`, with the intent as an attribute. */
export function entitiesOf(
  topics: Topics,
  intents: readonly string[] | null,
  { requestsOff = [], languageUpdates = false }: Shown = {},
): readonly Entity[] {
  const off = new Set(requestsOff.map((name) => topics.requests.replace('+', name)));
  const all = [...events(topics, intents), ...states(topics), ...controls(topics)];
  if (languageUpdates) all.push(languageModelUpdate(topics));
  return [...all, ...figures(topics)].flatMap((entity) => allowed(entity, off));
}

/** What would only be refused is not shown; of a model still which one it is. */
function allowed(entity: Entity, off: ReadonlySet<string>): Entity[] {
  const { command_topic: asks, payload_install: _, ...rest } = entity.settings;
  if (!off.has(String(asks))) return [entity];
  return entity.platform === 'update' ? [{ ...entity, settings: rest }] : [];
}

function events(topics: Topics, intents: readonly string[] | null): Entity[] {
  const type = intents === null ? `"${anyIntent}"` : 'value_json.intent';
  return [
    event('command', 'Command', `${topics.intent('')}+`, intents ?? [anyIntent], {
      icon: 'mdi:account-voice',
      // What may be old is no event; an empty one is passed over.
      value_template: `{% if not value_json.replayed %}${json(
        `{"event_type": ${type}, "intent": value_json.intent, "text": value_json.text,` +
          ' "confidence": value_json.confidence, "slots": value_json.slots,' +
          ' "said": value_json.said | default({}), "confirm": value_json.confirm | default(false),' +
          ' "id": value_json.id}',
      )}{% endif %}`,
    }),
    event('refused', 'Refused', topics.rejected, rejectReasons, {
      icon: 'mdi:account-question',
      value_template: json(
        '{"event_type": value_json.reason, "text": value_json.best.text,' +
          ' "intent": value_json.best.intent, "confidence": value_json.confidence,' +
          ' "second": (value_json.second | default({"text": none})).text}',
      ),
    }),
    event('condition', 'Condition', topics.event, conditions, {
      icon: 'mdi:alert-circle-outline',
      ...diagnostic,
      value_template: json('dict(value_json, event_type=value_json.event)'),
    }),
  ];
}

function states(topics: Topics): Entity[] {
  return [
    {
      key: 'last_command',
      platform: 'sensor',
      name: 'Last command',
      settings: {
        icon: 'mdi:text-recognition',
        state_topic: topics.transcript,
        value_template: `{{ this.state if value_json.replayed else value_json.text[:${stateCharsMax}] }}`,
      },
    },
    {
      key: 'connected',
      platform: 'binary_sensor',
      name: 'Connected',
      settings: {
        ...diagnostic,
        device_class: 'connectivity',
        state_topic: topics.state,
        value_template: field('state'),
        payload_on: 'online',
        payload_off: 'offline',
        // Off says more than unavailable.
        availability: [],
      },
    },
    {
      key: 'microphone',
      platform: 'binary_sensor',
      name: 'Microphone',
      settings: {
        ...diagnostic,
        device_class: 'problem',
        state_topic: topics.health,
        value_template: '{{ "OFF" if value_json.mic in ["up", "none"] else "ON" }}',
        json_attributes_topic: topics.health,
        json_attributes_template: json('{"microphone": value_json.mic}'),
      },
    },
    {
      key: 'self_test_result',
      platform: 'sensor',
      name: 'Self-test result',
      settings: {
        ...diagnostic,
        device_class: 'enum',
        options: ['passed', 'failed', 'error'],
        state_topic: topics.response('selftest'),
        value_template:
          '{{ "error" if value_json.status != "ok" else "passed" if value_json.data.passed else "failed" }}',
      },
    },
  ];
}

function controls(topics: Topics): Entity[] {
  const request = (name: string) => topics.requests.replace('+', name);
  const button = (key: string, name: string, asked: string, settings: Json): Entity => ({
    key,
    platform: 'button',
    name,
    settings: { command_topic: request(asked), payload_press: '{}', ...settings },
  });
  return [
    {
      key: 'mute',
      platform: 'switch',
      name: 'Mute',
      settings: {
        icon: 'mdi:microphone-off',
        state_topic: topics.health,
        value_template: '{{ "ON" if value_json.muted else "OFF" }}',
        state_on: 'ON',
        state_off: 'OFF',
        command_topic: request('mute'),
        payload_on: '{"mute": true}',
        payload_off: '{"mute": false}',
      },
    },
    button('listen', 'Listen', 'listen', { icon: 'mdi:ear-hearing' }),
    button('restart', 'Restart', 'restart', { entity_category: 'config', device_class: 'restart' }),
    button('self_test', 'Self-test', 'selftest', { ...diagnostic, icon: 'mdi:clipboard-pulse' }),
    button('roll_back', 'Roll back model', 'rollback', {
      entity_category: 'config',
      icon: 'mdi:undo-variant',
    }),
    {
      key: 'min_confidence',
      platform: 'number',
      name: 'Minimum confidence',
      settings: {
        entity_category: 'config',
        icon: 'mdi:tune-variant',
        ...{ min: 0, max: 1, step: 0.01, mode: 'box' },
        state_topic: topics.info,
        value_template: field('thresholds.minConfidence'),
        command_topic: request('options'),
        command_template: '{"options": {"minConfidence": {{ value }}}}',
      },
    },
    updateOf('model', 'Model', topics.update, request('update')),
  ];
}

const languageModelUpdate = (topics: Topics): Entity =>
  updateOf(
    'language_model',
    'Language model',
    topics.language,
    topics.requests.replace('+', 'language'),
  );

function updateOf(key: string, name: string, state: string, request: string): Entity {
  return {
    key,
    platform: 'update',
    name,
    settings: {
      entity_category: 'config',
      title: `kikitori ${name.toLowerCase()}`,
      state_topic: state,
      value_template: updateTemplate,
      command_topic: request,
      payload_install: '{"action": "install"}',
    },
  };
}

/** Of docs/mqtt's update; keys beyond these are refused there. Install is offered while it waits for its time. */
const updateTemplate = json(
  '{"installed_version": value_json.installedVersion,' +
    // One that was refused here is not offered: a press would only be told so.
    ' "latest_version": (none if value_json.latestRefused | default(false) else value_json.latestVersion) or value_json.installedVersion,' +
    ' "in_progress": value_json.state == "downloading",' +
    ' "update_percentage": value_json.progress,' +
    ` "release_summary": (value_json.error | default({"verified": "Downloaded and checked. Install takes it now, else it waits for its time.", "trial": "On trial: the one before is kept.", "committed": "The trial was passed."}[value_json.state] | default("")))[:${stateCharsMax}]}`,
);

function figures(topics: Topics): Entity[] {
  const figure = (key: string, name: string, of: string, settings: Json): Entity => ({
    key,
    platform: 'sensor',
    name,
    settings: {
      ...diagnostic,
      state_class: 'measurement',
      state_topic: topics.health,
      value_template: field(of),
      ...settings,
    },
  });
  return [
    figure('latency', 'Latency', 'latencyMs', {
      device_class: 'duration',
      unit_of_measurement: 'ms',
    }),
    figure('real_time_factor', 'Real-time factor', 'rtf', {
      icon: 'mdi:speedometer',
      suggested_display_precision: 3,
    }),
    figure('memory', 'Memory', 'rssMb', { device_class: 'data_size', unit_of_measurement: 'MB' }),
    figure('queued', 'Queued messages', 'queued', { icon: 'mdi:tray-full' }),
    figure('dropped', 'Dropped messages', 'dropped', {
      icon: 'mdi:tray-remove',
      state_class: 'total_increasing',
    }),
  ];
}

function event(
  key: string,
  name: string,
  topic: string,
  types: readonly string[],
  settings: Json,
): Entity {
  return {
    key,
    platform: 'event',
    name,
    settings: { state_topic: topic, event_types: types, ...settings },
  };
}
