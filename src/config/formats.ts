/** Our own convict formats: the built-in ones reject mqtt URLs, know no durations and take "no" for true. */
import { parseListen } from '../runtime/listen-address.js';

const durationUnits: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};
const byteUnits: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  kib: 1024,
  mib: 1024 ** 2,
  gib: 1024 ** 3,
};

function quantity(value: unknown, units: Readonly<Record<string, number>>): unknown {
  const match = typeof value === 'string' ? /^\s*([\d.]+)\s*([a-z]*)\s*$/i.exec(value) : null;
  if (match === null) return value;
  const unit = match[2] === '' ? 1 : units[(match[2] ?? '').toLowerCase()];
  return unit === undefined ? value : Number(match[1]) * unit;
}

const number = (value: unknown): value is number =>
  typeof value === 'number' && Number.isFinite(value);

/** Milliseconds; "500ms", "30s", "5m", "2h" and "7d" are understood. */
export const duration = (low: number, high: number) => ({
  name: `duration-${low}-${high}`,
  coerce: (value: unknown) => quantity(value, durationUnits),
  validate: (value: unknown) => {
    if (!number(value) || value < low || value > high) {
      throw new Error(`a duration from ${low} ms to ${high} ms, like 500, "500ms", "30s" or "5m"`);
    }
  },
});

export const bytes = (low: number, high: number) => ({
  name: `bytes-${low}-${high}`,
  coerce: (value: unknown) => quantity(value, byteUnits),
  validate: (value: unknown) => {
    if (!number(value) || value < low || value > high) {
      throw new Error(`a size from ${low} to ${high} bytes, like 1000000, "10MB" or "64MiB"`);
    }
  },
});

export const numberBetween = (low: number, high: number) => ({
  name: `number-${low}-${high}`,
  coerce: (value: unknown) =>
    typeof value === 'string' && value.trim() !== '' ? Number(value) : value,
  validate: (value: unknown) => {
    if (!number(value) || value < low || value > high)
      throw new Error(`a number from ${low} to ${high}`);
  },
});

export const integerBetween = (low: number, high: number) => ({
  name: `integer-${low}-${high}`,
  coerce: numberBetween(low, high).coerce,
  validate: (value: unknown) => {
    if (!Number.isInteger(value) || (value as number) < low || (value as number) > high)
      throw new Error(`a whole number from ${low} to ${high}`);
  },
});

const mqttVersions = ['auto', 4, 5] as const;

export const mqttVersion = {
  name: 'mqtt-version',
  values: mqttVersions,
  coerce: (value: unknown) => mqttVersions.find((known) => String(known) === value) ?? value,
  validate: (value: unknown) => {
    if (!mqttVersions.some((known) => known === value)) throw new Error('auto, 5, or 4 for 3.1.1');
  },
};

/** A number, or null for what the bundle says. */
export const numberOrNull = (low: number, high: number) => ({
  name: `number-or-null-${low}-${high}`,
  coerce: (value: unknown) =>
    value === 'null' || value === '' ? null : numberBetween(low, high).coerce(value),
  validate: (value: unknown) => {
    if (value !== null && (!number(value) || value < low || value > high)) {
      throw new Error(`a number from ${low} to ${high}, or null for what the model says`);
    }
  },
});

const words: Readonly<Record<string, boolean>> = {
  true: true,
  yes: true,
  on: true,
  '1': true,
  false: false,
  no: false,
  off: false,
  '0': false,
};

export const flag = {
  name: 'flag',
  coerce: (value: unknown) =>
    typeof value === 'string' || typeof value === 'number'
      ? (words[String(value).toLowerCase()] ?? value)
      : value,
  validate: (value: unknown) => {
    if (typeof value !== 'boolean') throw new Error('true or false (also yes/no, on/off, 1/0)');
  },
};

/**
 * A host must be plain, so that nothing of a name or password in an odd address is taken for one. A query
 * has a meaning for WebSockets only.
 */
