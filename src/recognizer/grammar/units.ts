/**
 * Units of measure as they are written, and the ways they are said; the first is the usual one.
 * Letters that are also said as letters ("five v") are added by readings.ts.
 */
const counted: Readonly<Record<string, string>> = {
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
  '°': 'degree',
};

const fixed: Readonly<Record<string, string>> = {
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
};

/** Ways to say a unit's symbol, plural and singular; undefined for what is no symbol. "m/s" is "meters per second". */
export function unitWays(symbol: string): string[] | undefined {
  const key = symbol.toLowerCase().replace('º', '°').replace('μ', 'µ');
  const known = fixed[key]?.split('|') ?? countedWays(key);
  if (known !== undefined) return known;
  const [over, under, more] = key.split('/');
  if (over === undefined || under === undefined || more !== undefined) return undefined;
  const above = unitWays(over);
  const below = counted[under]?.split('|')[0];
  return above === undefined || below === undefined
    ? undefined
    : above.map((way) => `${way} per ${below}`);
}

function countedWays(key: string): string[] | undefined {
  return counted[key]?.split('|').flatMap((name) => [`${name}s`, name]);
}

/** All symbols, for error messages. */
export const unitSymbols = [...Object.keys(counted), ...Object.keys(fixed)];
