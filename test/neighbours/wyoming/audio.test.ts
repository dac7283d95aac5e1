/** Audio of any kind to what the network hears; the header of a WAV file never among it. */
import t from 'tap';
import { encodeWav, resample } from '../../../src/audio/index.js';
import { randomFrom } from '../../../src/measure/evaluate/statistics.js';
import { formatFault, PcmStream } from '../../../src/neighbours/wyoming/pcm.js';
import { WavHead } from '../../../src/neighbours/wyoming/wav-head.js';
import { pcm16 } from '../../sim/wyoming-client.js';

const random = randomFrom(4);
const noise = (length: number) => Float32Array.from({ length }, () => random() - 0.5);

/** Samples of a channel each as little-endian integers of the width. */
function pcm(channels: readonly Float32Array[], width: number): Buffer {
  const frames = channels[0]?.length ?? 0;
  const bytes = Buffer.alloc(frames * width * channels.length);
  const full = 2 ** (8 * width - 1);
  for (let i = 0; i < frames; i++)
    channels.forEach((channel, c) =>
      bytes.writeIntLE(
        Math.round((channel[i] ?? 0) * (full - 1)),
        (i * channels.length + c) * width,
        width,
      ),
    );
  return bytes;
}

function inPieces(bytes: Buffer, feed: (piece: Buffer) => Float32Array): number[] {
  const out: number[] = [];
  for (let at = 0; at < bytes.length;) {
    const size = 1 + Math.floor(random() * 700);
    out.push(...feed(bytes.subarray(at, at + size)));
    at += size;
  }
  return out;
}

const furthest = (a: readonly number[], b: Float32Array) =>
  a.reduce((most, v, i) => Math.max(most, Math.abs(v - (b[i] ?? Infinity))), 0);

void t.test('every width, mixed to one channel', async (t) => {
  for (const width of [1, 2, 3, 4])
    for (const count of [1, 2, 5]) {
      const channels = Array.from({ length: count }, () => noise(3000));
      const wanted = Float32Array.from(
        { length: 3000 },
        (_, i) => channels.reduce((sum, c) => sum + (c[i] ?? 0), 0) / count,
      );
      const stream = new PcmStream({ rateHz: 16_000, width, channels: count }, 16_000);
      const heard = inPieces(pcm(channels, width), (piece) => stream.feed(piece));
      t.equal(heard.length, 3000);
      t.ok(furthest(heard, wanted) < 2 / 2 ** (8 * width - 1) + 1e-6, `${width} x ${count}`);
    }
});

void t.test('other rates, as the whole would be converted', async (t) => {
  for (const rateHz of [8000, 22_050, 44_100, 48_000]) {
    const samples = noise(rateHz / 2);
    const stream = new PcmStream({ rateHz, width: 2, channels: 1 }, 16_000);
    const heard = inPieces(pcm16(samples), (piece) => stream.feed(piece));
    heard.push(...stream.finish());
    const wanted = resample(samples, rateHz, 16_000);
    t.equal(heard.length, wanted.length);
    t.ok(furthest(heard, wanted) < 1e-3, `${rateHz} Hz`);
  }
});

void t.test('what is no format is refused', async (t) => {
  const good = { rateHz: 16_000, width: 2, channels: 1 };
  t.equal(formatFault(good), undefined);
  for (const wrong of [
    { rateHz: 0 },
    { rateHz: NaN },
    { rateHz: 1e9 },
    { rateHz: 16_000.5 },
    { width: 0 },
    { width: 8 },
    { channels: 0 },
    { channels: 1000 },
  ])
    t.match(formatFault({ ...good, ...wrong }), /is to be/, JSON.stringify(wrong));
});

/** Everything that came out of a stream cut at random places, with the format said last. */
function unwrapped(bytes: Buffer, sizes: () => number) {
  const head = new WavHead();
  const parts: Buffer[] = [];
  let format: unknown;
  for (let at = 0; at < bytes.length;) {
    const size = sizes();
    const got = head.feed(bytes.subarray(at, at + size));
    if (got.bytes.length > 0) format = got.format;
    parts.push(Buffer.from(got.bytes));
    at += size;
  }
  parts.push(head.finish());
  return { audio: Buffer.concat(parts), format };
}

const chunk = (tag: string, body: Buffer) => {
  const head = Buffer.from(`${tag}    `);
  head.writeUInt32LE(body.length, 4);
  return Buffer.concat([head, body, Buffer.alloc(body.length % 2)]);
};

void t.test('the header of a file is taken off, wherever it is cut', async (t) => {
  const audio = pcm16(noise(500));
  const wav = Buffer.from(encodeWav(noise(0), 16_000));
  const format = wav.subarray(12, 36);
  const riff = Buffer.from('RIFF\x10\x00\x00\x00WAVE', 'latin1');
  const title = chunk('LIST', Buffer.from('INFOISFT a program that writes odd lengths'));
  const files: [string, Buffer][] = [
    ['plain', Buffer.concat([riff, format, chunk('data', audio)])],
    ['a title first', Buffer.concat([riff, title, format, chunk('data', audio)])],
    ['a title last', Buffer.concat([riff, format, chunk('data', audio), title])],
  ];
  for (const size of [0, 0xffffffff, 0x7ffff000]) {
    const data = chunk('data', audio);
    data.writeUInt32LE(size, 4);
    files.push([`a length of ${size}`, Buffer.concat([riff, format, data])]);
  }
  for (const [name, file] of files)
    for (let round = 0; round < 40; round++) {
      const most = round < 10 ? 1 : 200;
      const got = unwrapped(file, () => 1 + Math.floor(random() * most));
      t.ok(got.audio.equals(audio), name);
      t.match(got.format, { rateHz: 16_000, width: 2, channels: 1 });
    }
});

void t.test('audio that only begins like a header is heard', async (t) => {
  for (const text of ['R', 'RIF', 'RIFFabcd', 'RIFFabcdWAVY and more', 'RIFT', 'abc'])
    t.equal(unwrapped(Buffer.from(text), () => 2).audio.toString(), text);
});

void t.test('files that cannot be heard are refused', async (t) => {
  const riff = Buffer.from('RIFF\x10\x00\x00\x00WAVE', 'latin1');
  const adpcm = Buffer.from(encodeWav(noise(4), 16_000));
  adpcm.writeUInt16LE(2, 20);
  t.throws(() => unwrapped(adpcm, () => 100), /coding 2/);
  t.throws(
    () => unwrapped(Buffer.concat([riff, chunk('data', pcm16(noise(4)))]), () => 100),
    /data come first/,
  );
  t.throws(
    () => unwrapped(Buffer.concat([riff, Buffer.alloc(100_000, 'junk')]), () => 9000),
    /without audio/,
  );
});
