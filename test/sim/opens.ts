/** The hearing side of an updater: opens what it is given with the real reader; may find it bad. */
import { Bundle } from '../../src/bundle/index.js';
import type { Hearing, Hears } from '../../src/update/index.js';

export class Opens implements Hearing {
  next: Hears | null = null;
  bad = '';
  async open(place: Hears['place'], path: string): Promise<Hears> {
    const { manifest } = await Bundle.open(path);
    return { place, name: manifest.name, version: manifest.version };
  }
  async probe(path: string) {
    await Bundle.open(path);
    return this.bad === '' ? null : { reason: 'selftest' as const, detail: this.bad, ours: false };
  }
  async prepare(place: Hears['place'], path: string) {
    this.next = await this.open(place, path);
  }
  switchOver(): Hears {
    if (this.next === null) throw new Error('nothing is prepared');
    return this.next;
  }
  async discard() {
    this.next = null;
  }
}
