import type { Config } from '../config/index.js';
import type { Neighbours } from '../neighbours/index.js';
import { transcriptId, type Publisher } from '../publish/index.js';
import type { RecognizerEvent } from '../recognizer/index.js';
import type { Heard } from '../records.js';
import type { Clock } from '../runtime/clock.js';
import type { Log } from '../runtime/log.js';
import type { StreamClock } from './stream-clock.js';

export interface TellingOptions {
  readonly config: () => Config;
  readonly clock: Clock;
  readonly log: Log;
  readonly streamClock: StreamClock;
  readonly publisher: Publisher;
  readonly neighbours: Neighbours;
  /** What hears now. */
  readonly hears: () => { readonly model: string; readonly grammar: string };
  /** After it was published. */
  readonly onHeard: (heard: Heard, latencyMs: number) => void;
}

/** What the recogniser found, told to subscribers first, then to the neighbours and the log. */
export class Telling {
  constructor(private readonly options: TellingOptions) {}

  /** Resolves when what must not be lost is safe on disk. */
  async tell(event: RecognizerEvent): Promise<void> {
    const { config, publisher, neighbours } = this.options;
    switch (event.type) {
      case 'partial':
        if (config().publish.partials) publisher.partial(event.partial);
        neighbours.partial(event.partial);
        break;
      case 'wake':
        await this.wake(event.score);
        break;
      case 'heard':
        await this.heard(event.heard);
        break;
      default:
    }
  }

  private async wake(exactScore: number): Promise<void> {
    const { log, publisher, neighbours } = this.options;
    const score = Number(exactScore.toFixed(2));
    log.info({ event: 'heard.wake', score }, 'the wake phrase');
    await publisher.event('wake', { score });
    neighbours.event('wake', { score });
  }

  private async heard(heard: Heard): Promise<void> {
    const { clock, streamClock, publisher, neighbours, hears, onHeard } = this.options;
    const endedAtMs = streamClock.wallOf(heard.endSample);
    const latencyMs = Math.max(0, clock.now() - endedAtMs);
    const context = await publisher.heard(heard, {
      startedAtMs: streamClock.wallOf(heard.startSample) + heard.startMs,
      endedAtMs,
      latencyMs,
      ...hears(),
    });
    onHeard(heard, latencyMs);
    neighbours.heard(heard, context);
    this.log(heard, transcriptId(context), latencyMs);
  }

  private log(heard: Heard, id: string, latencyMs: number): void {
    const { config, log } = this.options;
    const words = config().log.transcripts ? { text: heard.text, slots: heard.slots } : {};
    log.info(
      {
        event: heard.accepted ? 'heard.accepted' : 'heard.rejected',
        id: heard.accepted ? id : undefined,
        intent: heard.accepted ? heard.intent : undefined,
        reason: heard.reason,
        confidence: Number(heard.confidence.toFixed(3)),
        latencyMs: Math.round(latencyMs),
        ...words,
      },
      heard.accepted ? 'a command' : 'no command',
    );
  }
}
