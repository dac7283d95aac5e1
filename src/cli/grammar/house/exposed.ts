/** What Home Assistant exposes to voice where nobody has said otherwise (its `exposed_entities`). */
const domains: ReadonlySet<string> = new Set([
  'climate',
  'cover',
  'fan',
  'humidifier',
  'light',
  'media_player',
  'scene',
  'switch',
  'todo',
  'vacuum',
  'water_heater',
]);
const classes: Readonly<Record<string, ReadonlySet<string>>> = {
  binary_sensor: new Set([
    'door',
    'garage_door',
    'lock',
    'motion',
    'opening',
    'presence',
    'window',
  ]),
  sensor: new Set([
    'aqi',
    'carbon_dioxide',
    'carbon_monoxide',
    'humidity',
    'pm10',
    'pm25',
    'temperature',
    'volatile_organic_compounds',
  ]),
};

export function isExposed(domain: string, deviceClass: string | undefined): boolean {
  return (
    domains.has(domain) || (deviceClass !== undefined && classes[domain]?.has(deviceClass) === true)
  );
}
