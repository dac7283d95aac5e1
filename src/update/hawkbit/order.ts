import { join } from 'node:path';
import { readSmall, type Disk } from '../disk.js';
import type { Feedback } from './ddi.js';

/** The newest action of hawkBit's, and what it was told: what must survive a restart. */
export interface Order {
  readonly format: 1;
  /** hawkBit's id of the action. */
  readonly id: string;
  /** Under this name the board tells of it. */
  readonly deployment: string;
  /** Times that the board was told to take it. */
  readonly attempts: number;
  /** The server wants it downloaded and not installed. */
  readonly downloadOnly: boolean;
  /** How it ended, kept before it is sent. */
  readonly outcome: Feedback | null;
  /** Key of the newest feedback that the server has acknowledged. */
  readonly told: string;
}

export const orderOf = (id: string): Order => ({
  format: 1,
  id,
  deployment: `hawkbit-${id}`,
  attempts: 0,
  downloadOnly: false,
  outcome: null,
  told: '',
});

export class OrderFile {
  private readonly path: string;

  constructor(
    folder: string,
    private readonly disk: Disk,
  ) {
    this.path = join(folder, 'hawkbit.json');
  }

  /** Null when there is none, or it was damaged: the server lists what is open anyhow. */
  async load(): Promise<Order | null> {
    try {
      const v = JSON.parse((await readSmall(this.path)) ?? '') as Partial<Order>;
      const good =
        v.format === 1 &&
        typeof v.id === 'string' &&
        v.deployment === `hawkbit-${v.id}` &&
        typeof v.attempts === 'number' &&
        typeof v.downloadOnly === 'boolean' &&
        typeof v.told === 'string' &&
        typeof v.outcome === 'object';
      return good ? (v as Order) : null;
    } catch {
      return null;
    }
  }

  async save(order: Order): Promise<void> {
    await this.disk.write(this.path, `${JSON.stringify(order)}\n`);
  }
}
