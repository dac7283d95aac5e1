import { randomFrom } from '../../measure/evaluate/statistics.js';
import type { NetworkCheckpoint, Tensor } from '../checkpoint.js';
import { readChain, type Chain } from './chain.js';
import { ForeignModel, refused } from './model.js';
import { rewrite } from './rewrite.js';
import { Runner, type Feed } from './runtime.js';
import { madeSeries, seriesFeeds } from './series.js';

/** Parses somebody else's network and shows, on made-up input, that its parts are understood. */
export async function openForeign(bytes: Uint8Array, where: string): Promise<Chain> {
  const chain = await readChain(ForeignModel.parse(bytes, where));
  const feeds = seriesFeeds(chain, madeSeries(chain, randomFrom(1)), where);
  const error = await largestDifference(chain, rewrite(chain, unprojected(chain.network)), feeds);
  if (!(error < 1e-3)) {
    throw refused(
      where,
      `its graph is used in a way that is not understood: rewritten, its outputs differ by ${error}`,
      'the same outputs',
    );
  }
  return chain;
}

/** The same network with projections that change nothing. */
function unprojected(network: NetworkCheckpoint): NetworkCheckpoint {
  const tensors = new Map<string, Tensor>(network.tensors);
  network.layers.forEach((n, l) => {
    const data = Float32Array.from({ length: n * n }, (_, i) => (i % (n + 1) === 0 ? 1 : 0));
    tensors.set(`lstm.${l}.projection`, { shape: [n, n], data });
  });
  return { ...network, kind: 'lstmp', ranks: network.layers, tensors };
}

/** Largest difference of any output, relative to the largest value of that output; Infinity if shapes differ. */
export async function largestDifference(
  chain: Chain,
  rewritten: Uint8Array,
  feeds: readonly Feed[],
): Promise<number> {
  const wanted = await Runner.open(chain.model.bytes);
  const got = await Runner.open(rewritten);
  let most = 0;
  try {
    for (const feed of feeds) {
      const b = await got.run(feed);
      for (const [name, { dims, data }] of await wanted.run(feed)) {
        const other = b.get(name);
        if (other?.dims.join() !== dims.join()) return Infinity;
        const scale = data.reduce((m, v) => Math.max(m, Math.abs(v)), 1e-6);
        data.forEach((v, i) => {
          const difference = Math.abs(v - (other.data[i] ?? NaN)) / scale;
          most = difference <= most ? most : difference;
        });
      }
    }
  } finally {
    await wanted.close();
    await got.close();
  }
  return most;
}
