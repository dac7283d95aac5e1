import { KikitoriError } from '../runtime/errors.js';

const dayNames = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const;
const pattern =
  /^(?:((?:sun|mon|tue|wed|thu|fri|sat)(?:[,-](?:sun|mon|tue|wed|thu|fri|sat))*)\s+)?([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)$/i;

/** When a bundle may be changed: local time of the board; days are those on which the window begins. */
export interface MaintenanceWindow {
  /** 0 is Sunday. */
  readonly days: readonly number[];
  readonly fromMinute: number;
  readonly toMinute: number;
}

/** "02:00-04:00", "Mon-Fri 22:00-02:00", "Sat,Sun 00:00-24:00"; '' is always. */
export function parseWindow(text: string): MaintenanceWindow | null {
  if (text.trim() === '') return null;
  const match = pattern.exec(text.trim());
  const toMinute = Number(match?.[4]) * 60 + Number(match?.[5]);
  if (match === null || toMinute > 24 * 60) {
    throw new KikitoriError(`update.window is ${JSON.stringify(text)}`, {
      kind: 'config',
      expected: 'a time like "02:00-04:00" or "Mon-Fri 22:00-02:00"',
    });
  }
  const fromMinute = Number(match[2]) * 60 + Number(match[3]);
  return { days: daysOf(match[1]), fromMinute, toMinute };
}

function daysOf(text: string | undefined): number[] {
  if (text === undefined) return [0, 1, 2, 3, 4, 5, 6];
  const numberOf = (name: string | undefined) =>
    dayNames.indexOf((name ?? '').toLowerCase() as (typeof dayNames)[number]);
  return text.split(',').flatMap((part) => {
    const ends = part.split('-').map(numberOf);
    const [first = 0, last = first] = ends;
    return Array.from({ length: ((last - first + 7) % 7) + 1 }, (_, i) => (first + i) % 7);
  });
}

/** Whether it is open at this moment of local time. One that passes midnight belongs to the day it begins on. */
export function isOpen(window: MaintenanceWindow | null, local: Date): boolean {
  if (window === null) return true;
  const { days, fromMinute, toMinute } = window;
  const minute = local.getHours() * 60 + local.getMinutes();
  const day = local.getDay();
  if (toMinute > fromMinute) return days.includes(day) && minute >= fromMinute && minute < toMinute;
  return (
    (days.includes(day) && minute >= fromMinute) ||
    (days.includes((day + 6) % 7) && minute < toMinute)
  );
}
