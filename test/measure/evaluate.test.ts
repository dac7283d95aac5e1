import { writeFile } from 'node:fs/promises';
import t from 'tap';
import { encodeWav } from '../../src/audio/index.js';
import { conditionsOf } from '../../src/cli/evaluate/options.js';
import { AmongOthers, count, noCounts } from '../../src/measure/evaluate/among.js';
import { acceptanceChart, reliabilityDiagram } from '../../src/measure/chart/charts.js';
import { acceptanceCurve, acceptedAt, pointFor } from '../../src/measure/evaluate/curve.js';
import { machineNoise, machineScenes, scaled } from '../../src/measure/evaluate/machine-noise.js';
import { minimalPairs, sentencesGrammar, verdict } from '../../src/measure/evaluate/near-misses.js';
import { cut, hearAgain, joined, type NetworkClip } from '../../src/measure/evaluate/network.js';
import type { Outcome } from '../../src/measure/evaluate/score.js';
import { randomFrom } from '../../src/measure/evaluate/statistics.js';
import { padded } from '../../src/measure/evaluate/synthesis.js';
import { alarmsAt, peaksOf, wakeCurve } from '../../src/measure/evaluate/wake.js';
import type { Heard } from '../../src/records.js';
import { wakePhrase } from '../../src/recognizer/index.js';
import { listenerManifest } from '../sim/spoken-network.js';
import { tinyLexicon, units } from '../sim/tiny-checkpoint.js';

const lexicon = tinyLexicon();

/** A clip in which these units are certain. */
function clipOf(said: readonly number[]): NetworkClip {
  const logProbs = Float32Array.from(
    said.flatMap((u) => units.map((_, k) => Math.log(k === u ? 0.97 : 0.03 / (units.length - 1)))),
  );
  return {
    logProbs,
    steps: said.length,
    levels: Float32Array.from(said, (u) => (u === 0 ? -1 : 1)),
  };
}
const say = (text: string) => [
  ...Array.from({ length: 8 }, () => 0),
  ...text
    .split(' ')
    .flatMap((w) => lexicon.lookup(w)[0]?.phones ?? [])
    .flatMap((p) => [p, p, 0]),
  ...Array.from({ length: 8 }, () => 0),
];

function heard(intent: string | null, confidence: number, more: Partial<Heard> = {}): Heard {
  return {
    accepted: confidence >= 0.5,
    text: 'x',
    intent,
    slots: {},
    confidence,
    words: [],
    startSample: 0,
    endSample: 0,
    startMs: 0,
    endMs: 0,
    evidence: {},
    ...more,
  };
}

void t.test('the curve counts what a threshold would have done', async (t) => {
  const outcome = (wanted: string, h: Heard): Outcome => ({
    file: 'f',
    heard: h,
    wanted: { intent: wanted, slots: {} },
    audioSeconds: 1,
    computeSeconds: 0,
  });
  const commands = [
    outcome('a', heard('a', 0.9)),
    outcome('a', heard('a', 0.4)),
    outcome('b', heard('a', 0.7)),
    outcome('b', heard(null, 0, { reason: 'noise' })),
  ];
  const others = [heard('a', 0.8), heard('b', 0.3), heard('a', 0.95, { reason: 'too-long' })];
  const { overall, intents } = acceptanceCurve(commands, others, 0.5);
  t.match(overall[0], { refused: 0.25, wrong: 0.25, falseAccepts: 2, falseAcceptsPerHour: 4 });
  t.match(overall[50], { refused: 0.5, wrong: 0.25, falseAccepts: 1 });
  t.match(overall[81], { refused: 0.75, wrong: 0, falseAccepts: 0 });
  t.match(intents['b']?.[0], { refused: 0.5, wrong: 0.5, falseAccepts: 1 });
  t.equal(pointFor(overall, 0)?.threshold, 0.81);
  t.notOk(acceptedAt(heard('a', 1, { reason: 'too-long' }), 0));
});

void t.test('clips after the network: the same answer as live, cut and joined', async (t) => {
  const grammar = sentencesGrammar(['go left', 'stop conveyor two'], lexicon);
  const whole = clipOf(say('stop conveyor two'));
  const answer = await hearAgain(listenerManifest, whole, grammar);
  t.match(answer, { text: 'stop conveyor two', accepted: true });
  t.ok((answer.evidence['loudness'] ?? 0) > 1, 'words are louder than what is around');
  t.ok(Math.abs(answer.evidence['mismatch'] ?? 1) < 0.01);
  const part = await hearAgain(listenerManifest, cut(whole, 0, 16), grammar);
  t.notOk(part.accepted);
  const two = joined(clipOf(say('go left')), clipOf(say('stop conveyor two')));
  t.equal(two.steps, two.logProbs.length / units.length);
  const both = await hearAgain(listenerManifest, two, grammar);
  t.ok(both.confidence < answer.confidence);
  t.ok((both.evidence['outside'] ?? 0) > 0.3, 'speech beside the sentence is seen');
});

