import { PcmReader } from '../../../src/capture/pcm.js';
import { formatFault, PcmStream, type AudioFormat } from '../../../src/neighbours/wyoming/pcm.js';
import { WavError, WavHead } from '../../../src/neighbours/wyoming/wav-head.js';
import { encodeWav } from '../../../src/audio/wav.js';
import { must, type Target } from '../engine/target.js';

const ratesHz = [8000, 16_000, 16_000, 22_050, 44_100, 48_000];
const samples = Float32Array.from({ length: 40 }, (_, i) => Math.sin(i / 3) / 2);

/** The first bytes say the format and where the rest is cut; the rest is what a recorder or Home Assistant sends. */
export const target: Omit<Target, 'name'> = {
  right:
    'the same samples however the bytes are cut, all finite and within full scale; a WAV header is not heard',
  covers: [
    'src/capture/pcm.ts',
    'src/audio/resample.ts',
    'src/neighbours/wyoming/pcm.ts',
    'src/neighbours/wyoming/wav-head.ts',
  ],
  refusals: [WavError],
  seeds: () => [
    Buffer.concat([Buffer.from([1, 1, 0, 7, 3]), encodeWav(samples, 16_000)]),
    Buffer.concat([Buffer.from([2, 2, 4, 1, 30]), encodeWav(samples, 44_100)]),
    Buffer.concat([Buffer.from([6, 4, 2, 9, 2]), Buffer.alloc(90, 0x7f)]),
    Buffer.from([3, 1, 5, 4, 1, ...Array.from({ length: 60 }, (_, i) => i * 4)]),
  ],
  run: (input) => {
    const [channels = 1, width = 1, rate = 0, gain = 0, cut = 1] = input;
    const bytes = input.subarray(5);
    const pieces = cutInto(bytes, cut % 41);
    const captured = (parts: readonly Buffer[]) => {
      const reader = new PcmReader(
        1 + (channels % 8),
        (gain % 9) - 1,
        (gain % 60) - 20,
        rateOf(rate),
        16_000,
      );
      return joined(parts.map((p) => reader.feed(p)));
    };
    same(captured([bytes]), captured(pieces), 'capture');
    const format = {
      rateHz: rateOf(rate),
      width: width % 6,
      channels: channels % 40,
      unsigned: gain > 128,
    };
    if (formatFault(format) !== undefined) return;
    const streamed = (parts: readonly Buffer[]) => {
      const stream = new PcmStream(format, 16_000);
      return joined([...parts.map((p) => stream.feed(p)), stream.finish()]);
    };
    same(streamed([bytes]), streamed(pieces), 'stream');
    const whole = unwrapped([bytes]);
    const inPieces = unwrapped(pieces);
    must(
      whole.bytes.equals(inPieces.bytes),
      'another piece of the WAV file is heard when it is cut',
    );
    must(JSON.stringify(whole.format) === JSON.stringify(inPieces.format), 'another format');
  },
};

const rateOf = (byte: number) => ratesHz[byte % ratesHz.length] ?? 16_000;

function cutInto(bytes: Buffer, size: number): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0, n = 1; at < bytes.length; at += n, n = 1 + ((n * 7 + size) % (size + 1)))
    pieces.push(bytes.subarray(at, at + n));
  return pieces;
}

function joined(parts: readonly Float32Array[]): number[] {
  return parts.flatMap((p) => [...p]);
}

function same(a: readonly number[], b: readonly number[], what: string): void {
  must(a.length === b.length && a.every((v, i) => v === b[i]), `${what}: other samples when cut`);
  // A resampler overshoots a little.
  must(
    a.every((v) => Math.abs(v) <= 4),
    `${what}: beyond full scale`,
  );
}

function unwrapped(parts: readonly Buffer[]): { bytes: Buffer; format?: AudioFormat } {
  const head = new WavHead();
  const heard: Buffer[] = [];
  let format: AudioFormat | undefined;
  for (const part of parts) {
    const { bytes, format: said } = head.feed(part);
    heard.push(Buffer.from(bytes));
    format = said ?? format;
  }
  return { bytes: Buffer.concat([...heard, head.finish()]), format };
}
