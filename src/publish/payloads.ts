import type { Heard } from '../records.js';
import type { PublishedEvent } from './contract/events.js';

/** Topics of one device; contract/topics.ts describes each. */
export function topicsOf(base: string, device: string) {
  const root = `${base}/${device}`;
  return {
    state: `${root}/state`,
    info: `${root}/info`,
    health: `${root}/health`,
    transcript: `${root}/transcript`,
    intent: (name: string) => `${root}/intent/${name.replace(/[^\w.-]/g, '_')}`,
    rejected: `${root}/rejected`,
    partial: `${root}/partial`,
    event: `${root}/event`,
    update: `${root}/update`,
    language: `${root}/language`,
    requests: `${root}/request/+`,
    response: (name: string) => `${root}/response/${name}`,
  };
}

export type Topics = ReturnType<typeof topicsOf>;

/** What of a device the topics are: `transcript`, `intent`; of topics that are not its own the first level. */
export function kindsOf(
  topics: readonly string[],
  { base, device }: { readonly base: string; readonly device: string },
): readonly string[] {
  const root = `${base}/${device}/`;
  const kinds = topics.map((topic) =>
    (topic.startsWith(root) ? topic.slice(root.length) : topic).replace(/\/.*/s, ''),
  );
  return [...new Set(kinds)].sort();
}

/** What a transcript says besides the recogniser's answer. */
export interface Context {
  readonly boot: string;
  readonly seq: number;
  /** Unix ms of the utterance's first and last sound. */
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  /** From the last sound to publication. */
  readonly latencyMs: number;
  readonly model: string;
  readonly grammar: string;
}

const iso = (unixMs: number) => new Date(unixMs).toISOString();
const rounded = (value: number) => Number(value.toFixed(4));

/** The same on every topic that tells of it, in the log, and when it comes again. */
export const transcriptId = ({ boot, seq }: Pick<Context, 'boot' | 'seq'>) => `${boot}-${seq}`;

export function transcriptPayload(heard: Heard, c: Context): Record<string, unknown> {
  return {
    id: transcriptId(c),
    boot: c.boot,
    seq: c.seq,
    text: heard.text,
    words: heard.words,
    confidence: rounded(heard.confidence),
    startedAt: iso(c.startedAtMs),
    endedAt: iso(c.endedAtMs),
    durationMs: Math.round(c.endedAtMs - c.startedAtMs),
    latencyMs: Math.round(c.latencyMs),
    model: c.model,
    grammar: c.grammar,
    replayed: false,
  };
}

export function intentPayload(heard: Heard, c: Context): Record<string, unknown> {
  const { intent, slots, said = {} } = heard;
  const confirm = heard.confirm === true ? { confirm: true } : {};
  const open = openSlotsOf(heard);
  return { ...transcriptPayload(heard, c), intent, slots, said, ...open, ...confirm };
}

const openSlotsOf = ({ openSlots }: Heard) => (openSlots === undefined ? {} : { openSlots });

export function rejectedPayload(heard: Heard, c: Context): Record<string, unknown> {
  const { second, reason = 'low-confidence' } = heard;
  return {
    reason,
    best: { text: heard.text, intent: heard.intent, slots: heard.slots, ...openSlotsOf(heard) },
    ...(reason === 'ambiguous' && second !== undefined ? { second: { text: second.text } } : {}),
    confidence: rounded(heard.confidence),
    startedAt: iso(c.startedAtMs),
    endedAt: iso(c.endedAtMs),
    durationMs: Math.round(c.endedAtMs - c.startedAtMs),
    latencyMs: Math.round(c.latencyMs),
    model: c.model,
    grammar: c.grammar,
  };
}

export function eventPayload(
  name: PublishedEvent,
  atMs: number,
  data: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  return { event: name, at: iso(atMs), ...data };
}
