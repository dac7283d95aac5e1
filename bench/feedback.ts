/**
 * Whether a board hears what it plays itself: its sounds in the microphone's signal at several levels and delays, in
 * noise, with the cover of src/agent/cover.ts and without it.
 *   alone     every 3 s a sound, nobody speaks: what is heard of it
 *   between   an order, its sound, and after it another order: whether that one is still heard
 * Levels are those of the sound beside speech (loudest frames); the delay is from the program's start to the microphone.
 * usage: node dist/bench/feedback.js --noise FOLDER --grammar F --labels F.json [--pairs N] [--snr 12,6] [--json] RECORDINGS
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Cover } from '../src/agent/cover.js';
import {
  mixAtSnr,
  parseWav,
  peakFrameEnergy,
  readAudioFile,
  resample,
  soundFilesOf,
} from '../src/audio/index.js';
import { Engine } from '../src/engine/engine.js';
import { labelMeaning, parseLabels } from '../src/measure/evaluate/labels.js';
import { sameMeaning } from '../src/measure/evaluate/score.js';
import { randomFrom, wilson } from '../src/measure/evaluate/statistics.js';
import { soundOf, type Signal } from '../src/neighbours/feedback/sounds.js';
import { Listener } from '../src/recognizer/index.js';
import type { Heard } from '../src/records.js';
import { defaultModelPath } from '../src/runtime/paths.js';
import { commit, machine } from './lib/report.js';

const rateHz = 16_000;
const chunkSamples = 480;
/** From the microphone to this process. */
const captureDelayMs = 60;
const beforeMs = 3000;
const afterMs = 2500;
const soundEveryMs = 3000;
/** Of a room: what is left of the sound after so long is 60 dB less. */
const echoMs = 400;
const samples = (ms: number) => Math.round((ms * rateHz) / 1000);

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    ...{ noise: { type: 'string' }, grammar: { type: 'string' }, labels: { type: 'string' } },
    ...{ pairs: { type: 'string', default: '12' }, snr: { type: 'string', default: '12,6' } },
    ...{ sounds: { type: 'string', default: '30' }, tail: { type: 'string', default: '250' } },
    json: { type: 'boolean', default: false },
  },
});
const { noise: noiseFolder, grammar: grammarPath, labels: labelsPath } = values;
const [recordings] = positionals;
if (!noiseFolder || !grammarPath || !labelsPath || !recordings)
  throw new Error('expected --noise FOLDER --grammar F --labels F.json RECORDINGS');
const [pairs, sounds, tailMs] = [values.pairs, values.sounds, values.tail].map(Number) as [
  number,
  number,
  number,
];
const engine = await Engine.open({ modelPath: defaultModelPath, grammarPath });
const grammar = await engine.compile();
const recognizer = engine.recognizer(grammar);
const noiseFiles = await soundFilesOf(noiseFolder);
const labels = parseLabels(await readFile(labelsPath, 'utf8'), labelsPath);
const clips = await Promise.all(
  labels.slice(0, 2 * pairs).map(async (label) => ({
    label,
    audio: (await readAudioFile(join(recordings, label.file), { rateHz, channel: 'mix' })).samples,
  })),
);
const echoes = echoOf(randomFrom(1));
const played = Object.fromEntries(
  (['heard', 'accepted', 'refused'] as const).map((signal) => {
    const wav = parseWav(soundOf(signal, 0), signal);
    return [signal, inRoom(resample(wav.channels[0] ?? new Float32Array(), wav.rateHz, rateHz))];
  }),
) as Record<Signal, { readonly audio: Float32Array; readonly durationMs: number }>;

interface Way {
  readonly cover: boolean;
  /** null: no sound. */
  readonly levelDb: number | null;
  readonly delayMs: number;
}

/** A microphone in which something may be said or played at any time to come. */
class Room {
  readonly events: { readonly heard: Heard; readonly at: number }[] = [];
  private at = 0;
  private readonly cover = new Cover(
    () => rateHz,
    () => this.nowMs,
  );
  private readonly frontend = engine.frontend();
  private readonly listener = new Listener(recognizer);
  private readonly later: { readonly atMs: number; readonly action: () => void }[] = [];

  constructor(
    readonly audio: Float32Array,
    private readonly covered: boolean,
  ) {}

  /** When this process has what was captured last. */
  get nowMs(): number {
    return (1000 * this.at) / rateHz + captureDelayMs;
  }

  get position(): number {
    return this.at;
  }

  add(audio: Float32Array, from: number, gain = 1): void {
    for (let i = 0; i < audio.length && from + i < this.audio.length; i++)
      this.audio[from + i] = (this.audio[from + i] ?? 0) + gain * (audio[i] ?? 0);
  }

