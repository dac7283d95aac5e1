import { encodeWav, parseWav } from '../../../src/audio/wav.js';
import { resample } from '../../../src/audio/resample.js';
import { must, type Target } from '../engine/target.js';

const samples = Float32Array.from({ length: 24 }, (_, i) => Math.sin(i) / 2);

/** A WAV file of any coding, as writers make it. */
function wav(o: {
  code: number;
  channels: number;
  rateHz: number;
  bits: number;
  kind?: string;
  extensible?: boolean;
  before?: Buffer;
  dataSize?: number;
}): Buffer {
  const little = o.kind !== 'RIFX';
  const u = (width: number, value: number) => {
    const bytes = Buffer.alloc(width);
    if (little) bytes.writeUIntLE(value, 0, width);
    else bytes.writeUIntBE(value, 0, width);
    return bytes;
  };
  const block = Math.ceil(o.bits / 8) * o.channels;
  const format = Buffer.concat([
    ...[u(2, o.extensible === true ? 0xfffe : o.code), u(2, o.channels), u(4, o.rateHz)],
    ...[u(4, o.rateHz * block), u(2, block), u(2, o.bits)],
    ...(o.extensible === true
      ? [u(2, 22), u(2, o.bits), u(4, 3), u(2, o.code), Buffer.alloc(14)]
      : []),
  ]);
  const data = Buffer.from(Array.from({ length: block * 6 }, (_, i) => (i * 37) % 256));
  const body = Buffer.concat([
    ...[Buffer.from('WAVE'), o.before ?? Buffer.alloc(0)],
    ...[Buffer.from('fmt '), u(4, format.length), format],
    ...[Buffer.from('data'), u(4, o.dataSize ?? data.length), data],
  ]);
  return Buffer.concat([Buffer.from(o.kind ?? 'RIFF'), u(4, body.length), body]);
}

const list = Buffer.from('LIST\x05\0\0\0INFO!\0', 'latin1');
const ds64 = Buffer.concat([Buffer.from('ds64\x1c\0\0\0', 'latin1'), Buffer.alloc(28, 1)]);

export const target: Omit<Target, 'name'> = {
  right:
    'what is read is finite, within what the file holds, and 16 bits survive writing and reading',
  covers: ['src/audio/wav.ts', 'src/audio/wav-chunks.ts', 'src/audio/resample.ts'],
  where: 'input.wav',
  seeds: () => [
    encodeWav(samples, 16_000),
    wav({ code: 1, channels: 2, rateHz: 44_100, bits: 24 }),
    wav({ code: 1, channels: 1, rateHz: 8000, bits: 8, before: list }),
    wav({ code: 1, channels: 1, rateHz: 48_000, bits: 32, kind: 'RIFX' }),
    wav({ code: 3, channels: 1, rateHz: 16_000, bits: 32, extensible: true }),
    wav({ code: 3, channels: 1, rateHz: 22_050, bits: 64 }),
    wav({ code: 6, channels: 1, rateHz: 8000, bits: 8, dataSize: 0xffffffff }),
    wav({ code: 7, channels: 1, rateHz: 8000, bits: 8, dataSize: 0 }),
    wav({ code: 1, channels: 2, rateHz: 96_000, bits: 20, kind: 'RF64', before: ds64 }),
    wav({ code: 0x11, channels: 1, rateHz: 8000, bits: 4 }),
  ],
  run: (input) => {
    const { channels, rateHz } = parseWav(input, 'input.wav');
    const [first] = channels;
    must(first !== undefined && first.length > 0, 'audio without samples');
    must(channels.length * first.length <= input.length, 'more samples than bytes');
    must(
      channels.every((c) => c.length === first.length && c.every(Number.isFinite)),
      'not finite',
    );
    const said = first.map((v) =>
      Math.max(-1, Math.min(32767 / 32768, Math.round(v * 32768) / 32768)),
    );
    const back = parseWav(encodeWav(said, rateHz), 'written.wav');
    must(back.rateHz === rateHz, 'another rate after writing');
    must(
      said.every((v, i) => back.channels[0]?.[i] === v),
      'other samples',
    );
    const mono = resample(first, rateHz, 16_000);
    const wanted = (first.length * 16_000) / rateHz;
    must(Math.abs(mono.length - wanted) <= 2, `${mono.length} samples, not about ${wanted}`);
    must(mono.every(Number.isFinite), 'not finite at another rate');
  },
};
