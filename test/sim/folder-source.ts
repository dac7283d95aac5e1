/** A repository that is a folder: offers what the test says, with faults to inject. */
import { copyFile, mkdir, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KikitoriError } from '../../src/runtime/errors.js';
import type { BundleSource, Offer } from '../../src/update/index.js';

export type Published = Offer['bundle'] & { path: string };

let number = 0;

export function offerOf(bundle: Published, change: Partial<Offer> = {}): Offer {
  return {
    format: 1,
    channel: 'stable',
    deployment: `d${++number}-${bundle.version}`,
    bundle: { ...bundle, path: `bundles/${bundle.sha256.slice(0, 8)}.tar` },
    rollout: { percent: 100, groups: [], state: 'running' },
    downgrade: false,
    publishedAt: '2026-11-24T20:00:00Z',
    ...change,
  };
}

export class FolderSource implements BundleSource {
  offer: Offer | null = null;
  file = '';
  /** Downloads that fail half-way before one succeeds. */
  cuts = 0;
  away = false;
  downloads = 0;
  /** While set, a download waits at half. */
  gate: Promise<void> | null = null;
  private staging = '';

  publish(bundle: Published, change: Partial<Offer> = {}): Offer {
    this.file = bundle.path;
    this.offer = offerOf(bundle, change);
    return this.offer;
  }

  async check(): Promise<Offer | null> {
    if (this.away) throw new KikitoriError('the repository does not answer', { kind: 'network' });
    return this.offer;
  }

  async download(
    offer: Offer,
    onProgress: (bytes: number) => void,
    signal?: AbortSignal,
  ): Promise<string> {
    this.downloads++;
    onProgress(Math.floor(offer.bundle.bytes / 2));
    if (this.gate !== null) {
      await Promise.race([
        this.gate,
        new Promise((_, reject) =>
          signal?.addEventListener('abort', () => reject(new Error('stopped'))),
        ),
      ]);
    }
    if (this.cuts > 0) {
      this.cuts--;
      throw new KikitoriError('the connection was cut at half', { kind: 'network' });
    }
    if (this.staging === '') this.staging = await mkdtemp(join(tmpdir(), 'kikitori-test-'));
    const path = join(this.staging, `${offer.deployment}.tar`);
    await mkdir(this.staging, { recursive: true });
    await copyFile(this.file, path);
    onProgress(offer.bundle.bytes);
    return path;
  }
}
