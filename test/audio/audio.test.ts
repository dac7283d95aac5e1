import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { encodeWav, parseWav, readAudioFile, resample, Resampler } from '../../src/audio/index.js';
import { randomFrom } from '../../src/measure/evaluate/statistics.js';
import { Frontend } from '../../src/frontend/index.js';
import { KikitoriError } from '../../src/runtime/errors.js';
import { features } from '../sim/tiny-checkpoint.js';

const folder = await mkdtemp(join(tmpdir(), 'kikitori-audio-'));
t.teardown(() => rm(folder, { recursive: true, force: true }));

async function file(name: string, bytes: Uint8Array): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, bytes);
  return path;
}

interface WavOptions {
  readonly code?: number;
  readonly bits?: number;
  readonly channels?: number;
  readonly rateHz?: number;
  readonly dataBytes?: number;
  readonly extensible?: boolean;
  readonly before?: Buffer;
}

/** Any WAV, right or wrong, from raw sample bytes. */
function wav(data: Buffer, o: WavOptions = {}): Buffer {
  const { code = 1, bits = 16, channels = 1, rateHz = 16000, extensible = false } = o;
  const format = Buffer.alloc(extensible ? 40 : 16);
  format.writeUInt16LE(extensible ? 0xfffe : code, 0);
  format.writeUInt16LE(channels, 2);
  format.writeUInt32LE(rateHz, 4);
  format.writeUInt32LE((rateHz * channels * bits) / 8, 8);
  format.writeUInt16LE((channels * bits) / 8, 12);
  format.writeUInt16LE(bits, 14);
  if (extensible) {
    format.writeUInt16LE(22, 16);
    format.writeUInt16LE(bits, 18);
    format.writeUInt16LE(code, 24);
  }
  const chunk = (tag: string, body: Buffer, size = body.length) => {
    const head = Buffer.alloc(8);
    head.write(tag, 'latin1');
    head.writeUInt32LE(size, 4);
    return Buffer.concat([head, body, Buffer.alloc(body.length % 2)]);
  };
  const body = Buffer.concat([
    Buffer.from('WAVE'),
    chunk('fmt ', format),
    o.before ?? Buffer.alloc(0),
    chunk('data', data, o.dataBytes ?? data.length),
  ]);
  return chunk('RIFF', body, Math.min(0xffffffff, body.length));
}

/** A tone in any coding. */
function coded(bits: number, code: number, value: (i: number) => number, count = 800): Buffer {
  const bytes = Buffer.alloc((count * bits) / 8);
  for (let i = 0; i < count; i++) {
    const v = value(i);
    const at = (i * bits) / 8;
    if (code === 3 && bits === 32) bytes.writeFloatLE(v, at);
    else if (code === 3) bytes.writeDoubleLE(v, at);
    else if (bits === 8) bytes.writeUInt8(Math.round(v * 127) + 128, at);
    else bytes.writeIntLE(Math.round(v * (2 ** (bits - 1) - 1)), at, bits / 8);
  }
  return bytes;
}
const tone = (i: number) => 0.5 * Math.sin(i / 9);

void t.test('every coding: the same sound', async (t) => {
  for (const [code, bits] of [
    [1, 8],
    [1, 16],
    [1, 24],
    [1, 32],
    [3, 32],
    [3, 64],
  ] as const) {
    for (const extensible of [false, true]) {
      const path = await file(
        'coding.wav',
        wav(coded(bits, code, tone), { code, bits, extensible }),
      );
      const clip = await readAudioFile(path);
      let worst = 0;
      clip.samples.forEach((v, i) => (worst = Math.max(worst, Math.abs(v - tone(i)))));
      t.equal(clip.samples.length, 800);
      t.ok(worst < (bits === 8 ? 0.009 : 0.0001), `${bits} bits, code ${code}: ${worst}`);
    }
  }
});

void t.test('channels: mixed, one of them, none such; other chunks are passed over', async (t) => {
  const stereo = Buffer.alloc(400);
  for (let i = 0; i < 100; i++) {
    stereo.writeInt16LE(8000, 4 * i);
    stereo.writeInt16LE(-4000, 4 * i + 2);
  }
  const list = Buffer.concat([
    Buffer.from('LIST'),
    Buffer.from([3, 0, 0, 0]),
    Buffer.from('abc\0'),
  ]);
  const path = await file('stereo.wav', wav(stereo, { channels: 2, before: list }));
  const at = async (channel: number | 'mix') =>
    32768 * ((await readAudioFile(path, { channel })).samples[50] ?? 0);
  t.same([await at('mix'), await at(0), await at(1)], [2000, 8000, -4000]);
  await t.rejects(at(2), { message: /no channel 2; expected 0 to 1/ });
});

