import { isExposed } from './exposed.js';
import type { House, HouseEntity } from './house.js';
import { domainOf, isEntityId, isObject, text, textsOf, type Json } from './json.js';

/**
 * `/api/states`, or what a template of Home Assistant prints: a list of things with `entity_id` and a name, in
 * `attributes.friendly_name` or `name`; a template may also give `area`, `floor` and `aliases`.
 */
export function houseFromStates(
  states: readonly Json[],
  { all = false }: { readonly all?: boolean } = {},
): House {
  const [areas, floors] = [new Set<string>(), new Set<string>()];
  let unexposed = 0;
  const entities = states.flatMap((state): HouseEntity[] => {
    const id = state['entity_id'];
    if (!isEntityId(id)) return [];
    const attributes = isObject(state['attributes']) ? state['attributes'] : {};
    const name = text(state['name']) ?? text(attributes['friendly_name']);
    const area = text(state['area']);
    const floor = text(state['floor']);
    if (area !== undefined) areas.add(area);
    if (floor !== undefined) floors.add(floor);
    if (name === undefined) return [];
    const deviceClass = text(state['device_class']) ?? text(attributes['device_class']);
    const domain = domainOf(id);
    if (!all && !isExposed(domain, deviceClass)) {
      unexposed++;
      return [];
    }
    return [
      {
        id,
        names: [name, ...textsOf(state['aliases'])],
        domain,
        ...(deviceClass === undefined ? {} : { deviceClass }),
        ...(area === undefined ? {} : { area }),
      },
    ];
  });
  const places = (names: ReadonlySet<string>) => [...names].map((name) => ({ names: [name] }));
  return { entities, areas: places(areas), floors: places(floors), unexposed };
}