void t.test('near-misses: the other one is refused or told apart', async (t) => {
  const grammar = sentencesGrammar(['turn the light on', 'turn the light off'], lexicon);
  const on = await hearAgain(listenerManifest, clipOf(say('turn the light on')), grammar);
  t.equal(verdict(on, 'turn the light on'), 'right');
  t.equal(verdict(on, 'turn the light off'), 'wrong');
  t.ok((on.evidence['marginPhone'] ?? 0) > 2);
  // A grammar writes words as it reads them: the apostrophe is gone, the sentence is the one that was said.
  const owned = sentencesGrammar(["turn the light' on", 'turn the light off'], lexicon);
  const light = await hearAgain(listenerManifest, clipOf(say('turn the light on')), owned);
  t.equal(light.text, 'turn the light on');
  t.equal(verdict(light, "turn the light' on"), 'right');
  t.ok(minimalPairs.every(([a, b]) => a !== b));
});

void t.test(
  'among others: its own sentence and so many of the same set, each counted',
  async (t) => {
    const texts = ['turn the light on', 'turn the light off', 'red machine', 'kitchen light'];
    const spoken = [
      ...texts.map((text) => ({ set: 'a', text })),
      { set: 'b', text: 'red machine on' },
      { set: 'a', text: 'say 日本' },
    ];
    const among = new AmongOthers(spoken, lexicon, 2);
    t.notOk(among.pronounceable('say 日本'));
    t.notOk(among.pronounceable(''));
    for (let seed = 0; seed < 10; seed++) {
      const grammar = among.grammar({ set: 'a', text: 'turn the light on' }, randomFrom(seed));
      t.ok(grammar.read('turn the light on'));
      const others = texts.slice(1).filter((text) => grammar.read(text) !== null);
      t.equal(others.length, 2, 'as many others as asked for');
      t.equal(grammar.read('red machine on'), null, 'none of another set');
    }
    const counts = noCounts();
    const grammar = among.grammar({ set: 'a', text: 'turn the light on' }, randomFrom(1));
    const heard = await hearAgain(listenerManifest, clipOf(say('turn the light on')), grammar);
    count(counts, heard, 'turn the light on');
    count(counts, heard, 'turn the light off');
    t.same(counts, { said: 2, right: 1, rightAccepted: 1, wrongAccepted: 1 });
  },
);

void t.test(
  'a folder of noises: one of them for each clip, by chance and repeatable',
  async (t) => {
    const folder = t.testdir({ hall: {} });
    for (const [name, value] of [
      ['low.wav', 0.1],
      ['high.wav', -0.2],
    ] as const) {
      const noise = new Float32Array(16_000).fill(value);
      await writeFile(`${folder}/hall/${name}`, encodeWav(noise, 16_000));
    }
    const conditions = await conditionsOf({ noise: [`${folder}/hall/`], snr: ['6'] }, 16_000, '');
    t.same(
      conditions.map((c) => c.name),
      ['clean', '6 dB of hall'],
    );
    const clip = new Float32Array(4096).fill(0.1);
    const signs = (seed: number) => {
      const random = randomFrom(seed);
      return Array.from({ length: 20 }, () =>
        Math.sign((conditions[1]?.mixed(clip, random)[9] ?? 0) - 0.1),
      );
    };
    t.same([...new Set(signs(1))].sort(), [-1, 1], 'both are heard');
    t.same(signs(1), signs(1));
  },
);

void t.test('machine noise: the same from a seed, finite, at its level', async (t) => {
  const one = machineNoise(1, 8000, randomFrom(5));
  t.same(one, machineNoise(1, 8000, randomFrom(5)));
  for (let seed = 0; seed < 20; seed++) {
    const noise = machineNoise(0.5, 8000, randomFrom(seed));
    const peak = noise.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
    t.ok(noise.every(Number.isFinite) && peak > 0.01 && peak <= 0.51, `seed ${seed}: ${peak}`);
  }
  const scenes = [...machineScenes(5, 8000, randomFrom(1), 2)];
  t.same(
    scenes.map((s) => s.length),
    [16000, 16000, 8000],
  );
  t.ok(Math.abs(Math.max(...scaled(one, 0.25).map(Math.abs)) - 0.25) < 1e-6);
  t.equal(padded(new Float32Array(80), 8000, randomFrom(1), 0.01).length, 240);
});

void t.test('wake: misses against alarms', async (t) => {
  const wake = wakePhrase({ phrase: 'red machine' }, lexicon);
  const hit = peaksOf(clipOf(say('red machine')), wake);
  const other = peaksOf(clipOf(say('kitchen light')), wake);
  t.ok(Math.max(...hit.map((p) => p.score)) > -0.1);
  const curve = wakeCurve([hit], [other], 0.1, 60);
  const at = (threshold: number) => curve.find((p) => p.threshold === threshold);
  t.match(at(-1), { missed: 0, alarmsPerHour: 0 });
  const peaks = [10, 30, 200].map((endFrame) => ({ score: -1, endFrame }));
  t.equal(alarmsAt(peaks, -2, 60), 2);
  t.equal(alarmsAt(peaks, -0.5, 60), 0);
});

void t.test('charts are whole SVG', async (t) => {
  const points = [
    { refused: 0, falseAcceptsPerHour: 12 },
    { refused: 0.4, falseAcceptsPerHour: 0 },
  ];
  const chart = await acceptanceChart([{ name: 'a < b', points }], points[0], 'title & more');
  t.match(chart, /^<svg .*<\/svg>\n$/s);
  t.match(chart, /a &lt; b/);
  t.notMatch(chart, /NaN|undefined/);
  const bin = { from: 0, to: 0.1, count: 3, weight: 1, confidence: 0.05, right: 0.1 };
  t.notMatch(await reliabilityDiagram([bin, { ...bin, weight: 0 }], 'r'), /NaN|undefined/);
});
