/**
 * Home Assistant's part in MQTT: takes discovery messages as its public documents say, renders their templates,
 * holds states, hears events, and sends what its buttons send. It notes what the real one would complain of.
 */
import { readFileSync } from 'node:fs';
import { Ajv, type ValidateFunction } from 'ajv';
import mqtt, { type MqttClient } from 'mqtt';
import { Jinja } from './jinja.js';

type Json = Record<string, unknown>;

const schema = JSON.parse(
  readFileSync(
    new URL('../neighbours/home-assistant/discovery.schema.json', import.meta.url),
    'utf8',
  ),
) as Json;
const ajv = new Ajv({ allErrors: true, strict: true, strictRequired: false, strictTypes: false });
const ofMessage = ajv.compile(schema);
const ofUpdate = ajv.compile({ $ref: `${String(schema['$id'])}#/definitions/updateState` });

const faultOf = (validate: ValidateFunction, value: unknown) =>
  validate(value) === true ? '' : ajv.errorsText(validate.errors).slice(0, 2000);

/** What is wrong with a discovery message, '' when nothing. */
export const discoveryFault = (message: unknown) => faultOf(ofMessage, message);
export const updateFault = (state: unknown) => faultOf(ofUpdate, state);

export interface HeardEvent {
  readonly entity: string;
  readonly attributes: Json;
}

interface Component {
  readonly id: string;
  readonly config: Json;
  state: string;
  attributes: Json;
  available: boolean;
}

export class HomeAssistantSim {
  /** Of the components, by topic of discovery and key. */
  private readonly components = new Map<string, Component>();
  readonly events: HeardEvent[] = [];
  /** What update entities were told, one after the other. */
  readonly updates: Json[] = [];
  /** Subtypes of device triggers, as they went off. */
  readonly triggered: string[] = [];
  readonly complaints: string[] = [];
  /** Discovery messages, as they came. */
  readonly announcements: string[] = [];
  private readonly jinja = new Jinja();
  private work: Promise<void> = Promise.resolve();

  private constructor(
    private readonly client: MqttClient,
    private readonly prefix: string,
  ) {
    client.on('message', (topic, payload, { retain }) => {
      this.work = this.work
        .then(() => this.take(topic, payload.toString(), retain))
        .catch((error: unknown) => void this.complaints.push(String(error)));
    });
    client.on('error', () => undefined);
  }

  static async open(url: string, prefix = 'homeassistant'): Promise<HomeAssistantSim> {
    const client = await mqtt.connectAsync(url, { reconnectPeriod: 200 });
    const sim = new HomeAssistantSim(client, prefix);
    await client.subscribeAsync(`${prefix}/device/+/config`, { qos: 0 });
    return sim;
  }

  /** As it says when it has begun. */
  async begin(): Promise<void> {
    await this.client.publishAsync(`${this.prefix}/status`, 'online', { qos: 0 });
  }

  /** Ids of entities, and `"X" spoken` for triggers. */
  get shown(): string[] {
    return [...this.components.values()].map(({ id }) => id).sort();
  }

  state(id: string): string | undefined {
    const found = this.find(id);
    return found === undefined || found.available ? found?.state : 'unavailable';
  }

  attributes(id: string): Json | undefined {
    return this.find(id)?.attributes;
  }

  config(id: string): Json | undefined {
    return this.find(id)?.config;
  }

  async press(id: string): Promise<void> {
    await this.command(id, 'payload_press');
  }

  async turn(id: string, on: boolean): Promise<void> {
    await this.command(id, on ? 'payload_on' : 'payload_off');
  }

  async install(id: string): Promise<void> {
    await this.command(id, 'payload_install');
  }

  async setNumber(id: string, value: number): Promise<void> {
    const { config } = this.known(id);
    const text = String(config['command_template']).replace('{{ value }}', String(value));
    await this.client.publishAsync(String(config['command_topic']), text, { qos: 1 });
  }

  async close(): Promise<void> {
    await this.client.endAsync(true);
    await this.work;
    await this.jinja.close();
  }

  private async command(id: string, payload: string): Promise<void> {
    const { config } = this.known(id);
    const { command_topic: topic, [payload]: text } = config;
    await this.client.publishAsync(String(topic), String(text), { qos: 1 });
  }

  private find(id: string): Component | undefined {
    return [...this.components.values()].find((component) => component.id === id);
  }