void t.test('what is wrong is said, with what to do', async (t) => {
  const good = wav(coded(16, 1, tone));
  const faults: [string, Uint8Array, RegExp][] = [
    ['empty.wav', Buffer.alloc(0), /the file is empty/],
    ['text.wav', Buffer.from('turn on the light, please\n'), /no WAV file, whatever its name/],
    ['short.wav', good.subarray(0, 20), /cut off/],
    ['no-data.wav', good.subarray(0, 36), /the header is cut off/],
    ['no-sample.wav', wav(Buffer.alloc(0)), /there is no audio in it/],
    ['half.wav', wav(Buffer.alloc(1)), /there is no audio in it/],
    ['odd.wav', wav(Buffer.alloc(100), { code: 0x7777 }), /coding 30583 with 16 bits is not read/],
    ['none.wav', wav(Buffer.alloc(100), { channels: 0 }), /0 channels/],
    ['rate.wav', wav(Buffer.alloc(100), { rateHz: 3 }), /at 3 Hz make no sense/],
  ];
  for (const [name, bytes, expected] of faults) {
    const path = await file(name, bytes);
    const error: unknown = await readAudioFile(path).catch((e: unknown) => e);
    t.ok(error instanceof KikitoriError, name);
    t.match(String(error), expected);
    t.match(String(error), name, 'says which file');
  }
  for (const path of [join(folder, 'nothing.wav'), folder]) {
    const error: unknown = await readAudioFile(path).catch((e: unknown) => e);
    t.match(String(error), /no such file|this is no file/);
  }
});

void t.test('headers that promise more: what is there is used', async (t) => {
  const data = coded(16, 1, tone);
  for (const [dataBytes, bytes, truncated] of [
    [0, data, false], // recorders that could not go back to write the length
    [0xffffffff, data, false],
    [0x7fffff00, data, false],
    [0x80000000, data, false],
    [0, Buffer.alloc(800), false],
    [data.length, data.subarray(0, 1000), true],
    [2 * data.length + 1, data, true],
  ] as const) {
    const clip = await readAudioFile(await file('cut.wav', wav(Buffer.from(bytes), { dataBytes })));
    t.equal(clip.truncated, truncated, `${dataBytes}`);
    t.equal(clip.samples.length, Math.floor(bytes.length / 2), `${dataBytes}`);
  }
  const whole = wav(data);
  for (let at = 0; at < whole.length; at += 37) {
    const result = await readAudioFile(await file('any.wav', whole.subarray(0, at))).catch(
      (e: unknown) => e,
    );
    t.ok(result instanceof KikitoriError || (result as { truncated: boolean }).truncated, `${at}`);
  }
  const large = await file('large.wav', whole);
  await truncate(large, 1024 * 1024 * 1024 + 10);
  await t.rejects(readAudioFile(large), { message: /has 1073741834 bytes; expected at most/ });
});

void t.test('zeros, clipping, a constant and values that are no numbers go through', async (t) => {
  for (const [name, value] of [
    ['zeros', () => 0],
    ['clipping', (i: number) => (Math.sin(i / 9) > 0 ? 1 : -1)],
    ['constant', () => 0.9],
    ['no numbers', (i: number) => (i % 3 === 0 ? NaN : i % 5 === 0 ? Infinity : tone(i))],
    ['huge', (i: number) => 1e30 * tone(i)],
  ] as const) {
    const path = await file('odd.wav', wav(coded(32, 3, value, 8000), { code: 3, bits: 32 }));
    const clip = await readAudioFile(path);
    t.ok(clip.samples.every(Number.isFinite), name);
    t.equal(clip.badSamples > 0, name === 'no numbers');
    const steps = new Frontend(features).feed(clip.samples);
    t.ok(steps.steps > 10 && steps.data.every(Number.isFinite), `${name}: features are numbers`);
  }
});

void t.test('FLAC and others by ffmpeg or sox; what they cannot read is said', async (t) => {
  const path = await file(
    'tone.wav',
    encodeWav(
      Float32Array.from({ length: 16000 }, (_, i) => tone(i)),
      16000,
    ),
  );
  const flac = join(folder, '-tone.flac'); // a name like an option
  const made = spawnSync('ffmpeg', ['-v', 'error', '-y', '-i', path, `file:${flac}`]);
  if (made.status === 0) {
    const clip = await readAudioFile(flac);
    t.equal(clip.samples.length, 16000);
    t.ok(Math.abs((clip.samples[777] ?? 0) - tone(777)) < 1e-3);
  }
  const text = await file('notes.flac', Buffer.from('no sound at all'));
  await t.rejects(readAudioFile(text), { message: /(ffmpeg|sox) cannot read it|only WAV is read/ });
  const before = process.env['PATH'];
  process.env['PATH'] = folder;
  try {
    await t.rejects(readAudioFile(text), { message: /only WAV is read.*apt-get install ffmpeg/s });
  } finally {
    process.env['PATH'] = before;
  }
});

