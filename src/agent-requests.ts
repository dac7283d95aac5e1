import type { RequestHandler } from './publish/index.js';

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
  };
}

/** request/<name> -> what is done, and the data of response/<name>. */
export function requestHandlers(agent: () => Requested): Record<string, RequestHandler> {
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
    rollback: async () => agent().updates.rollback(),
  };
}