  private known(id: string): Component {
    const found = this.find(id);
    if (found === undefined) throw new Error(`there is no ${id}: ${this.shown.join(', ')}`);
    return found;
  }

  private async take(topic: string, text: string, retained: boolean): Promise<void> {
    if (topic.startsWith(`${this.prefix}/device/`)) return this.discovered(topic, text);
    for (const component of this.components.values())
      await this.heard(component, topic, text, retained);
  }

  private async discovered(topic: string, text: string): Promise<void> {
    this.announcements.push(text);
    if (text === '') {
      for (const key of this.components.keys())
        if (key.startsWith(`${topic} `)) this.components.delete(key);
      return;
    }
    const message = JSON.parse(text) as Json;
    const fault = discoveryFault(message);
    if (fault !== '') throw new Error(fault);
    const { components, availability } = message;
    for (const [name, own] of Object.entries(components as Record<string, Json>)) {
      const key = `${topic} ${name}`;
      if (Object.keys(own).length === 1) {
        this.components.delete(key);
        continue;
      }
      const config: Json = { availability, ...own };
      const before = this.components.get(key);
      this.components.set(key, {
        id:
          typeof own['default_entity_id'] === 'string'
            ? own['default_entity_id']
            : `"${String(own['subtype'])}" ${String(own['type'])}`,
        config,
        state: before?.state ?? 'unknown',
        attributes: before?.attributes ?? {},
        available: before?.available ?? (config['availability'] as unknown[]).length === 0,
      });
      // Again for those it has, so that what is retained comes again.
      for (const wanted of topicsOf(config)) await this.client.subscribeAsync(wanted, { qos: 1 });
    }
  }

  private async heard(component: Component, topic: string, text: string, retained: boolean) {
    const { config, id } = component;
    const render = (template: unknown) =>
      typeof template === 'string'
        ? this.jinja.render(template, text, component.state)
        : Promise.resolve(text);
    for (const one of config['availability'] as Json[])
      if (one['topic'] === topic)
        component.available = (await render(one['value_template'])) === one['payload_available'];
    if (config['json_attributes_topic'] === topic)
      component.attributes = JSON.parse(await render(config['json_attributes_template'])) as Json;
    const platform = String(config['platform']);
    if (platform === 'device_automation') {
      if (
        config['topic'] === topic &&
        (await render(config['value_template'])) === config['payload']
      )
        this.triggered.push(String(config['subtype']));
      return;
    }
    const wanted = config['state_topic'];
    if (
      typeof wanted !== 'string' ||
      !new RegExp(`^${wanted.replace(/\+/g, '[^/]+')}$`).test(topic)
    )
      return;
    const value = await render(config['value_template']);
    if (platform === 'event') this.event(component, value, retained);
    else if (platform === 'update') this.update(component, value);
    else if (platform === 'switch' || platform === 'binary_sensor')
      component.state = onOff(config, value) ?? this.complain(`${id}: ${value}`);
    else if (
      Array.isArray(config['options']) ? !config['options'].includes(value) : value.length > 255
    )
      this.complain(`${id}: ${value}`);
    else component.state = value;
  }

  private event({ id, config }: Component, value: string, retained: boolean): void {
    if (retained || value === '' || value === '{}') return;
    const { event_type: type, ...more } = JSON.parse(value) as Json;
    if (!(config['event_types'] as unknown[]).includes(type)) this.complain(`${id}: ${value}`);
    else this.events.push({ entity: id, attributes: { event_type: type, ...more } });
  }

  private update(component: Component, value: string): void {
    const given = JSON.parse(value) as Json;
    const fault = updateFault(given);
    if (fault !== '') this.complain(`${component.id}: ${fault}`);
    this.updates.push(given);
    component.attributes = { ...component.attributes, ...given };
    component.state = given['latest_version'] === given['installed_version'] ? 'off' : 'on';
  }

  private complain(what: string): string {
    this.complaints.push(what);
    return 'unknown';
  }
}

function topicsOf(config: Json): string[] {
  const own = ['state_topic', 'json_attributes_topic', 'topic'].map((key) => config[key]);
  const availability = (config['availability'] as Json[]).map(({ topic }) => topic);
  return [...own, ...availability].filter((topic): topic is string => typeof topic === 'string');
}

function onOff(config: Json, value: string): string | undefined {
  if (value === (config['state_on'] ?? config['payload_on'] ?? 'ON')) return 'on';
  if (value === (config['state_off'] ?? config['payload_off'] ?? 'OFF')) return 'off';
  return undefined;
}