const sameBits = (a: Float32Array, b: Float32Array) =>
  Buffer.from(a.buffer).equals(Buffer.from(b.buffer));

/** Shannon's formula with a wide Hann window: slow, and as good as it gets. */
function slowResample(x: Float32Array, fromHz: number, toHz: number, at: number): number {
  const cutoff = 0.94 * Math.min(1, toHz / fromHz);
  const centre = (at * fromHz) / toHz;
  const reach = 400;
  let sum = 0;
  for (let n = Math.ceil(centre - reach); n <= centre + reach; n++) {
    const phase = Math.PI * (n - centre) * cutoff;
    const sinc = Math.abs(phase) < 1e-12 ? 1 : Math.sin(phase) / phase;
    sum += (x[n] ?? 0) * sinc * (0.5 + 0.5 * Math.cos((Math.PI * (n - centre)) / reach));
  }
  return sum * cutoff;
}

void t.test(
  'resampling: close to the ideal in the pass band, aliases gone, any cut the same',
  async (t) => {
    const random = randomFrom(6);
    for (const fromHz of [8000, 11025, 22050, 44100, 48000]) {
      const toHz = 16000;
      const band = 0.4 * Math.min(fromHz, toHz);
      const parts = Array.from({ length: 12 }, () => ({
        hz: band * random(),
        phase: 7 * random(),
      }));
      const x = Float32Array.from({ length: fromHz / 4 }, (_, i) =>
        parts.reduce((s, p) => s + 0.08 * Math.sin((2 * Math.PI * p.hz * i) / fromHz + p.phase), 0),
      );
      const y = resample(x, fromHz, toHz);
      t.ok(Math.abs(y.length - (x.length * toHz) / fromHz) <= 1, `${fromHz}: ${y.length} samples`);
      let worst = 0;
      for (let i = 1000; i < 3000; i += 7)
        worst = Math.max(worst, Math.abs((y[i] ?? 0) - slowResample(x, fromHz, toHz, i)));
      t.ok(worst < 2e-3, `${fromHz} Hz: at most ${worst} from the reference`);
      const streaming = new Resampler(fromHz, toHz);
      const pieces: number[] = [];
      for (let at = 0; at < x.length;) {
        const size = 1 + Math.floor(700 * random());
        pieces.push(...streaming.feed(x.subarray(at, at + size)));
        at += size;
      }
      pieces.push(...streaming.finish());
      t.ok(sameBits(Float32Array.from(pieces), y), `${fromHz} Hz in pieces`);
    }
    // 11 kHz does not exist at 16 kHz: it must not come back as 5 kHz.
    const high = Float32Array.from({ length: 12000 }, (_, i) =>
      Math.sin((2 * Math.PI * 11000 * i) / 48000),
    );
    const alias = resample(high, 48000, 16000).subarray(500, 3500);
    t.ok(alias.reduce((m, v) => Math.max(m, Math.abs(v)), 0) < 2e-3);
  },
);

void t.test('what is written is read again', async (t) => {
  const samples = Float32Array.from({ length: 999 }, (_, i) => Math.round(32767 * tone(i)) / 32768);
  const { channels, rateHz } = parseWav(encodeWav(samples, 22050), 'x');
  t.equal(rateHz, 22050);
  t.ok(sameBits(channels[0] ?? new Float32Array(0), samples));
});

void t.test(
  'numbers that are no amplitude are silence and counted, also where 64 bits hold them',
  async (t) => {
    const values = [0.5, 1e300, -1e300, 1e39, NaN, 2 ** 100, 2 ** 101, -0.25];
    const data = Buffer.alloc(8 * values.length);
    values.forEach((v, i) => data.writeDoubleLE(v, 8 * i));
    const bytes = Buffer.from(encodeWav(new Float32Array(4 * values.length), 16_000));
    bytes.writeUInt16LE(3, 20);
    bytes.writeUInt16LE(8, 32);
    bytes.writeUInt16LE(64, 34);
    data.copy(bytes, 44);
    const { channels, badSamples } = parseWav(bytes, 'x.wav');
    t.same([...(channels[0] ?? [])], [0.5, 0, 0, 0, 0, 2 ** 100, 0, -0.25]);
    t.equal(badSamples, 5);
  },
);
