import { isExposed } from './exposed.js';
import type { House, HouseEntity } from './house.js';
import { isObject, text, type Json } from './json.js';

export interface DiscoveryMessage {
  readonly topic: string;
  readonly payload: string;
}

/** Short keys that discovery allows, as far as they say what a thing is. */
const long: Readonly<Record<string, string>> = {
  dev: 'device',
  cmps: 'components',
  p: 'platform',
  sa: 'suggested_area',
  dev_cla: 'device_class',
  ent_cat: 'entity_category',
  en: 'enabled_by_default',
  def_ent_id: 'default_entity_id',
};
/** Components that are no things. */
const nothings: ReadonlySet<string> = new Set(['device_automation', 'tag']);

/** What devices tell Home Assistant of themselves over MQTT: PREFIX/device/ID/config, or a message for each component. */
export function houseFromDiscovery(
  messages: readonly DiscoveryMessage[],
  prefix: string,
  { all = false }: { readonly all?: boolean } = {},
): House {
  const areas = new Set<string>();
  const entities: HouseEntity[] = [];
  let unexposed = 0;
  const add = (domain: string, device: Json, component: Json) => {
    const area = text(device['suggested_area']);
    if (area !== undefined) areas.add(area);
    if (nothings.has(domain) || component['enabled_by_default'] === false) return;
    if (text(component['entity_category']) !== undefined) return;
    const name = nameOf(device, component);
    if (name === undefined) return;
    const deviceClass = text(component['device_class']);
    if (!all && !isExposed(domain, deviceClass)) {
      unexposed++;
      return;
    }
    const id = text(component['default_entity_id']);
    entities.push({
      ...(id === undefined ? {} : { id }),
      names: [name],
      domain,
      ...(deviceClass === undefined ? {} : { deviceClass }),
      ...(area === undefined ? {} : { area }),
    });
  };
  for (const { topic, payload } of messages) {
    const [domain = '', ...rest] = topic.slice(prefix.length + 1).split('/');
    if (!topic.startsWith(`${prefix}/`) || rest.at(-1) !== 'config') continue;
    const config = parsed(payload);
    if (config === null) continue;
    const device = isObject(config['device']) ? config['device'] : {};
    if (domain !== 'device') add(domain, device, config);
    else {
      const components = isObject(config['components']) ? config['components'] : {};
      for (const component of Object.values(components)) {
        const platform = isObject(component) ? text(component['platform']) : undefined;
        if (isObject(component) && platform !== undefined) add(platform, device, component);
      }
    }
  }
  return { entities, areas: [...areas].map((name) => ({ names: [name] })), floors: [], unexposed };
}

/** Home Assistant's rule: the device's name and the component's; the device's alone when the component has none. */
function nameOf(device: Json, component: Json): string | undefined {
  const [of, own] = [text(device['name']), text(component['name'])];
  if (of === undefined || own === undefined) return of ?? own;
  return `${of} ${own}`;
}

/** An empty message removes a thing; what is no JSON is none. */
function parsed(payload: string): Json | null {
  try {
    const value: unknown = payload.trim() === '' ? null : JSON.parse(payload);
    return isObject(value) ? written(value) : null;
  } catch {
    return null;
  }
}

/** With long keys in place of short ones, in the device and the components too. */
function written(config: Json): Json {
  return Object.fromEntries(
    Object.entries(config).map(([key, value]) => {
      const name = long[key] ?? key;
      if (!isObject(value)) return [name, value];
      if (name === 'components')
        return [
          name,
          Object.fromEntries(
            Object.entries(value).map(([id, inner]) => [
              id,
              isObject(inner) ? written(inner) : inner,
            ]),
          ),
        ];
      return [name, name === 'device' ? written(value) : value];
    }),
  );
}
