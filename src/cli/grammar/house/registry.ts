import { isExposed } from './exposed.js';
import type { House, HouseEntity } from './house.js';
import { domainOf, isEntityId, objects, isObject, text, textsOf, type Json } from './json.js';

/** The files of Home Assistant's `.storage` that say what there is, by their `key`. */
export const registryKeys = [
  'core.entity_registry',
  'core.device_registry',
  'core.area_registry',
  'core.floor_registry',
] as const;
export type RegistryKey = (typeof registryKeys)[number];

/** What the registries say of a house; those that are missing say nothing. */
export function houseFromRegistries(
  registries: ReadonlyMap<RegistryKey, Json>,
  { all = false }: { readonly all?: boolean } = {},
): House {
  const data = (key: RegistryKey) => {
    const inner = registries.get(key)?.['data'];
    return isObject(inner) ? inner : {};
  };
  const devices = byId(objects(data('core.device_registry')['devices']), 'id');
  const areas = byId(objects(data('core.area_registry')['areas']), 'id');
  const floors = objects(data('core.floor_registry')['floors']);
  let unexposed = 0;
  const entities = objects(data('core.entity_registry')['entities']).flatMap(
    (entity): HouseEntity[] => {
      const id = entity['entity_id'];
      if (!isEntityId(id) || isGone(entity)) return [];
      const device = devices.get(text(entity['device_id']) ?? '');
      const names = namesOf(entity, device);
      if (names.length === 0) return [];
      const deviceClass = text(entity['device_class']) ?? text(entity['original_device_class']);
      const domain = domainOf(id);
      if (!all && !(shown(entity) ?? isExposed(domain, deviceClass))) {
        unexposed++;
        return [];
      }
      const area = areas.get(text(entity['area_id']) ?? text(device?.['area_id']) ?? '');
      return [
        {
          id,
          names,
          domain,
          ...(deviceClass === undefined ? {} : { deviceClass }),
          ...optional('area', text(area?.['name'])),
        },
      ];
    },
  );
  return {
    entities,
    areas: [...areas.values()].map(placeOf).filter(({ names }) => names.length > 0),
    floors: floors.map(placeOf).filter(({ names }) => names.length > 0),
    unexposed,
  };
}

const optional = (key: 'area', value: string | undefined) =>
  value === undefined ? {} : { [key]: value };

/** Switched off, hidden, or a device's own affairs. */
const isGone = (entity: Json) =>
  ['disabled_by', 'hidden_by', 'entity_category'].some((key) => text(entity[key]) !== undefined);

/** What the settings of Assist say of it; undefined when nobody has chosen. */
function shown(entity: Json): boolean | undefined {
  const options = isObject(entity['options']) ? entity['options'] : {};
  const assist = isObject(options['conversation']) ? options['conversation'] : {};
  const exposed = assist['should_expose'];
  return typeof exposed === 'boolean' ? exposed : undefined;
}

/** As Home Assistant names it: by the user, or by its device and itself. */
function namesOf(entity: Json, device: Json | undefined): string[] {
  const aliases = textsOf(entity['aliases']);
  const own = text(entity['name']);
  if (own !== undefined) return [own, ...aliases];
  const original = text(entity['original_name']);
  const of = text(device?.['name_by_user']) ?? text(device?.['name']);
  const whole =
    entity['has_entity_name'] === true && of !== undefined
      ? [of, original].filter((part) => part !== undefined).join(' ')
      : (original ?? of);
  return [...(whole === undefined ? [] : [whole]), ...aliases];
}

const placeOf = (place: Json) => ({
  names: [
    ...[text(place['name'])].filter((name) => name !== undefined),
    ...textsOf(place['aliases']),
  ],
});

function byId(all: readonly Json[], key: string): Map<string, Json> {
  return new Map(all.flatMap((one) => (typeof one[key] === 'string' ? [[one[key], one]] : [])));
}
