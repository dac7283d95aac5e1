/** Who hears a stream: the daemon's own network and sentences, in turn with everybody else. */
import type { Frontend } from '../../frontend/index.js';
import {
  Listener,
  type ListenMode,
  type Recognizer,
  type RecognizerEvent,
  type RecognizerOptions,
} from '../../recognizer/index.js';
import type { Heard } from '../../records.js';
import type { House } from '../neighbour.js';
import { InTurn, type Turns } from './turns.js';

/** Without an end of speech by then there was no command. */
const orderMsMax = 60_000;
/** Home Assistant waits 0.7 s after speech, and 1.25 s when it is told to be relaxed. */
const relaxedFactor = 1.8;

type Use = 'order' | 'relaxed' | 'wake';

/** One stream; what comes of it ends it, but for a wake phrase. */
export interface Listening<T> {
  readonly rateHz: number;
  feed(samples: Float32Array): Promise<T | null>;
  /** No more audio comes. */
  stop(): Promise<T | null>;
}

/** What was said, or null where nothing was. */
export interface Order {
  readonly heard: Heard | null;
}

export interface Woken {
  readonly score: number;
}

export class Ears {
  private readonly made = new Map<Use, { parts: readonly unknown[]; recognizer: Recognizer }>();

  constructor(
    private readonly house: House,
    private readonly turns: Turns,
  ) {}

  order(relaxed: boolean): Listening<Order> {
    return new OrderListening(...this.parts(relaxed ? 'relaxed' : 'order', 'always'), this.turns);
  }

  wake(): Listening<Woken> {
    return new WakeListening(...this.parts('wake', 'wake'), this.turns);
  }

  private parts(use: Use, mode: ListenMode): [Listener, Frontend, number] {
    const engine = this.house.engine();
    const { sampleRateHz } = engine.bundle.manifest.features;
    return [new Listener(this.recognizer(use), mode), engine.frontend(), sampleRateHz];
  }

  /** Made anew when model, sentences or thresholds have changed. */
  private recognizer(use: Use): Recognizer {
    const { house } = this;
    const parts = [house.engine(), house.grammar(), house.config().recognizer];
    const made = this.made.get(use);
    if (made !== undefined && made.parts.every((part, i) => part === parts[i]))
      return made.recognizer;
    const recognizer = this.build(use);
    this.made.set(use, { parts, recognizer });
    return recognizer;
  }

  private build(use: Use): Recognizer {
    const { house, turns } = this;
    const engine = house.engine();
    const network = new InTurn(engine.acoustic, turns, engine.bundle.manifest.network.chunkSteps);
    const make = (more?: RecognizerOptions) => house.recognizer(network, more);
    if (use === 'wake') return make({ wake: wakePhraseOf(house) });
    const usual = make();
    if (use === 'order') return usual;
    const { finalMs, openMs, prefixMs, holdMs } = usual.endpoint;
    const times = { finalMs, openMs, prefixMs, holdMs };
    const longer = Object.entries(times).map(([name, ms]) => [name, relaxedFactor * ms] as const);
    return make({ endpoint: Object.fromEntries(longer) });
  }
}

/** Throws a configuration error for a phrase that cannot be. */
export function wakePhraseOf(house: House) {
  const { wake } = house.config().recognizer;
  const { threshold, ...rest } = wake;
  return house.engine().wakePhrase({ ...rest, ...(threshold === null ? {} : { threshold }) });
}

abstract class StreamListening<T> implements Listening<T> {
  constructor(
    protected readonly listener: Listener,
    private readonly frontend: Frontend,
    readonly rateHz: number,
    private readonly turns: Turns,
  ) {}

  async feed(samples: Float32Array): Promise<T | null> {
    const steps = await this.turns.take(() => this.frontend.feed(samples));
    return this.answer(await this.listener.feed(steps), (1000 * samples.length) / this.rateHz);
  }

  abstract stop(): Promise<T | null>;

  protected abstract answer(events: readonly RecognizerEvent[], audioMs: number): Promise<T | null>;
}

class OrderListening extends StreamListening<Order> {
  private heardMs = 0;

  async stop(): Promise<Order> {
    return orderOf(await this.listener.stop()) ?? { heard: null };
  }

  protected async answer(
    events: readonly RecognizerEvent[],
    audioMs: number,
  ): Promise<Order | null> {
    this.heardMs += audioMs;
    const order = orderOf(events);
    return order === null && this.heardMs >= orderMsMax ? this.stop() : order;
  }
}

function orderOf(events: readonly RecognizerEvent[]): Order | null {
  for (const event of events) if (event.type === 'heard') return { heard: event.heard };
  return null;
}

class WakeListening extends StreamListening<Woken> {
  async stop(): Promise<null> {
    this.listener.drop();
    return null;
  }

  protected async answer(events: readonly RecognizerEvent[]): Promise<Woken | null> {
    for (const event of events)
      if (event.type === 'wake') {
        // What follows is for whoever asked; here the next phrase is waited for.
        this.listener.drop();
        return { score: event.score };
      }
    return null;
  }
}
