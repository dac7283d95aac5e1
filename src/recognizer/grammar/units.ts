/** No object: a symbol may be "constructor". */
function tableOf(ways: Readonly<Record<string, string>>): ReadonlyMap<string, string> {
  return new Map(Object.entries(ways));
}

/**
 * Units of measure as they are written, and the ways they are said; the first is the usual one.
 * Letters that are also said as letters ("five v") are added by readings.ts.
 */
const counted = tableOf({
  mm: 'millimeter',
  cm: 'centimeter',
  m: 'meter',
  km: 'kilometer',
  µm: 'micrometer|micron',
  um: 'micrometer|micron',
  g: 'gram',
  mg: 'milligram',
  kg: 'kilogram|kilo',
  t: 'ton',
  lb: 'pound',
  lbs: 'pound',
  oz: 'ounce',
  l: 'liter',
  ml: 'milliliter',
  s: 'second',
  sec: 'second',
  ms: 'millisecond',
  min: 'minute',
  h: 'hour',
  v: 'volt',
  mv: 'millivolt',
  kv: 'kilovolt',
  a: 'amp|ampere',
  ma: 'milliamp',
  w: 'watt',
  kw: 'kilowatt',
  kwh: 'kilowatt hour',
  n: 'newton',
  nm: 'newton meter',
  db: 'decibel',
  mbar: 'millibar',
  ω: 'ohm',
  kω: 'kiloohm|kilohm',
  va: 'volt ampere',
  kva: 'kilovolt ampere',
  ah: 'amp hour',
  mah: 'milliamp hour',
  wh: 'watt hour',
  j: 'joule',
  kj: 'kilojoule',
  kn: 'kilonewton',
  cl: 'centiliter',
  dl: 'deciliter',
  hl: 'hectoliter',
  µg: 'microgram',
  µl: 'microliter',
  µs: 'microsecond',
  yd: 'yard',
  gal: 'gallon',
  hr: 'hour',
  hrs: 'hour',
  mins: 'minute',
  secs: 'second',
  kb: 'kilobyte',
  mb: 'megabyte',
  gb: 'gigabyte',
  tb: 'terabyte',
  '°': 'degree',
  '€': 'euro',
  eur: 'euro',
  $: 'dollar',
  usd: 'dollar|u s dollar',
  '£': 'pound',
  gbp: 'pound',
  '¢': 'cent',
  chf: 'franc|swiss franc',
  '₹': 'rupee',
  '₽': 'ruble',
  '₺': 'lira',
  '₴': 'hryvnia',
});

const fixed = tableOf({
  '%': 'percent|per cent',
  hz: 'hertz',
  khz: 'kilohertz',
  mhz: 'megahertz',
  bar: 'bar|bars',
  rpm: 'rpm|revolutions per minute',
  psi: 'psi|pounds per square inch',
  pa: 'pascal|pascals',
  kpa: 'kilopascals|kilopascal',
  '°c': 'degrees celsius|degree celsius|degrees centigrade|degrees',
  '°f': 'degrees fahrenheit|degree fahrenheit|degrees',
  in: 'inches|inch',
  '"': 'inches|inch',
  ft: 'feet|foot',
  '\u2032': 'feet|foot|minutes|minute',
  '‰': 'per mille|per thousand',
  '¥': 'yen',
  '₩': 'won',
  ppm: 'parts per million',
  mph: 'miles per hour',
  lx: 'lux',
  'min^-1': 'per minute|revolutions per minute',
  's^-1': 'per second',
});

/** Lengths, whose squares and cubes are units: "m²", and "m2" after a number. */
const lengths = /^(mm|cm|dm|m|km|in|ft|yd)\^?([23])$/;

/** Ways to say a unit's symbol, plural and singular; undefined for what is no symbol. "m/s" is "meters per second". */
export function unitWays(symbol: string): string[] | undefined {
  const key = symbol.toLowerCase().replace('º', '°').replace('μ', 'µ');
  const known = fixed.get(key)?.split('|') ?? countedWays(key) ?? powerWays(key);
  if (known !== undefined) return known;
  const [over, under, more] = key.split('/');
  if (over === undefined || under === undefined || more !== undefined) return undefined;
  const below = belowWays(under);
  const above = over === '' ? [''] : unitWays(over);
  return above === undefined || below === undefined
    ? undefined
    : above.flatMap((way) => below.map((unit) => `${way} per ${unit}`.trim()));
}

function countedWays(key: string): string[] | undefined {
  return counted
    .get(key)
    ?.split('|')
    .flatMap((name) => [`${name}s`, name]);
}

/** "m^2": square meters, square meter, meters squared, meter squared. */
function powerWays(key: string): string[] | undefined {
  const [, length = '', power] = lengths.exec(key) ?? [];
  const names =
    length === 'dm'
      ? ['decimeters', 'decimeter']
      : (fixed.get(length)?.split('|') ?? countedWays(length));
  if (power === undefined) return undefined;
  const [before, after] = power === '2' ? ['square', 'squared'] : ['cubic', 'cubed'];
  return [
    ...(names ?? []).map((name) => `${before} ${name}`),
    ...(names ?? []).map((name) => `${name} ${after}`),
  ];
}

/** One of a unit, as it is said after "per". */
function belowWays(key: string): string[] | undefined {
  const one = (symbol: string) => counted.get(symbol)?.split('|')[0];
  const plain = one(key);
  if (plain !== undefined) return [plain];
  const [, base = '', power] = /^(.+)\^([23])$/.exec(key) ?? [];
  const name = one(base);
  if (name === undefined || power === undefined) return undefined;
  const [before, after] = power === '2' ? ['square', 'squared'] : ['cubic', 'cubed'];
  return base === 's' ? [`${name} ${after}`] : [`${before} ${name}`, `${name} ${after}`];
}

/** All symbols, for error messages. */
export const unitSymbols = [...counted.keys(), ...fixed.keys()];
