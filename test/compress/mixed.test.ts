/** Some matrices in 4 bits, the others in 8: which, and that every board computes the same with them. */
import { join } from 'node:path';
import t from 'tap';
import { main } from '../../src/cli/main.js';
import { readCheckpoint, tensorOf } from '../../src/compress/checkpoint.js';
import { buildGraph } from '../../src/compress/graph/build.js';
import { nibblePlaces } from '../../src/compress/graph/nibble-places.js';
import { storedBytesOf } from '../../src/compress/pack.js';
import { inNibbles } from '../../src/compress/quantize/formats.js';
import { onNearest } from '../../src/compress/quantize/least-squares.js';
import { cheapest, type MatrixCost } from '../../src/compress/quantize/mixed.js';
import { randomFrom } from '../../src/measure/evaluate/statistics.js';
import { smallFolder, smallNetwork } from '../sim/small-network.js';
import { tinyBundle } from '../sim/tiny-checkpoint.js';

/** Every set, one after the other. */
function cheapestOfAll(costs: readonly MatrixCost[], wantedBytes: number): number {
  let best = Infinity;
  for (let set = 0; set < 2 ** costs.length; set++) {
    const some = costs.filter((_, i) => (set >> i) & 1);
    const saved = some.reduce((sum, c) => sum + c.savedBytes, 0);
    if (saved >= wantedBytes)
      best = Math.min(
        best,
        some.reduce((sum, c) => sum + c.divergence, 0),
      );
  }
  return best;
}

void t.test('of all sets that save enough the one of least divergence', async (t) => {
  const random = randomFrom(3);
  for (let round = 0; round < 300; round++) {
    const costs = Array.from({ length: Math.floor(9 * random()) }, (_, i) => ({
      name: `m${i}`,
      divergence: random(),
      savedBytes: 64 * Math.floor(30 * random()),
    }));
    const wanted = 64 * Math.floor(100 * random());
    const found = cheapest(costs, wanted);
    const least = cheapestOfAll(costs, wanted);
    if (found === undefined) {
      t.equal(least, Infinity, `round ${round}: none saves ${wanted}`);
      continue;
    }
    const chosen = costs.filter(({ name }) => found.includes(name));
    const saved = chosen.reduce((sum, c) => sum + c.savedBytes, 0);
    const cost = chosen.reduce((sum, c) => sum + c.divergence, 0);
    t.ok(saved >= wanted && Math.abs(cost - least) < 1e-12, `round ${round}: ${cost} of ${least}`);
  }
  t.same(cheapest([], 0), []);
  t.same(cheapest([{ name: 'm', divergence: 1, savedBytes: 100 }], -5), [], 'it fits as it is');
});

void t.test('as few bytes as were asked for, by the command', async (t) => {
  const folder = await smallFolder();
  const at = (name: string) => join(folder, name);
  const network = smallNetwork;
  let out = '';
  const quantize = async (from: string, to: string, ...more: string[]) => {
    out = '';
    const argv = ['quantize', at(from), '--calibration', folder, '--out', at(to), ...more];
    return main(['model', ...argv], {
      stdout: { write: (text: string) => (out += text) },
      stderr: { write: (text: string) => (out += text) },
      env: {},
    });
  };
  const four = ['--weight-bits', '4', '--rounding', 'nearest'];
  const bytesOf = async (name: string) =>
    storedBytesOf(buildGraph(await readCheckpoint(at(name))).onnx);
  t.equal(await quantize('float.safetensors', 'eight.safetensors'), 0);
  t.equal(await quantize('float.safetensors', 'four.safetensors', ...four), 0);
  const [most, least] = [await bytesOf('eight.safetensors'), await bytesOf('four.safetensors')];
  const wanted = Math.round((most + least) / 2);
  const asked = [...four, '--stored-bytes'];
  t.equal(await quantize('float.safetensors', 'mixed.safetensors', ...asked, `${wanted}`), 0);
  t.match(out, /some of its weights on the grid of 4 bits: \d+ bytes in a bundle/);
  t.match(out, /input\.projection +[48] bits; 4 cost [\d.]+ nats a step and save \d+ bytes/);
  const mixed = await readCheckpoint(at('mixed.safetensors'));
  t.ok((await bytesOf('mixed.safetensors')) <= wanted, 'no more than was asked for');
  const rounded = onNearest(network);
  const kinds = [...network.tensors].map(([name, w]) => {
    const kept = tensorOf(mixed, name);
    if (!inNibbles(name, w)) return t.same(kept, w, `${name} as it was`) ? 'other' : '';
    const isRounded = JSON.stringify(kept.data) === JSON.stringify(tensorOf(rounded, name).data);
    t.ok(isRounded || JSON.stringify(kept.data) === JSON.stringify(w.data), name);
    return isRounded ? 'four' : 'eight';
  });
  const inFour = kinds.filter((kind) => kind === 'four').length;
  t.ok(inFour > 0 && kinds.includes('eight'), `${inFour} in 4 bits`);
  t.equal(nibblePlaces(buildGraph(mixed).onnx).length, inFour, 'stored so, found by their values');
  t.match(mixed.quantization, { weights: 'mixed', calibration: { rounding: 'nearest' } });

  const { path } = await tinyBundle('mixed', mixed);
  out = '';
  const io = {
    stdout: { write: (text: string) => (out += text) },
    stderr: { write: () => undefined },
    env: {},
  };
  await main(['model', 'inspect', path], io);
  t.match(out, /weights mixed/);
  await main(['model', 'inspect', at('mixed.safetensors')], io);
  t.match(out, /weights in 4 and 8 bits \(mixed\)/);

  t.equal(await quantize('float.safetensors', 'fits.safetensors', ...asked, `${most}`), 0);
  t.notMatch(out, / 4 bits; 4 cost/, 'nothing is rounded that need not be');
  t.not(await quantize('float.safetensors', 'no', ...asked, `${least - 100}`), 0);
  t.match(out, /with every matrix in 4 bits a bundle stores \d+ bytes of it/);
  t.match(out, /model compress --params/);
  t.match(out, /float\.safetensors/, 'the file is named');
  const silent = await main(
    ['model', 'quantize', at('eight.safetensors'), '--out', at('no'), ...asked, `${wanted}`],
    { ...io, stderr: { write: (text: string) => (out = text) } },
  );
  t.not(silent, 0);
  t.match(out, /--calibration is missing/, 'though the scales are there');
  t.not(await quantize('float.safetensors', 'no', '--stored-bytes', '1000'), 0);
  t.match(out, /--stored-bytes goes with --weight-bits 4/);
  t.not(await quantize('four.safetensors', 'no', ...asked, '1000'), 0);
  t.match(out, /is in 4 bits already/);
});
