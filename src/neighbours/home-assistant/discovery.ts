/** The one message that tells Home Assistant of a device: its MQTT integration's device discovery. Pure. */
import type { Topics } from '../../publish/index.js';
import { entitiesOf, type Entity, type Json, type Shown } from './entities.js';
import { objectIdOf, slugOf, triggerKeyOf } from './names.js';

/** A device as it is announced. */
export interface Announcement {
  readonly topic: string;
  readonly message: Json;
  /** For a broker that does not take so much: no trigger for each intent. */
  readonly shorter: Json;
  /** Of the components in it, key -> platform. */
  readonly platforms: Readonly<Record<string, string>>;
}

export interface Announced extends Shown {
  readonly prefix: string;
  readonly base: string;
  readonly device: string;
  readonly version: string;
  readonly topics: Topics;
  readonly intents: readonly string[];
  /** Components that were announced before, key -> platform. */
  readonly before: Readonly<Record<string, string>>;
}

/** A grammar with more intents is told as one event: an entity's attributes have a limit there. */
export const intentsMax = 200;
/** So many that have gone are still said to be gone. */
export const goneMax = 100;

/** Of each component: the one beside them is not heeded. */
const qos = 1;
const triggerPlatform = 'device_automation';

export const discoveryTopic = (prefix: string, objectId: string) =>
  `${prefix}/device/${objectId}/config`;

export function announce(of: Announced): Announcement {
  const objectId = objectIdOf(of.base, of.device);
  const short = of.intents.length > intentsMax;
  const entities = (intents: readonly string[] | null) =>
    Object.fromEntries(
      entitiesOf(of.topics, intents, of).map((entity) => [
        entity.key,
        component(entity, of, objectId),
      ]),
    );
  const triggers = short
    ? {}
    : Object.fromEntries(
        of.intents.map((intent) => [triggerKeyOf(intent), trigger(intent, of.topics)]),
      );
  const components = { ...entities(short ? null : of.intents), ...triggers };
  const shorter = entities(null);
  return {
    topic: discoveryTopic(of.prefix, objectId),
    message: { ...frame(of, objectId), components: withGone(components, of.before) },
    shorter: { ...frame(of, objectId), components: shorter },
    platforms: platformsOf(withGone(components, of.before)),
  };
}

function frame({ device, version, topics }: Announced, objectId: string) {
  return {
    device: {
      identifiers: [objectId],
      name: device,
      manufacturer: 'kikitori',
      model: 'Voice agent',
      sw_version: version,
    },
    origin: { name: 'kikitori', sw_version: version },
    availability: [
      {
        topic: topics.state,
        value_template: '{{ value_json.state }}',
        payload_available: 'online',
        payload_not_available: 'offline',
      },
    ],
  };
}

function component({ key, platform, name, settings }: Entity, of: Announced, objectId: string) {
  return {
    platform,
    name,
    unique_id: `${objectId}_${key}`,
    default_entity_id: `${platform}.${slugOf(of.device)}_${key}`,
    qos,
    ...settings,
  };
}

/** "TurnOn" spoken. What may be old is no command. */
function trigger(intent: string, topics: Topics) {
  return {
    platform: triggerPlatform,
    automation_type: 'trigger',
    type: 'spoken',
    subtype: intent,
    topic: topics.intent(intent),
    value_template: `{{ "yes" if value_json.intent == ${JSON.stringify(intent)} and not value_json.replayed else "no" }}`,
    payload: 'yes',
    qos,
  };
}

/** A component that is only its platform is taken away; the newest of those that have gone, up to a limit. */
function withGone(
  components: Readonly<Record<string, Json>>,
  before: Readonly<Record<string, string>>,
): Readonly<Record<string, Json>> {
  const gone = Object.entries(before)
    .filter(([key]) => components[key] === undefined)
    .slice(-goneMax)
    .map(([key, platform]) => [key, { platform }] as const);
  return { ...Object.fromEntries(gone), ...components };
}

const platformsOf = (components: Readonly<Record<string, Json>>) =>
  Object.fromEntries(
    Object.entries(components).map(([key, { platform }]) => [key, String(platform)]),
  );
