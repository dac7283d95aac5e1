import { KikitoriError, messageOf } from '../runtime/errors.js';
import type { Log } from '../runtime/log.js';
import type { Begun, EarlyKind, Ground, House, Neighbour, NeighbourKind } from './neighbour.js';

/** Closing one of them takes at most this. */
const closeMs = 2000;
/** The same neighbour's faults are logged again after so many more. */
const faultsAgain = 1000;

type Told = Required<Omit<Neighbour, 'close'>>;

interface Open {
  readonly name: string;
  neighbour: Pick<Neighbour, 'close'> & Partial<Told>;
}

/** All neighbours that are on, told in turn. None of them can disturb hearing or another one. */
export class Neighbours implements Told {
  private readonly faults = new Map<string, number>();

  private readonly begun: (Open & { readonly begun: Begun })[] = [];
  private readonly open: Open[] = [];

  private constructor(
    private readonly ground: Ground,
    private readonly kinds: readonly (NeighbourKind | EarlyKind)[],
  ) {}

  /** Those that are there before the model is. Rejects with a configuration error, when none of them is left open. */
  static async begin(
    ground: Ground,
    kinds: readonly (NeighbourKind | EarlyKind)[],
  ): Promise<Neighbours> {
    const neighbours = new Neighbours(ground, kinds);
    for (const kind of kinds) {
      if (!('begin' in kind) || !kind.enabled(ground.config())) continue;
      await neighbours.attempt(kind.name, async (log) => {
        const begun = await kind.begin({ ...ground, log });
        const early = { name: kind.name, begun, neighbour: begun };
        neighbours.begun.push(early);
        neighbours.open.push(early);
      });
    }
    return neighbours;
  }

  /** The house is ready for all that are on. Rejects as `begin`. */
  async enter(house: House): Promise<void> {
    for (const early of this.begun)
      await this.attempt(early.name, async (log) => {
        early.neighbour = await early.begun.open({ ...house, log });
      });
    for (const kind of this.kinds) {
      if ('begin' in kind || !kind.enabled(house.config())) continue;
      await this.attempt(kind.name, async (log) => {
        this.open.push({ name: kind.name, neighbour: await kind.open({ ...house, log }) });
      });
    }
  }

  private async attempt(name: string, work: (log: Log) => Promise<void>): Promise<void> {
    try {
      await work(this.ground.log.child({ neighbour: name }));
    } catch (error) {
      if (!(error instanceof KikitoriError)) {
        this.fault(name, error);
        return;
      }
      await this.close();
      throw error;
    }
  }

  audio(...given: Parameters<Told['audio']>): void {
    this.each((neighbour) => neighbour.audio?.(...given));
  }

  computed(...given: Parameters<Told['computed']>): void {
    this.each((neighbour) => neighbour.computed?.(...given));
  }

  partial(...given: Parameters<Told['partial']>): void {
    this.each((neighbour) => neighbour.partial?.(...given));
  }

  pushToTalk(): void {
    this.each((neighbour) => neighbour.pushToTalk?.());
  }

  heard(...given: Parameters<Told['heard']>): void {
    this.each((neighbour) => neighbour.heard?.(...given));
  }

  event(...given: Parameters<Told['event']>): void {
    this.each((neighbour) => neighbour.event?.(...given));
  }

  changed(...given: Parameters<Told['changed']>): void {
    this.each((neighbour) => neighbour.changed?.(...given));
  }

  /** All at once, and no longer than a moment. */
  async close(): Promise<void> {
    const { clock } = this.ground;
    await Promise.all(
      this.open.map(async ({ name, neighbour }) => {
        let cancel: () => void = () => undefined;
        const late = new Promise<void>((resolve) => {
          cancel = clock.after(closeMs, () => {
            this.fault(name, new Error(`not closed within ${closeMs} ms`));
            resolve();
          });
        });
        const closed = (async () => neighbour.close())().catch((error: unknown) =>
          this.fault(name, error),
        );
        await Promise.race([closed, late]);
        cancel();
      }),
    );
  }

  private each(tell: (neighbour: Neighbour) => void): void {
    for (const { name, neighbour } of this.open) {
      try {
        tell(neighbour);
      } catch (error) {
        this.fault(name, error);
      }
    }
  }

  private fault(name: string, error: unknown): void {
    const count = this.faults.get(name) ?? 0;
    this.faults.set(name, count + 1);
    if (count % faultsAgain !== 0) return;
    this.ground.log.error(
      { event: 'neighbour.failed', neighbour: name, count: count + 1, why: messageOf(error) },
      'a neighbour failed; hearing goes on',
    );
  }
}
