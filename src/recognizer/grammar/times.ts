import { ones, spokenNumber } from './numbers.js';

const minutesOfDay = 24 * 60;

export interface TimeSpec {
  /** Minutes since midnight; a window may go over midnight. */
  readonly from: number;
  readonly to: number;
  readonly stepMinutes: number;
}

/** "15:30" as minutes since midnight; undefined when it is no time. */
export function parseClock(text: string): number | undefined {
  const [, hours = '', minutes = ''] = /^(\d{1,2}):(\d{2})$/.exec(text) ?? [];
  const total = Number(hours) * 60 + Number(minutes);
  return hours === '' || Number(minutes) > 59 || total >= minutesOfDay ? undefined : total;
}

export function clockText(minute: number): string {
  const two = (n: number) => String(n).padStart(2, '0');
  return `${two(Math.floor(minute / 60))}:${two(minute % 60)}`;
}

/**
 * Phrases for every time of a window, each with its time ("HH:MM", 24 hours). Without "a.m." or "p.m." a phrase means the
 * first time of the window that fits. From 08:00 to 19:00 "three fifteen" is 15:15. Over the whole day it is the
 * morning's, and "twelve" is noon.
 */
export function spokenTimes({ from, to, stepMinutes }: TimeSpec): Map<string, string> {
  const span = (((to - from) % minutesOfDay) + minutesOfDay) % minutesOfDay;
  const meaning = new Map<string, string>();
  const late: [string, string][] = [];
  for (let offset = 0; offset <= span; offset += stepMinutes) {
    const minute = (from + offset) % minutesOfDay;
    const text = clockText(minute);
    for (const phrase of exactPhrases(minute)) if (!meaning.has(phrase)) meaning.set(phrase, text);
    for (const phrase of twelveHourPhrases(minute)) {
      if (minute < 60) late.push([phrase, text]);
      else if (!meaning.has(phrase)) meaning.set(phrase, text);
    }
  }
  for (const [phrase, text] of late) if (!meaning.has(phrase)) meaning.set(phrase, text);
  return meaning;
}

/**
 * Ways to say a written time such as "3:15"; undefined: it is none. 13 to 23, 0 and "03" are hours of a 24-hour clock. With
 * `exact` they are said so that no other time is meant. `half`: "a.m." or "p.m." follows.
 */
export function clockWays(
  text: string,
  { half, exact }: { readonly half: boolean; readonly exact: boolean },
): string[] | undefined {
  const minute = parseClock(text);
  if (minute === undefined) return undefined;
  const hour = Math.floor(minute / 60);
  const face = twelveHourPhrases(minute);
  if (half && hour > 0 && hour <= 12) return face;
  const named = exactPhrases(minute);
  if (hour > 12 || hour === 0 || text.startsWith('0')) return exact ? named : [...named, ...face];
  return [
    ...face,
    ...(exact ? named : named.filter((way) => !/ (am|pm|in the|at night)/.test(way))),
  ];
}

const number = (n: number) => spokenNumber(n)[0] ?? '';
const hourName = (hour: number) => ones[hour % 12 === 0 ? 12 : hour % 12] ?? '';

/** What a clock face shows: the same twice a day. */
function twelveHourPhrases(minute: number): string[] {
  const hour = Math.floor(minute / 60);
  const m = minute % 60;
  const [now, next] = [hourName(hour), hourName(hour + 1)];
  if (m === 0) return [now, `${now} o'clock`];
  const ways = [m < 10 ? `${now} oh ${number(m)}` : `${now} ${number(m)}`];
  const minutes = (n: number) => `${number(n)} minute${n === 1 ? '' : 's'}`;
  for (const [n, words, at] of [
    [m, ['past', 'after'], now],
    [60 - m, ['to', 'of', 'till'], next],
  ] as const) {
    if (m === 30) continue;
    for (const word of words) {
      if (n === 15) ways.push(`quarter ${word} ${at}`, `a quarter ${word} ${at}`);
      if (n < 30 && n % 5 === 0 && n !== 15) ways.push(`${number(n)} ${word} ${at}`);
      if (n < 30) ways.push(`${minutes(n)} ${word} ${at}`);
    }
  }
  return m === 30 ? [...ways, `half past ${now}`] : ways;
}

/** What names one time of the 24 hours. */
function exactPhrases(minute: number): string[] {
  const hour = Math.floor(minute / 60);
  const m = minute % 60;
  const names: Readonly<Record<number, readonly string[]>> = {
    0: ['midnight'],
    720: ['noon', 'midday'],
  };
  const halves = [hour < 12 ? 'am' : 'pm', ...dayParts(hour)];
  return [
    ...(names[minute] ?? []),
    ...twelveHourPhrases(minute).flatMap((phrase) => halves.map((half) => `${phrase} ${half}`)),
    ...militaryPhrases(hour, m),
  ];
}

function dayParts(hour: number): string[] {
  return [
    ...(hour < 12 ? ['in the morning'] : []),
    ...(hour >= 12 && hour < 18 ? ['in the afternoon'] : []),
    ...(hour >= 17 ? ['in the evening'] : []),
    ...(hour >= 20 || hour < 4 ? ['at night'] : []),
  ];
}

/** "fifteen hundred", "fifteen thirty", "oh eight hundred hours". */
function militaryPhrases(hour: number, m: number): string[] {
  const zeros = ['oh', 'zero'];
  const hours =
    hour === 0 ? zeros : hour < 10 ? zeros.map((z) => `${z} ${number(hour)}`) : [number(hour)];
  if (m === 0) return hours.flatMap((h) => [`${h} hundred`, `${h} hundred hours`]);
  // From one to twelve these are what a clock face says.
  if (hour >= 10 && hour <= 12) return [];
  const ways = hours.flatMap((h) =>
    m < 10 ? zeros.map((z) => `${h} ${z} ${number(m)}`) : [`${h} ${number(m)}`],
  );
  return [...ways, ...ways.map((way) => `${way} hours`)];
}
