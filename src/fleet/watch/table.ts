import { count, troubleOf, type DeviceView } from './view.js';

/** What a manager reads who looks at the wrong place, or too early. */
export const nobody =
  'no board was heard of: is the broker right, and --base, and may this reader read (config/examples/mosquitto.acl)?';

/** A table for a terminal, the troubled devices first, then a summary. */
export function table(devices: readonly DeviceView[], nowMs: number, rowsMax = 200): string {
  if (devices.length === 0) return `${nobody}\n`;
  const rows = [...devices]
    .sort((a, b) => Number(troubleOf(b).length > 0) - Number(troubleOf(a).length > 0))
    .slice(0, rowsMax)
    .map((d) => [
      d.device,
      d.online === null ? '?' : d.online ? 'online' : 'offline',
      d.model === null ? '-' : `${d.model.name} ${d.model.version}`,
      ago(d.modelSinceMs, nowMs),
      updateWord(d),
      heardWord(d),
      numberWord(d.health['confidence']),
      numberWord(d.health['rtf']),
      ago(d.lastSeenMs, nowMs),
      troubleOf(d).join(', '),
    ]);
  const head = [
    'device',
    'state',
    'model',
    'for',
    'update',
    'heard',
    'conf',
    'rtf',
    'seen',
    'trouble',
  ];
  const widths = head.map((h, i) => Math.max(h.length, ...rows.map((r) => (r[i] ?? '').length)));
  const line = (cells: readonly string[]) =>
    cells
      .map((c, i) => c.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd();
  const more = devices.length > rowsMax ? [`... and ${devices.length - rowsMax} more`] : [];
  return [line(head), ...rows.map(line), ...more, '', ...summary(devices), ''].join('\n');
}

export function summary(devices: readonly DeviceView[]): string[] {
  const c = count(devices);
  const list = (map: ReadonlyMap<string, number>) =>
    [...map]
      .sort((a, b) => b[1] - a[1])
      .map(([key, n]) => `${n} ${key}`)
      .join(', ');
  const line = (name: string, map: ReadonlyMap<string, number>) =>
    map.size === 0 ? [] : [`${name.padEnd(9)}${list(map)}`];
  return [
    `${c.devices} devices, ${c.online} online, ${c.troubled} to look at`,
    ...line('models:', c.models),
    ...line('language models: ', c.languageModels),
    ...line('updates:', c.updates),
    ...line('trouble:', c.troubles),
  ];
}

export function updateWord({ update }: DeviceView): string {
  if (update === null) return '-';
  const { state, progress, latestVersion } = update;
  if (state === 'downloading' && progress !== null) return `${state} ${Math.round(progress)} %`;
  return state === 'idle' || latestVersion === '' ? state : `${state} ${latestVersion}`;
}

/** Accepted / refused, if the device counts them. */
export function heardWord({ health }: DeviceView): string {
  const { accepted, rejected } = health;
  return typeof accepted === 'number' && typeof rejected === 'number'
    ? `${accepted}/${rejected}`
    : '-';
}

function numberWord(value: number | string | boolean | undefined): string {
  return typeof value === 'number' ? String(Number(value.toPrecision(2))) : '-';
}

export function ago(ms: number | null, nowMs: number): string {
  if (ms === null) return '-';
  const s = Math.max(0, Math.round((nowMs - ms) / 1000));
  if (s < 120) return `${s} s`;
  if (s < 7200) return `${Math.round(s / 60)} min`;
  if (s < 172_800) return `${Math.round(s / 3600)} h`;
  return `${Math.round(s / 86_400)} d`;
}