export const brokerUrl = {
  name: 'broker-url',
  validate: (value: unknown) => {
    const expected = 'a broker like mqtt://host:1883 or mqtts://host:8883';
    const given = typeof value === 'string' ? value : '';
    if (given.includes('@'))
      throw new Error(
        `${expected}, without a name or password in it: use username and passwordFile`,
      );
    const plain =
      /^(mqtts?|wss?):\/\/([\p{L}\p{N}._-]+|\[[\da-f:.]+\])(:\d{1,5})?(\/[^\s?#]*)?(\?[^\s#]*)?$/iu;
    const [, scheme = '', , , , query = ''] = plain.exec(given) ?? [];
    if (scheme === '' || !URL.canParse(given)) throw new Error(expected);
    if (query !== '' && scheme.toLowerCase().startsWith('mqtt'))
      throw new Error(`${expected}, without ? and what follows: MQTT has no use for it`);
  },
};

/** '' is none. */
export const brokerUrlOrNone = {
  name: 'broker-url-or-none',
  validate: (value: unknown) => {
    if (value !== '') brokerUrl.validate(value);
  },
};

/** Where a repository is served; '' is none. */
export const repositoryUrl = {
  name: 'repository-url',
  validate: (value: unknown) => {
    if (value === '') return;
    const expected = 'an address like https://updates.example.com/kikitori/';
    let url: URL;
    try {
      url = new URL(String(value));
    } catch {
      throw new Error(expected);
    }
    if (!['http:', 'https:'].includes(url.protocol) || url.username !== '' || url.password !== '')
      throw new Error(`${expected}, without a name or password in it`);
    if (/[?#]/.test(String(value)))
      throw new Error(
        `${expected}, without ? and #: file names are put behind it; leave off what begins there, and let the server or a proxy before it add what it needs`,
      );
  },
};

/** "02:00-04:00", with days in front if not every day; '' is always. update/window.ts reads it. */
export const maintenanceWindow = {
  name: 'maintenance-window',
  validate: (value: unknown) => {
    const day = '(sun|mon|tue|wed|thu|fri|sat)';
    const time = '([01][0-9]|2[0-3]):[0-5][0-9]';
    const pattern = new RegExp(`^(${day}([,-]${day})*\\s+)?${time}-(${time}|24:00)$`, 'i');
    if (value !== '' && (typeof value !== 'string' || !pattern.test(value)))
      throw new Error('a time like "02:00-04:00" or "Mon-Fri 22:00-02:00"');
  },
};

/** A version, or '' for any. */
export const versionOrAny = {
  name: 'version-or-any',
  validate: (value: unknown) => {
    if (value !== '' && !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(String(value)))
      throw new Error('a version like 1.2.3');
  },
};

/** Names with commas between; '' is none. */
export const nameList = {
  name: 'name-list',
  validate: (value: unknown) => {
    if (typeof value !== 'string' || !/^(\s*[\w.-]{1,64}\s*(,|$))*$/.test(value))
      throw new Error('names like "pilot, hall-2"');
  },
};

/** As update/ reads it; config/ imports no stage. */
export const channelName = {
  name: 'channel-name',
  validate: (value: unknown) => {
    const one = '[a-z0-9][a-z0-9-]{0,31}';
    if (typeof value !== 'string' || !new RegExp(`^(?:${one}/)?${one}$`).test(value))
      throw new Error('small letters, digits and -, at most 32, or publisher/name');
  },
};

export const channelNameOrNone = {
  name: 'channel-name-or-none',
  validate: (value: unknown) => {
    if (value !== '') channelName.validate(value);
  },
};

/** Where a port is opened; '' is nowhere. */
export const listenAddress = {
  name: 'listen-address',
  validate: (value: unknown) => {
    const expected = 'host:port, like 127.0.0.1:10300, 0.0.0.0:10300 or [::]:10300';
    if (value === '') return;
    try {
      parseListen(String(value));
    } catch {
      throw new Error(expected);
    }
  },
};

/** One level of an MQTT topic. */
export const topicLevel = {
  name: 'topic-level',
  validate: (value: unknown) => {
    if (typeof value !== 'string' || !/^[\w.-]{0,64}$/.test(value)) {
      throw new Error('letters, digits, _ . and -, at most 64');
    }
  },
};

/** Levels of an MQTT topic, with / between; `topicFault` says what is wrong with one. */
export const topicPath = {
  name: 'levels with / between them, like site/hall-3/kikitori',
  validate: (value: unknown) => {
    const fault = topicFault(value);
    if (fault !== null)
      throw new Error(`levels with / between them, like site/hall-3/kikitori, ${fault}`);
  },
};

const topicBytesMax = 200;

/** What must not be in the beginning of every topic, or null. */
function topicFault(value: unknown): string | null {
  if (typeof value !== 'string') return 'as a text';
  if (/[+#]/.test(value)) return 'without the wildcards + and #';
  if (value.split('/').some((level) => level.trim() === ''))
    return 'without an empty level (no // and no / at either end)';
  if (value.split('/').some((level) => level.trim() !== level))
    return 'without a space at either end of a level';
  if (value.startsWith('$')) return "not beginning with $, which is the broker's own";
  if (/\p{C}/u.test(value)) return 'without control characters';
  if (Buffer.byteLength(value) > topicBytesMax) return `of at most ${topicBytesMax} bytes`;
  return null;
}

export const text = {
  name: 'text',
  coerce: (value: unknown) => (typeof value === 'number' ? String(value) : value),
  validate: (value: unknown) => {
    if (typeof value !== 'string') throw new Error('a text');
  },
};
