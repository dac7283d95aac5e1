import type { RequestHandler, RequestName } from '../publish/index.js';
import { KikitoriError } from '../runtime/errors.js';

type Answer = Record<string, unknown>;

/** What the agent does when asked over MQTT. */
export interface Requested {
  listen(): Promise<void>;
  stopListening(): Promise<void>;
  mute(on: boolean): Promise<void>;
  setOptions(given: Readonly<Record<string, unknown>>): Promise<Readonly<Record<string, unknown>>>;
  reloadGrammar(): Promise<{ sentences: number; sha256: string }>;
  selftest(): Promise<Answer>;
  restart(): void;
  readonly updates: {
    request(payload: Readonly<Record<string, unknown>>): Promise<Answer>;
    rollback(): Promise<Answer>;
    readonly language:
      { request(payload: Readonly<Record<string, unknown>>): Promise<Answer> } | undefined;
  };
}

const thresholds: ReadonlySet<string> = new Set(['minConfidence', 'minCertainty']);

/** What request/options may change while running; anything else is a fault of input, and then nothing changes. */
export function thresholdsOf(
  given: Readonly<Record<string, unknown>>,
): Readonly<Record<string, number>> {
  const entries = Object.entries(given);
  const fits = (entry: [string, unknown]): entry is [string, number] =>
    thresholds.has(entry[0]) && typeof entry[1] === 'number' && entry[1] >= 0 && entry[1] <= 1;
  if (entries.length === 0 || !entries.every(fits)) {
    throw new KikitoriError(
      'expected options like {"minConfidence": 0.6} or {"minCertainty": 0.8}, from 0 to 1',
      { kind: 'input' },
    );
  }
  return Object.fromEntries(entries);
}

/** request/<name> -> what is done, and the data of response/<name>. */
export function requestHandlers(agent: () => Requested): Record<RequestName, RequestHandler> {
  return {
    listen: async () => {
      await agent().listen();
      return {};
    },
    stop: async () => {
      await agent().stopListening();
      return {};
    },
    mute: async ({ mute }) => {
      await agent().mute(mute !== false);
      return { muted: mute !== false };
    },
    options: async ({ options }) => agent().setOptions((options ?? {}) as Record<string, unknown>),
    grammar: async () => agent().reloadGrammar(),
    selftest: async () => agent().selftest(),
    restart: async () => {
      agent().restart();
      return {};
    },
    update: async (payload) => agent().updates.request(payload),
    language: async (payload) => {
      const { language } = agent().updates;
      if (language !== undefined) return language.request(payload);
      throw new KikitoriError('this device hears no free words', {
        kind: 'input',
        hint: 'recognizer.mode dictation hears them',
      });
    },
    rollback: async () => agent().updates.rollback(),
  };
}
