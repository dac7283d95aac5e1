import { readFileSync } from 'node:fs';
import { parseManifest } from '../../../src/bundle/index.js';
import { Frontend } from '../../../src/frontend/index.js';
import { certaintyOf, probabilityOf, scoreOf } from '../../../src/recognizer/confidence.js';
import { mutateJson } from '../engine/mutate-json.js';
import { must, type Target } from '../engine/target.js';

interface Loose {
  readonly [key: string]: Loose;
}

const shipped = JSON.parse(
  readFileSync(new URL('../../../models/kikitori-en/manifest.json', import.meta.url), 'utf8'),
) as Loose & { confidence: { chain?: unknown } };
/** The shipped one without its longest part, and with fewer units. */
const { chain: _, ...confidence } = shipped.confidence;
const small = {
  ...shipped,
  confidence,
  units: ['<blank>', 'AA', 'B'],
  decoding: { ...shipped['decoding'], logPrior: [-1, -2, -3] },
  selftest: { text: 'a', grammar: {} },
  measured: {},
};
const chain = {
  first: [-1, -1],
  next: [
    [-1, -2],
    [-3, -4],
  ],
};
const noise = Float32Array.from({ length: 2400 }, (_, i) => Math.sin(i * i) / 3);

export const target: Omit<Target, 'name'> = {
  right: 'what is accepted makes a frontend with finite rows, and a confidence between 0 and 1',
  covers: [
    'src/bundle/manifest.ts',
    'src/bundle/checks.ts',
    'src/frontend/frontend.ts',
    'src/frontend/mel.ts',
  ],
  text: true,
  bytesMax: 12_000,
  where: 'bundle.tar',
  processorMsMax: 3000,
  seeds: () => [
    JSON.stringify(small),
    JSON.stringify({ ...small, confidence: { ...confidence, chain } }),
    JSON.stringify({
      ...small,
      decoding: { ...small.decoding, weightings: undefined, warps: [0.9], shifts: [1] },
    }),
  ],
  mutate: mutateJson,
  run: (input) => {
    const manifest = parseManifest(input.toString('utf8'), 'bundle.tar', '9.0.0');
    const { features, decoding } = manifest;
    for (const warp of [1, ...(decoding.warps ?? [])]) {
      const frontend = new Frontend(features, { warp });
      const { data } = frontend.feed(noise);
      must(data.every(Number.isFinite), 'rows that are not finite');
    }
    const evidence = {
      lead: 3,
      clarity: -1,
      margin: 2,
      agreement: 1,
      marginMean: 1,
      misheard: 0.1,
    };
    const probability = probabilityOf(scoreOf(evidence, manifest.confidence), manifest.confidence);
    must(probability >= 0 && probability <= 1, `a probability of ${probability}`);
    const certainty = certaintyOf(evidence, manifest.confidence);
    must(certainty >= 0 && certainty <= 1, `a certainty of ${certainty}`);
  },
};
