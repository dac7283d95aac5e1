import type { NetworkCheckpoint } from '../checkpoint.js';
import { buildGraph, type WeightFormat } from '../graph/build.js';
import { GraphSession } from '../graph/session.js';

/** Logits of all steps of these pieces, one after the other, each from rest. `pieces`: rows of features, one array a clip. */
export async function answersOf(
  network: NetworkCheckpoint,
  pieces: readonly Float32Array[],
  format?: WeightFormat,
): Promise<Float32Array> {
  const session = await GraphSession.open(buildGraph(network, format).onnx, network.inputs);
  try {
    const parts: number[] = [];
    for (const rows of pieces) {
      if (rows.length === 0) continue;
      for (const v of (await session.run(rows)).get('logits') ?? []) parts.push(v);
    }
    return Float32Array.from(parts);
  } finally {
    await session.release();
  }
}