  /** The program is started now, and ends when it has played. Where the sound ends in the signal. */
  play(signal: Signal, gain: number, delayMs: number): number {
    const { audio, durationMs } = played[signal];
    const from = samples(this.nowMs + delayMs);
    this.add(audio, from, gain);
    if (this.covered) {
      const end = this.cover.begin();
      // The program knows of the card's buffer, not of the way to the microphone.
      this.later.push({ atMs: this.nowMs + durationMs + delayMs / 2, action: () => end(tailMs) });
    }
    return from + samples(durationMs);
  }

  async hear(until: number, onHeard: (heard: Heard) => void = () => undefined): Promise<void> {
    while (this.at < Math.min(until, this.audio.length)) {
      const firstSample = this.at;
      const piece = this.audio.slice(firstSample, firstSample + chunkSamples);
      this.at += piece.length;
      for (const one of this.later.filter(({ atMs }) => atMs <= this.nowMs)) {
        one.action();
        this.later.splice(this.later.indexOf(one), 1);
      }
      const chunk = { samples: piece, firstSample, receivedAtMs: this.nowMs, gapBefore: false };
      const heard = this.cover.take(chunk).samples;
      for (const event of await this.listener.feed(this.frontend.feed(heard)))
        if (event.type === 'heard') {
          this.events.push({ heard: event.heard, at: this.at });
          onHeard(event.heard);
        }
    }
  }
}

const gainFor = (audio: Float32Array, levelDb: number, beside: number) =>
  Math.sqrt((beside / peakFrameEnergy(audio)) * 10 ** (levelDb / 10));
/** Whom the board would answer aloud. */
const aloud = ({ accepted, reason }: Heard) =>
  accepted || (reason !== 'not-a-command' && reason !== 'noise');

async function bed(length: number, speech: Float32Array, snrDb: number | null, pick: number) {
  const out = new Float32Array(length);
  // A quiet room is not digital silence.
  const hiss = randomFrom(pick);
  for (let i = 0; i < length; i++) out[i] = (hiss() - 0.5) * 4e-4;
  if (snrDb === null) return out;
  const file = noiseFiles[pick % noiseFiles.length] ?? '';
  const { samples: noise } = await readAudioFile(file, { rateHz, channel: 'mix' });
  const padded = new Float32Array(length);
  padded.set(speech.subarray(0, length));
  const mixed = mixAtSnr(padded, noise, snrDb, 0);
  return mixed.map((v, i) => v - (padded[i] ?? 0) + (out[i] ?? 0));
}

interface Alone {
  sounds: number;
  accepted: number;
  aloud: number;
  all: number;
}

async function alone(snrDb: number | null, way: Way): Promise<Alone> {
  const counts: Alone = { sounds: 0, accepted: 0, aloud: 0, all: 0 };
  const signals = ['accepted', 'refused', 'heard'] as const;
  for (let i = 0; counts.sounds < sounds; i++) {
    const speech = clips[i % clips.length]?.audio ?? new Float32Array();
    const each = Math.min(10, sounds - counts.sounds);
    const length = samples(beforeMs + each * soundEveryMs);
    const room = new Room(await bed(length, speech, snrDb, i), way.cover);
    for (let n = 0; n < each; n++) {
      await room.hear(samples(beforeMs + n * soundEveryMs));
      const signal = signals[n % signals.length] ?? 'accepted';
      const { audio } = played[signal];
      if (way.levelDb !== null)
        room.play(signal, gainFor(audio, way.levelDb, peakFrameEnergy(speech)), way.delayMs);
      counts.sounds++;
    }
    await room.hear(length);
    counts.all += room.events.length;
    counts.aloud += room.events.filter(({ heard }) => aloud(heard)).length;
    counts.accepted += room.events.filter(({ heard }) => heard.accepted).length;
  }
  return counts;
}

interface Between {
  pairs: number;
  right: number;
  wrong: number;
  refused: number;
  nothing: number;
  /** Judged before its speaker had finished. */
  cutOff: number;
  /** Heard before it began. */
  own: number;
}

