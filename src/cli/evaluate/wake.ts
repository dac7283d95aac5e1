import { readAudioFile, soundFilesOf } from '../../audio/index.js';
import { acceptanceChart } from '../../measure/chart/charts.js';
import { throughNetwork } from '../../measure/evaluate/network.js';
import { machines, talk } from '../../measure/evaluate/others.js';
import { randomFrom } from '../../measure/evaluate/statistics.js';
import { installedVoices, padded, speak } from '../../measure/evaluate/synthesis.js';
import { peaksOf, wakeCurve, type Peak, type WakePoint } from '../../measure/evaluate/wake.js';
import { Engine } from '../../engine/engine.js';
import { atomicWrite } from '../../runtime/atomic-write.js';
import {
  channelOption,
  jsonLine,
  numberOption,
  parse,
  usageError,
  type CommandRun,
  type Io,
} from '../shared/command.js';
import { commonOptions } from './options.js';
import { writeChart } from '../shared/write-chart.js';

const usage = `kikitori evaluate --wake PHRASE [--hits DIR] [--wake PHRASE --hits DIR]... --talk PATH... [--machines SECONDS] [--curve FILE.svg|json] [--model DIR|FILE] [--channel N] [--limit N] [--json]

How often each phrase is missed in recordings of it, against false alarms in an hour of other speech.
The first --hits belongs to the first phrase, and so on; phrases beyond them are spoken by every
installed synthetic voice. The network runs once a recording, whatever the number of phrases.`;

const shownAlarmsPerHour = [0, 0.5, 2, 5, 20];

export const run: CommandRun = async (argv, io) => {
  const { values } = parse(
    argv,
    {
      ...commonOptions,
      wake: { type: 'string', multiple: true, default: [] },
      hits: { type: 'string', multiple: true, default: [] },
      talk: { type: 'string', multiple: true, default: [] },
      machines: { type: 'string' },
      curve: { type: 'string' },
    },
    usage.split('\n')[0] ?? '',
  );
  if (values.help === true) {
    io.stdout.write(`usage: ${usage}\n`);
    return 0;
  }
  const machineSeconds = numberOption('machines', values.machines);
  if (values.hits.length > values.wake.length || (values.talk.length === 0 && !machineSeconds))
    throw usageError('expected phrases, and other speech with --talk', usage.split('\n')[0] ?? '');
  const channel = channelOption(values.channel);
  const limit = numberOption('limit', values.limit);
  const engine = await Engine.open({ modelPath: String(values.model) });
  const { features } = engine.bundle.manifest;
  const rateHz = features.sampleRateHz;
  const phrases = values.wake.map((phrase) => engine.wakePhrase({ phrase }));
  const hits = await Promise.all(
    phrases.map(async (phrase, i) => {
      const folder = values.hits[i];
      const sounds =
        folder === undefined
          ? await synthesised(phrase.phrase, rateHz)
          : (await soundFilesOf(folder)).slice(0, limit);
      const peaks: Peak[][] = [];
      for (const sound of sounds) {
        const samples =
          typeof sound === 'string'
            ? (await readAudioFile(sound, { rateHz, channel })).samples
            : sound;
        peaks.push(peaksOf(await throughNetwork(engine, samples), phrase));
      }
      return peaks;
    }),
  );
  const others: Peak[][][] = phrases.map(() => []);
  let seconds = 0;
  for (const other of [
    ...values.talk.map((path) => talk(path, { rateHz, channel })),
    ...(machineSeconds ? [machines(machineSeconds, rateHz)] : []),
  ]) {
    let count = 0;
    for await (const samples of other.sounds()) {
      if (count++ === limit) break;
      seconds += samples.length / rateHz;
      const clip = await throughNetwork(engine, samples);
      phrases.forEach((phrase, i) => others[i]?.push(peaksOf(clip, phrase)));
    }
  }
  const stepMs = features.hopMs * features.stride;
  const curves = phrases.map((phrase, i) => ({
    phrase: phrase.phrase,
    recordings: hits[i]?.length ?? 0,
    spoken: values.hits[i] === undefined ? 'synthetic voices' : 'people',
    threshold: phrase.threshold,
    points: wakeCurve(
      hits[i] ?? [],
      others[i] ?? [],
      seconds / 3600,
      Math.ceil(phrase.refractoryMs / stepMs),
    ),
  }));
  for (const curve of curves)
    if (values.json === true) jsonLine(io, { ...curve, hours: seconds / 3600 });
    else say(io, curve, seconds / 3600);
  if (values.curve !== undefined) await draw(io, values.curve, curves);
  return 0;
};

interface PhraseCurve {
  readonly phrase: string;
  readonly recordings: number;
  readonly spoken: string;
  readonly threshold: number;
  readonly points: readonly WakePoint[];
}

function say(io: Io, curve: PhraseCurve, hours: number): void {
  const { phrase, recordings, spoken, points, threshold } = curve;
  const line = (p: WakePoint | undefined, what: string) =>
    p === undefined
      ? ''
      : `  ${what.padEnd(26)} threshold ${p.threshold.toFixed(1)}: ${(100 * p.missed).toFixed(1)} % missed, ${p.alarmsPerHour.toFixed(1)} false alarms an hour\n`;
  const inUse = points.find((p) => p.threshold >= threshold - 1e-9);
  io.stdout.write(
    `"${phrase}": ${recordings} recordings by ${spoken}, ${hours.toFixed(2)} h of others\n${line(inUse, 'in use')}${shownAlarmsPerHour
      .map((n) =>
        line(
          points.find((p) => p.alarmsPerHour <= n),
          `at most ${n} alarms an hour`,
        ),
      )
      .join('')}`,
  );
}

async function synthesised(phrase: string, rateHz: number): Promise<Float32Array[]> {
  const random = randomFrom(7);
  const sounds: Float32Array[] = [];
  for (const voice of await installedVoices())
    for (const wordsPerMinute of [140, 175])
      sounds.push(
        padded(await speak(voice, phrase, { rateHz, wordsPerMinute }), rateHz, random, 0.7),
      );
  return sounds;
}

async function draw(io: Io, path: string, curves: readonly PhraseCurve[]): Promise<void> {
  if (!path.endsWith('.svg')) {
    await atomicWrite(path, `${JSON.stringify(curves, null, 1)}\n`, 0o644);
    return;
  }
  const lines = curves.map(({ phrase, points }) => ({
    name: phrase,
    points: points.map((p) => ({ refused: p.missed, falseAcceptsPerHour: p.alarmsPerHour })),
  }));
  await writeChart(io, path, await acceptanceChart(lines, undefined, 'wake phrases: missed', 60));
}
