import { KikitoriError, messageOf } from '../runtime/errors.js';
import type { House, Neighbour, NeighbourKind } from './neighbour.js';

/** Closing one of them takes at most this. */
const closeMs = 2000;
/** The same neighbour's faults are logged again after so many more. */
const faultsAgain = 1000;

type Told = Required<Omit<Neighbour, 'close'>>;

/** All neighbours that are on, told in turn. None of them can disturb hearing or another one. */
export class Neighbours implements Told {
  private readonly faults = new Map<string, number>();

  private constructor(
    private readonly house: House,
    private readonly open: readonly { readonly name: string; readonly neighbour: Neighbour }[],
  ) {}

  /** Rejects with a configuration error, when none of them is left open. */
  static async open(house: House, kinds: readonly NeighbourKind[]): Promise<Neighbours> {
    const open: { name: string; neighbour: Neighbour }[] = [];
    const neighbours = new Neighbours(house, open);
    for (const { name, enabled, open: opening } of kinds) {
      if (!enabled(house.config())) continue;
      const log = house.log.child({ neighbour: name });
      try {
        open.push({ name, neighbour: await opening({ ...house, log }) });
      } catch (error) {
        if (!(error instanceof KikitoriError)) {
          neighbours.fault(name, error);
          continue;
        }
        await neighbours.close();
        throw error;
      }
    }
    return neighbours;
  }

  audio(...given: Parameters<Told['audio']>): void {
    this.each((neighbour) => neighbour.audio?.(...given));
  }

  partial(...given: Parameters<Told['partial']>): void {
    this.each((neighbour) => neighbour.partial?.(...given));
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
    const { clock } = this.house;
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
    this.house.log.error(
      { event: 'neighbour.failed', neighbour: name, count: count + 1, why: messageOf(error) },
      'a neighbour failed; hearing goes on',
    );
  }
}
