/** Held-out prompts and calibration pieces as rows of features, kept in a folder between runs. */
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readAudioFile } from '../../src/audio/index.js';
import type { Checkpoint, NetworkCheckpoint } from '../../src/compress/checkpoint.js';
import { floatArithmetic } from '../../src/compress/graph/arithmetic.js';
import { networkGraph } from '../../src/compress/graph/network.js';
import { GraphSession } from '../../src/compress/graph/session.js';
import type { Part } from '../../src/measure/evaluate/paired.js';
import { greedyPhones, phoneErrors } from '../../src/compress/report/phones.js';
import type { PromptSet } from '../../src/compress/report/measure.js';
import { Frontend } from '../../src/frontend/index.js';
import type { Lexicon } from '../../src/recognizer/index.js';
import { atomicWrite } from '../../src/runtime/atomic-write.js';

export interface HeardPrompt {
  readonly file: string;
  readonly words: readonly string[];
  readonly rows: Float32Array;
}

const floatsOf = (b: Buffer) =>
  new Float32Array(b.buffer.slice(b.byteOffset, b.byteOffset + b.byteLength));

/** Rows of a recording through the frontend of a checkpoint. */
export async function promptRows(
  sets: readonly PromptSet[],
  { features }: Checkpoint,
  keptIn: string,
): Promise<HeardPrompt[]> {
  await mkdir(keptIn, { recursive: true });
  const heard: HeardPrompt[] = [];
  for (const { folder, prompts } of sets) {
    for (const { file, text } of prompts) {
      const kept = join(keptIn, `${file.replaceAll('/', '_')}.f32`);
      const old = await readFile(kept).catch(() => undefined);
      let rows: Float32Array;
      if (old === undefined) {
        const { samples } = await readAudioFile(join(folder, file), {
          rateHz: features.sampleRateHz,
        });
        rows = new Frontend(features).feed(samples).data.slice();
        await atomicWrite(kept, new Uint8Array(rows.buffer), 0o644);
      } else rows = floatsOf(old);
      heard.push({ file, words: text.split(' ').filter((w) => w !== ''), rows });
    }
  }
  return heard;
}

/** Phone errors of each prompt: greedy, no grammar, no prior. */
export async function phoneParts(
  network: NetworkCheckpoint,
  prompts: readonly HeardPrompt[],
  lexicon: Lexicon,
): Promise<Part[]> {
  const graph = networkGraph(network, floatArithmetic('float32'));
  const session = await GraphSession.open(graph, network.inputs);
  const parts: Part[] = [];
  for (const { file, words, rows } of prompts) {
    const logits = (await session.run(rows, [600])).get('logits') ?? new Float32Array(0);
    const { errors, phones } = phoneErrors(greedyPhones(logits, network.outputs), words, lexicon);
    parts.push({ file, errors, of: phones });
  }
  await session.release();
  return parts;
}
