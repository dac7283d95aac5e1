import { FrameError, frameOf, FrameReader } from '../../../src/neighbours/wyoming/frames.js';
import { must, thrown, type Target } from '../engine/target.js';

/** The first byte says how the rest is cut. */
export const target: Omit<Target, 'name'> = {
  right:
    'the same events and payloads however the bytes are cut; what frameOf writes is read again',
  covers: ['src/neighbours/wyoming/frames.ts'],
  refusals: [FrameError],
  words: [
    '"type":',
    '"data":',
    '"data_length":',
    '"payload_length":',
    '}\n{',
    '\n',
    '"audio-chunk"',
  ],
  seeds: () => [
    Buffer.concat([Buffer.from('\x03'), frameOf('describe')]),
    Buffer.concat([
      Buffer.from('\x01'),
      frameOf('audio-start', { rate: 16000, width: 2, channels: 1 }),
    ]),
    Buffer.from(
      '\x07{"type":"audio-chunk","data":{"rate":16000},"payload_length":4}\n\0\x01\0\x02{"type":"audio-stop"}\n',
    ),
    Buffer.from(
      '\x02{"type":"transcribe","data_length":13}\n{"name":"en"}{"type":"ping","data":null}\n',
    ),
  ],
  run: (input) => {
    const size = 1 + ((input[0] ?? 0) % 64);
    const bytes = input.subarray(1);
    const pieces: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.subarray(at, at + size));
    const whole = read([bytes]);
    const inPieces = read(pieces);
    must(
      whole.said === inPieces.said,
      `${inPieces.said.slice(0, 80)} when cut, ${whole.said.slice(0, 80)} whole`,
    );
    if (whole.error !== undefined) throw whole.error;
  },
};

/** Events, joined payloads and the error, in order. */
function read(parts: readonly Buffer[]): { said: string; error?: Error } {
  const reader = new FrameReader();
  const heard: unknown[] = [];
  try {
    for (const part of parts)
      for (const piece of reader.feed(part)) {
        if (piece.kind === 'payload') {
          heard.push(...piece.bytes);
          continue;
        }
        const { type, data, payloadBytes } = piece.event;
        heard.push({ type, data, payloadBytes });
        const [again] = [...new FrameReader().feed(frameOf(type, data))];
        must(
          again?.kind === 'event' && JSON.stringify(again.event.data) === JSON.stringify(data),
          'another event after writing',
        );
      }
  } catch (error) {
    // A line may be found too long before its end comes.
    return { said: JSON.stringify(heard), error: thrown(error) };
  }
  return { said: JSON.stringify([heard, reader.within]) };
}
