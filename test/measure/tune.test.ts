import { appendFile, mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { encodeWav } from '../../src/audio/index.js';
import { run } from '../../src/cli/tune.js';
import { randomFrom } from '../../src/measure/evaluate/statistics.js';
import {
  better,
  chooseThreshold,
  chooseTimes,
  chooseWakeThreshold,
  scoreClips,
  type HeardClip,
} from '../../src/measure/tune/choose.js';
import { sentenceOf } from '../../src/measure/tune/clips.js';
import { changed } from '../../src/config/index.js';
import { Frontend } from '../../src/frontend/index.js';
import type { Heard } from '../../src/records.js';
import { features, tinyBundle } from '../sim/tiny-checkpoint.js';

const rateHz = 16_000;
const random = randomFrom(4);
const sound = (seconds: number, level = 0.1) =>
  Float32Array.from({ length: seconds * rateHz }, () => level * (2 * random() - 1));

function heardClip(said: string, text: string, confidence: number, pauseMs = 0): HeardClip {
  const words = [
    { word: 'a', startMs: 0, endMs: 300, confidence: 1 },
    { word: 'b', startMs: 300 + pauseMs, endMs: 600 + pauseMs, confidence: 1 },
  ];
  const heard: Heard = {
    accepted: confidence >= 0.5,
    text,
    intent: 'x',
    slots: {},
    confidence,
    words,
    startSample: 0,
    endSample: 0,
    startMs: 0,
    endMs: 0,
    evidence: {},
  };
  return { right: said === text, heard };
}

/** A site: a bundle, a grammar, a configuration with comments, and recordings. */
async function site(files: Readonly<Record<string, Float32Array>>) {
  const { path: model } = await tinyBundle();
  const folder = await mkdtemp(join(tmpdir(), 'kikitori-test-'));
  const recordings = join(folder, 'recordings');
  await mkdir(recordings);
  for (const [name, samples] of Object.entries(files))
    await writeFile(join(recordings, name), encodeWav(samples, rateHz));
  await writeFile(
    join(folder, 'sentences.yaml'),
    'intents: {A: {data: [{sentences: ["turn on the light", "stop", "go left", "stop conveyor two", "start machine"]}]}}',
  );
  const config = join(folder, 'kikitori.yaml');
  await writeFile(
    config,
    `# Line 3, by the press\nmodel: {path: ${model}}\ngrammar:\n  path: sentences.yaml # ours\nrecognizer:\n  # as the shift wants it\n  mode: always\n`,
  );
  const said: string[] = [];
  const io = {
    stdout: { write: (text: string) => said.push(text) },
    stderr: { write: () => true },
    env: {},
  };
  return { config, io, said, recordings };
}

const commands = {
  'turn_on_the_light.wav': sound(1),
  'stop-1.wav': sound(0.7),
  'stop-2.wav': sound(0.7),
  'go left.wav': sound(0.8),
  'start_machine.wav': sound(0.8),
};

void t.test('writes what it chose, comments kept', async (t) => {
  const { config, io, said, recordings } = await site({
    ...commands,
    'noise.wav': sound(11, 0.01),
  });
  t.equal(await run(['--config', config, '--json', recordings], io), 0);
  const tuned = JSON.parse(said.join('')) as {
    after: { settings: Record<string, number>; right: number };
    before: { right: number };
  };
  t.ok(tuned.after.right >= tuned.before.right);
  const text = await readFile(config, 'utf8');
  t.match(text, '# Line 3, by the press');
  t.match(text, 'path: sentences.yaml # ours');
  t.match(text, '# as the shift wants it');
  t.match(text, `warp: ${tuned.after.settings['warp'] ?? ''}`);
  t.match(text, 'minConfidence:');
});

void t.test('wrong names, silence, no noise: every fault, and nothing changed', async (t) => {
  const { config, io, recordings } = await site({
    ...commands,
    'make_coffee.wav': sound(1),
    'go_left-2.wav': sound(1, 0),
    'noise.wav': sound(2),
  });
  const before = await readFile(config, 'utf8');
  const error: unknown = await run(['--config', config, recordings], io).then(
    () => null,
    (e: unknown) => e,
  );
  const message = error instanceof Error ? error.message : '';
  t.match(message, /make_coffee\.wav: the grammar does not allow "make coffee"/);
  t.match(message, /go_left-2\.wav: silence/);
  t.match(message, /2 s of noise/);
  t.equal(await readFile(config, 'utf8'), before);
  await t.rejects(run([recordings], { ...io }), { message: /which configuration/ });
  await t.rejects(run(['--config', config, join(recordings, 'none')], io));
  const few = await site({ 'stop.wav': sound(1), 'noise.wav': sound(11) });
  await t.rejects(run(['--config', few.config, few.recordings], few.io), {
    message: /only 1 commands/,
  });
});

void t.test('choices', async (t) => {
  t.equal(sentenceOf('/a/turn_on-the_light-2.wav'), 'turn on the light');
  const clips = [heardClip('a', 'a', 0.9), heardClip('a', 'a', 0.6), heardClip('b', 'a', 0.4)];
  t.match(scoreClips(clips, []), { clips: 3, right: 2, accepted: 2, falseAccepts: 0 });
  t.ok(better(scoreClips(clips, []), scoreClips(clips.slice(0, 1), [])));
  t.notOk(better(scoreClips(clips, []), scoreClips(clips, [])), 'no change without a gain');
  t.equal(chooseThreshold([heardClip('a', 'a', 0.9)], [], 0.7), 0.7, 'no need to lower it');
  t.equal(chooseThreshold([heardClip('a', 'a', 0.6)], [], 0.7), 0.58, 'lowered for a command');
  t.equal(chooseThreshold([heardClip('a', 'a', 0.2)], [], 0.7), 0.55, 'but not by much');
  const noise = heardClip('', 'a', 0.8).heard;
  t.equal(chooseThreshold([heardClip('a', 'a', 0.9)], [noise], 0.7), 0.85, 'above the noise');
  const wrong = [0.45, 0.9].map((c) => heardClip('b', 'a', c));
  const right = [0.6, 0.7, 0.8].map((c) => heardClip('a', 'a', c));
  t.equal(chooseThreshold([...right, ...wrong], [], 0.4), 0.5, 'above one that costs nothing');
  t.equal(chooseThreshold(wrong, [], 0.4), 0.95, 'above all where nothing is lost by it');
  t.equal(
    chooseThreshold([...right, ...right, ...wrong], [], 0.4),
    0.5,
    'not above one for the sake of which all others would be refused',
  );
  const times = {
    finalMs: 240,
    prefixMs: 700,
    nothingMs: 1500,
    maxUtteranceMs: 9000,
    preRollMs: 500,
  };
  t.match(chooseTimes([heardClip('a', 'a', 1, 0)], times), { openMs: 470, prefixMs: 700 });
  t.match(chooseTimes([heardClip('a', 'a', 1, 650)], times), { openMs: 800, prefixMs: 800 });
  t.match(
    chooseTimes(
      [50, 300, 2000, 350].map((pause) => heardClip('a', 'a', 1, pause)),
      times,
    ),
    { longestPauseMs: 350 },
    'one word put in the wrong place does not make everybody wait',
  );
  t.match(chooseTimes([], times), { longestPauseMs: 0 });
});

void t.test('threshold of the wake phrase', async (t) => {
  t.equal(chooseWakeThreshold([-0.2, -0.3, -0.4], [-3], -1.2), -1.2, 'no need to change it');
  t.equal(chooseWakeThreshold([-0.2, -0.3, -0.4], [-0.9], -1.2), -0.8, 'above other speech');
  t.equal(chooseWakeThreshold([-1.5, -1.5, -1.5], [-2.5], -1.2), -1.6, 'lowered to hear it');
  t.equal(chooseWakeThreshold([-0.9, -0.9], [-0.5], -1.2), -1, 'heard rather than silent');
  t.equal(chooseWakeThreshold([-4, -4], [], -1.2), -2.4, 'but not by any means');
  t.equal(chooseWakeThreshold([-0.1], [-0.3], -1.2), -0.7, 'nor is it made deaf');
});

void t.test('recordings of the wake phrase fit its threshold', async (t) => {
  const wake = { 'go_machine-1.wav': sound(1), 'go_machine-2.wav': sound(1) };
  const { config, io, said, recordings } = await site({
    ...commands,
    ...wake,
    'noise.wav': sound(11, 0.01),
  });
  await appendFile(config, '  wake: { phrase: Go  Machine }\n');
  await t.rejects(run(['--config', config, recordings], io), {
    message: /only 2 recordings of "go machine"; at least 3/,
  });
  await writeFile(join(recordings, 'go_machine-3.wav'), encodeWav(sound(1), rateHz));
  t.equal(await run(['--config', config, recordings], io), 0);
  const text = await readFile(config, 'utf8');
  t.match(text, /phrase: Go {2}Machine, threshold: -\d/);
  t.match(said.join(''), /wake phrase, of 3/);
  t.match(said.join(''), /wake threshold +-1.2 +-\d/);
});

void t.test('configuration edits: new sections, refusals', async (t) => {
  t.equal(changed('', { 'recognizer.warp': 1.04 }, 'x'), 'recognizer:\n  warp: 1.04\n');
  t.equal(
    changed(
      'recognizer:\ncapture: # the microphone\n',
      { 'recognizer.warp': 1.04, 'capture.gainDb': 6 },
      'x',
    ),
    'recognizer:\n  warp: 1.04\ncapture:\n  # the microphone\n  gainDb: 6\n',
  );
  t.throws(() => changed('a: [', { 'a.b': 1 }, 'x'));
});

void t.test('warp: 1 changes nothing, others move the bins', async (t) => {
  const samples = sound(0.5);
  const plain = new Frontend(features).feed(samples).data;
  t.same(new Frontend(features, { warp: 1 }).feed(samples).data, plain);
  const tone = Float32Array.from(
    samples,
    (_, i) => 0.3 * Math.sin((2 * Math.PI * 1500 * i) / rateHz),
  );
  const peakOf = (warp: number) => {
    const row = new Frontend(features, { warp }).feed(tone).data.subarray(0, features.melBins);
    return row.indexOf(Math.max(...row));
  };
  t.ok(peakOf(1.12) < peakOf(1) && peakOf(0.88) > peakOf(1));
});
