import t from 'tap';
import type { Manifest } from '../../src/bundle/index.js';
import { replay } from '../../src/measure/evaluate/network.js';
import { randomFrom } from '../../src/measure/evaluate/statistics.js';
import type { Heard } from '../../src/records.js';
import { Recognizer, type Look } from '../../src/recognizer/index.js';
import { clipOf, grammarOf, said, type Row } from '../sim/said-clip.js';
import { listenerManifest } from '../sim/spoken-network.js';

const { units } = listenerManifest;
const manifest: Manifest = {
  ...listenerManifest,
  decoding: {
    priorWeight: 0.5,
    logPrior: units.map((_, u) => -2 - (u % 3)),
    blankBias: 0,
    weightings: [{ priorWeight: 0.8, blankBias: 1, ownShare: 1 }],
  },
  confidence: { bias: 2, weights: { llrMean: 1, agreement: 1 }, threshold: 0.7 },
};
const texts = ['conveyor two', 'conveyor', 'machine one', 'stop', 'go left'];
const grammar = grammarOf(texts);
const quiet = (steps: number): Row[] => Array.from({ length: steps }, () => ({ 0: 0.95 }));

/** Some words, more and less clearly, with pauses of 0 to 600 ms before, between and after. */
function speech(random: () => number): Row[] {
  const rows = quiet(Math.floor(12 * random()));
  for (let i = 0; i < 3; i++) {
    const words = (texts[Math.floor(texts.length * random())] ?? '').split(' ');
    for (const word of words)
      rows.push(...said(word, 0.2 + 0.7 * random(), 0.1), ...quiet(Math.floor(20 * random())));
  }
  return rows;
}

void t.test('an answer prepared in a pause is the one that would have been given', async (t) => {
  const random = randomFrom(5);
  let prepared = 0;
  let looked = 0;
  for (let n = 0; n < 150; n++) {
    const clip = clipOf(speech(random));
    const other = clipOf(speech(random)).logProbs;
    const look: Look = ({ length }) => {
      looked++;
      const data = Float32Array.from(
        { length: length * units.length },
        (_, i) => other[i % other.length] ?? 0,
      );
      return Promise.resolve({ data, steps: length });
    };
    const hear = async (preparing: boolean, steps: number): Promise<Heard> => {
      const network = replay(units.length, clip);
      const recognizer = new Recognizer(manifest, network, grammar, { looks: [look] });
      const utterance = recognizer.beginUtterance(0);
      for (let at = 0; at < clip.steps; at += steps) {
        await utterance.feed(clip.levels.subarray(at, at + steps));
        if (!preparing || !utterance.ready) continue;
        await utterance.prepare();
        t.notOk(utterance.ready, 'once');
        prepared++;
      }
      return utterance.finish();
    };
    const late = await hear(false, 7);
    t.same(await hear(true, 1), late);
    t.same(await hear(true, 3), late);
  }
  t.ok(prepared > 150, `prepared ${prepared} times`);
  t.ok(looked > 50, `looked again ${looked} times`);
});

void t.test('what comes 240 ms after the last phone does not change the answer', async (t) => {
  const random = randomFrom(9);
  for (let n = 0; n < 50; n++) {
    const rows = [...speech(random), ...said('stop', 0.8, 0.1), ...quiet(8)];
    const clip = clipOf([...rows, ...quiet(60)]);
    const hear = (steps: number) =>
      new Recognizer(manifest, replay(units.length, clip), grammar).recognizeWhole({
        data: clip.levels.subarray(0, steps),
        steps,
        dim: 1,
        firstStep: 0,
      });
    t.same(await hear(clip.steps), await hear(rows.length));
  }
});
