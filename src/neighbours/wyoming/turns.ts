import type { Acoustic, AcousticStream, LogProbs, WholeAcoustic } from '../../recognizer/index.js';

/**
 * Who may use the processor: the microphone first, then everybody else in turn, each for one call of the network.
 * So an answer to the microphone is late by at most one call, however many others are heard.
 */
export class Turns {
  private last: Promise<unknown> = Promise.resolve();

  constructor(
    /** Resolves when no audio of the microphone waits. */
    private readonly spare: () => Promise<void>,
  ) {}

  /** Runs the work when its turn has come. */
  take<T>(work: () => T | Promise<T>): Promise<T> {
    const turn = this.last.then(async () => {
      await this.spare();
      // Audio that came meanwhile is seen here, before the work.
      await new Promise((resolve) => setImmediate(resolve));
      await this.spare();
      return work();
    });
    this.last = turn.catch(() => undefined);
    return turn;
  }
}

/** The network, each call of it in turn. `rowsAtOnce` fill one call. */
export class InTurn implements WholeAcoustic {
  readonly units: number;
  readonly dim: number;

  constructor(
    private readonly acoustic: Acoustic,
    private readonly turns: Turns,
    private readonly rowsAtOnce: number,
  ) {
    this.units = acoustic.units;
    this.dim = acoustic.dim;
  }

  begin(): AcousticStream {
    const stream = this.acoustic.begin();
    const size = this.rowsAtOnce * this.dim;
    const feed = async (rows: Float32Array, atOnce = false): Promise<LogProbs> => {
      const parts: LogProbs[] = [];
      for (let at = 0; at < rows.length; at += size) {
        const last = at + size >= rows.length;
        const piece = rows.subarray(at, at + size);
        parts.push(await this.turns.take(() => stream.feed(piece, atOnce && last)));
      }
      return joined(parts);
    };
    return { feed, finish: () => this.turns.take(() => stream.finish()) };
  }

  async whole(rows: Float32Array): Promise<LogProbs> {
    const stream = this.begin();
    const head = await stream.feed(rows);
    return joined([head, await stream.finish()]);
  }
}

function joined(parts: readonly LogProbs[]): LogProbs {
  const [only] = parts;
  if (only !== undefined && parts.length === 1) return only;
  const data = new Float32Array(parts.reduce((sum, p) => sum + p.data.length, 0));
  let at = 0;
  for (const part of parts) {
    data.set(part.data, at);
    at += part.data.length;
  }
  return { data, steps: parts.reduce((sum, p) => sum + p.steps, 0) };
}
