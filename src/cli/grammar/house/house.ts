import { stringify } from 'yaml';

/** Something that can be named in a sentence. */
export interface HouseEntity {
  readonly id?: string;
  /** As Home Assistant shows it, then what else it is called. */
  readonly names: readonly string[];
  readonly domain: string;
  readonly deviceClass?: string;
  readonly area?: string;
}

/** Areas and floors are named by the first of their names. */
export interface HousePlace {
  readonly names: readonly string[];
}

/** What a house has, as far as it may be spoken of. */
export interface House {
  readonly entities: readonly HouseEntity[];
  readonly areas: readonly HousePlace[];
  readonly floors: readonly HousePlace[];
  /** Not for voice, by Home Assistant's settings or its defaults. */
  readonly unexposed: number;
}

export interface HouseOptions {
  /** Whether a text has a sound in all its words; what has none is left out. */
  readonly pronounceable: (text: string) => boolean;
  /** The slot becomes the entity's id in place of its name. */
  readonly ids?: boolean;
  /** The area that the device is in. */
  readonly area?: string;
}

export interface HouseLists {
  readonly yaml: string;
  readonly names: number;
  readonly areas: number;
  readonly floors: number;
  /** What was left out or may surprise, in words. */
  readonly notes: readonly string[];
}

/** A grammar with more is slow, and nobody knows so many names. */
export const namesMax = 5000;
const lettersMax = 100;

const head = `# Written by kikitori grammar import-ha; written anew when it is run again. Own sentences belong into another file.
`;

/** Whether a file was written by us and may be replaced. */
export const isOurs = (text: string) => text.startsWith(head.slice(0, 40));

interface Value {
  readonly in: string;
  readonly out: string;
  readonly context?: Readonly<Record<string, string>>;
}

/** The lists `name`, `area` and `floor` of a house, as a file of sentences has them. */
export function houseLists(house: House, options: HouseOptions): HouseLists {
  const notes: string[] = [];
  const spoken = new Spoken(options.pronounceable, notes);
  const things = [...house.entities].sort((a, b) => compare(first(a.names), first(b.names)));
  const values = things.flatMap((entity) => {
    const { id, domain, deviceClass, area } = entity;
    const name = first(entity.names);
    const context = {
      domain,
      ...(deviceClass === undefined ? {} : { device_class: deviceClass }),
      ...(area === undefined ? {} : { area }),
    };
    const out = options.ids === true && id !== undefined ? id : name;
    return spoken
      .of(entity.names, `${domain} `, id ?? name)
      .map((text): Value => ({ in: text, out, context }));
  });
  const kept = values.slice(0, namesMax);
  if (kept.length < values.length)
    notes.push(`left out: ${values.length - namesMax} names beyond ${namesMax}`);
  const places = (all: readonly HousePlace[], what: string) =>
    [...all]
      .sort((a, b) => compare(first(a.names), first(b.names)))
      .flatMap(({ names }) =>
        spoken
          .of(names, what, first(names))
          .map((text): Value => ({ in: text, out: first(names) })),
      );
  const areas = places(house.areas, 'area ');
  const floors = places(house.floors, 'floor ');
  if (house.unexposed > 0)
    notes.push(
      `left out: ${house.unexposed} that Home Assistant does not expose to voice (--all takes them)`,
    );
  const document = {
    language: 'en',
    ...(options.area === undefined ? {} : { context: { area: options.area } }),
    lists: {
      name: { values: kept.map(escaped) },
      area: { values: areas.map(escaped) },
      floor: { values: floors.map(escaped) },
    },
  };
  return {
    yaml: head + stringify(document, { lineWidth: 0 }),
    names: kept.length,
    areas: areas.length,
    floors: floors.length,
    notes,
  };
}

/** Which names can be said, each once for each kind of thing. */
class Spoken {
  private readonly taken = new Map<string, string>();

  constructor(
    private readonly pronounceable: (text: string) => boolean,
    private readonly notes: string[],
  ) {}

  of(names: readonly string[], kind: string, whose: string): string[] {
    return [...new Set(names.map((name) => name.replace(/\s+/g, ' ').trim()))].filter((name) => {
      if (name === '') return false;
      if (name.length > lettersMax) {
        this.notes.push(`left out: a name of ${whose}: more than ${lettersMax} letters`);
        return false;
      }
      if (!this.pronounceable(name)) {
        this.notes.push(
          `left out: "${name}" of ${whose}: it has no pronunciation; a word list says how it sounds`,
        );
        return false;
      }
      const key = kind + name.toLowerCase();
      const other = this.taken.get(key);
      if (other === undefined) this.taken.set(key, whose);
      else if (other !== whose)
        this.notes.push(`"${name}" is the name of ${other} and of ${whose}: the first counts`);
      return other === undefined;
    });
  }
}

/** Signs of a template in a name are text. */
const escaped = (value: Value): Value =>
  /[()[\]{}<>|\\]/.test(value.in)
    ? { ...value, in: value.in.replace(/[()[\]{}<>|;\\]/g, '\\$&') }
    : value;

const first = (names: readonly string[]) => names[0] ?? '';
const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
