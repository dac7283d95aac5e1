/** What the page shows of the device: its state, and the last utterances. Only what is named here leaves. */
import type { Context, House } from '../neighbour.js';
import type { Heard } from '../../records.js';
import { explain, type Explained } from './explain.js';

/** On the page; older ones are forgotten. */
export const utterancesMax = 50;
/** Of one utterance. */
const wordsShown = 60;

export interface Utterance extends Explained {
  readonly id: number;
  /** Unix ms of its end. */
  readonly atMs: number;
  readonly accepted: boolean;
  readonly reason?: string;
  readonly text: string;
  readonly intent: string | null;
  readonly slots: Readonly<Record<string, unknown>>;
  readonly confirm?: true;
  readonly confidence: number;
  readonly latencyMs: number;
  readonly words: readonly { readonly word: string; readonly confidence: number }[];
  readonly second?: string;
  readonly model: string;
}

export class Board {
  readonly utterances: Utterance[] = [];
  private nextId = 0;

  constructor(private readonly house: House) {}

  heard(heard: Heard, context: Context): Utterance {
    const { house } = this;
    const { recognizer } = house.config();
    const model = house.engine().bundle.manifest.confidence;
    const thresholds = {
      minConfidence: recognizer.minConfidence ?? model.threshold,
      minCertainty: recognizer.minCertainty ?? model.minCertainty ?? 0,
    };
    const utterance: Utterance = {
      id: this.nextId++,
      atMs: Math.round(context.endedAtMs),
      accepted: heard.accepted,
      ...(heard.reason === undefined ? {} : { reason: heard.reason }),
      text: heard.text,
      intent: heard.intent,
      slots: heard.slots,
      ...(heard.confirm === true ? { confirm: true as const } : {}),
      confidence: Number(heard.confidence.toFixed(3)),
      latencyMs: Math.round(context.latencyMs),
      words: heard.words.slice(0, wordsShown).map(({ word, confidence }) => ({ word, confidence })),
      ...(heard.second === undefined ? {} : { second: heard.second.text }),
      model: context.model,
      ...explain(heard, model, thresholds),
    };
    this.utterances.push(utterance);
    if (this.utterances.length > utterancesMax) this.utterances.shift();
    return utterance;
  }

  /** Everything but the utterances. */
  state() {
    const { house } = this;
    const config = house.config();
    const { version, model, grammar, languageModel } = house.info() as {
      version: string;
      model: { name: string; version: string };
      grammar: { sentences: number };
      languageModel?: { name?: string; version?: string; words: number };
    };
    const { connected, queued, published, queuedBytes, dropped, setAside, lacks } = house.letters();
    const { mode, wake, dictation } = config.recognizer;
    return {
      device: config.device.id,
      version,
      mode,
      ...(mode === 'wake' ? { wakePhrase: wake.phrase } : {}),
      ...(mode === 'dictation' && dictation === 'push-to-talk' ? { byRequest: true } : {}),
      health: house.health(),
      outbox: { connected, queued, published, queuedBytes, dropped, setAside, lacks },
      model: { name: model.name, version: model.version },
      // JSON has no Infinity.
      sentences: Number.isFinite(grammar.sentences) ? grammar.sentences : null,
      update: house.update(),
      ...(languageModel === undefined ? {} : { languageModel: shownModel(languageModel) }),
      languageUpdate: house.languageUpdate(),
      nowMs: house.clock.now(),
    };
  }
}

/** A file alone has no name. */
function shownModel({ name, version, words }: { name?: string; version?: string; words: number }) {
  return { ...(name === undefined ? {} : { name, version }), words };
}