async function between(snrDb: number | null, way: Way, gapMs: number): Promise<Between> {
  const counts = { pairs: 0, right: 0, wrong: 0, refused: 0, nothing: 0, cutOff: 0, own: 0 };
  for (let i = 0; i + 1 < clips.length; i += 2) {
    const [first, second] = [clips[i], clips[i + 1]];
    if (first === undefined || second === undefined) continue;
    const length =
      samples(beforeMs + 2 * afterMs + 2000) + first.audio.length + second.audio.length;
    const room = new Room(await bed(length, first.audio, snrDb, i), way.cover);
    room.add(first.audio, samples(beforeMs));
    let from = 0;
    let answered = 0;
    const next = (heard: Heard | null) => {
      if (from > 0) return;
      answered = room.events.length;
      const signal = heard?.accepted === true ? 'accepted' : 'refused';
      const { audio, durationMs } = played[signal];
      const silent = room.position + samples(captureDelayMs + way.delayMs + durationMs);
      const gain = gainFor(audio, way.levelDb ?? 0, peakFrameEnergy(first.audio));
      const over = way.levelDb === null ? silent : room.play(signal, gain, way.delayMs);
      from = over + samples(gapMs);
      room.add(second.audio, from);
    };
    await room.hear(samples(beforeMs + afterMs) + first.audio.length, next);
    next(null);
    const speech = spokenOf(second.audio);
    await room.hear(from + second.audio.length + samples(afterMs));
    const later = room.events.slice(answered);
    const own = later.filter(({ at }) => at < from + speech.from);
    const answers = later.filter(({ at }) => at >= from + speech.from);
    counts.pairs++;
    counts.own += own.length;
    if (answers.some(({ at }) => at < from + speech.to)) counts.cutOff++;
    const wanted = labelMeaning(second.label, grammar);
    const accepted = answers.filter(({ heard }) => heard.accepted);
    if (answers.length === 0) counts.nothing++;
    else if (accepted.length === 0) counts.refused++;
    else if (
      accepted.length === 1 &&
      wanted != null &&
      accepted.every(({ heard }) => sameMeaning(heard, wanted))
    )
      counts.right++;
    else counts.wrong++;
  }
  return counts;
}

/** From the first to the last loud sample. */
function spokenOf(audio: Float32Array): { readonly from: number; readonly to: number } {
  const peak = audio.reduce((max, v) => Math.max(max, Math.abs(v)), 0);
  const isLoud = (v: number) => Math.abs(v) > peak / 10;
  return { from: audio.findIndex(isLoud), to: audio.findLastIndex(isLoud) };
}

/** Noise that dies away, after the sound itself. */
function echoOf(noise: () => number): Float32Array {
  const taps = Float32Array.from({ length: samples(echoMs) }, (_, i) => {
    const fades = 10 ** ((-3 * i) / samples(echoMs));
    return i === 0 ? 1 : 0.05 * fades * (noise() - 0.5);
  });
  return taps;
}

function inRoom(sound: Float32Array) {
  const audio = new Float32Array(sound.length + echoes.length);
  sound.forEach((v, i) => {
    for (let n = 0; n < echoes.length; n++)
      audio[i + n] = (audio[i + n] ?? 0) + v * (echoes[n] ?? 0);
  });
  return { audio, durationMs: (1000 * sound.length) / rateHz };
}

const conditions: (number | null)[] = [null, ...values.snr.split(',').map(Number)];
const nearMs = 40;
const farMs = 250;
const ways: Way[] = [
  ...[-12, 0, 12].flatMap((levelDb) =>
    [false, true].map((cover) => ({ cover, levelDb, delayMs: nearMs })),
  ),
  ...[false, true].map((cover) => ({ cover, levelDb: 0, delayMs: farMs })),
];
const noSound: Way = { cover: false, levelDb: null, delayMs: nearMs };
const nameOf = ({ cover, levelDb, delayMs }: Way) =>
  levelDb === null
    ? 'no sound'
    : `${levelDb} dB, ${delayMs} ms, ${cover ? 'covered' : 'not covered'}`;
const share = (n: number, of: number) => {
  const { low, high } = wilson(n, of);
  return `${n} of ${of} (${(100 * low).toFixed(1)} to ${(100 * high).toFixed(1)} %)`;
};
const m = machine();
const lines: object[] = [];
const say = (text: string, data: object) => {
  lines.push(data);
  if (!values.json) process.stdout.write(`${text}\n`);
};
if (!values.json)
  process.stdout.write(
    `feedback at ${commit()}; ${m.cpu}, ${m.cores} cores, Node ${m.node}, load ${m.loadBefore} before\n`,
  );
for (const snrDb of conditions) {
  const where = snrDb === null ? 'quiet' : `${snrDb} dB`;
  for (const way of [noSound, ...ways]) {
    const c = await alone(snrDb, way);
    say(
      `${where}; alone; ${nameOf(way)}: ${c.accepted} accepted, ${c.aloud} answered aloud, ${c.all} heard in all, of ${c.sounds} sounds`,
      { where, kind: 'alone', ...way, ...c },
    );
  }
  for (const [way, gapMs] of [
    ...[noSound, ...ways].map((way) => [way, 300] as const),
    ...ways.slice(2, 4).map((way) => [way, 0] as const),
  ]) {
    const c = await between(snrDb, way, gapMs);
    say(
      `${where}; next order after ${gapMs} ms; ${nameOf(way)}: right ${share(c.right, c.pairs)}, wrong ${c.wrong}, refused ${c.refused}, nothing ${c.nothing}, cut off ${c.cutOff}; heard before it ${c.own}`,
      { where, kind: 'between', gapMs, ...way, ...c },
    );
  }
}
if (values.json)
  process.stdout.write(
    `${JSON.stringify({ bench: 'feedback', commit: commit(), machine: m, lines })}\n`,
  );
await engine.close();
