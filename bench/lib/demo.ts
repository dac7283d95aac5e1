import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readAudioFile } from '../../src/audio/index.js';
import { joinedFloats } from '../../src/runtime/joined.js';

export const rateHz = 16_000;
export const pauseS = 1.5;

/** The recordings of the demo, in their order. */
export async function demoFiles(root: string): Promise<string[]> {
  const table = await readFile(join(root, 'demo/sentences.tsv'), 'utf8');
  const rows = table.trim().split('\n').slice(1);
  return rows.map((line) => join(root, 'demo/audio', line.split('\t')[0] ?? ''));
}

/** So many of them, over and over again. */
export async function demoAudio(root: string, count: number): Promise<string[]> {
  const files = await demoFiles(root);
  return Array.from({ length: count }, (_, i) => files[i % files.length] ?? '');
}

/** Faint noise, the same in every run: a quiet room. */
export function roomNoise(): () => number {
  let seed = 1;
  return () => {
    seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
    return (((seed >> 8) % 13) - 6) / 32768;
  };
}

/** The demo's sentences, `count` of them, with pauses and faint noise between: speech for about half of the time. */
export async function demoStream(root: string, count = Infinity): Promise<Float32Array> {
  const noise = roomNoise();
  const parts: Float32Array[] = [];
  for (const file of (await demoFiles(root)).slice(0, count)) {
    const { samples } = await readAudioFile(file, { rateHz });
    parts.push(
      samples.map((v) => v + noise()),
      Float32Array.from({ length: pauseS * rateHz }, noise),
    );
  }
  return joinedFloats(parts);
}
