import { encodeWav } from '../../audio/index.js';

export type Signal = 'heard' | 'accepted' | 'refused';

const rateHz = 48_000;
/** Edges without a click. */
const rampMs = 8;
/** The octave above, which small loudspeakers give better. */
const octave = 0.3;

/** Hz and ms. Told apart by direction and by number of notes, not by pitch alone. */
const notes: Readonly<Record<Signal, readonly (readonly [number, number])[]>> = {
  heard: [[880, 80]],
  accepted: [
    [660, 80],
    [988, 120],
  ],
  refused: [
    [392, 110],
    [294, 110],
    [220, 160],
  ],
};

/** A WAV file. */
export function soundOf(signal: Signal, volumeDb: number): Uint8Array {
  const amplitude = 10 ** (volumeDb / 20) / (1 + octave);
  const parts = notes[signal].map(([hz, ms]) => note(hz, ms, amplitude));
  const samples = new Float32Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const part of parts) {
    samples.set(part, at);
    at += part.length;
  }
  return encodeWav(samples, rateHz);
}

function note(hz: number, ms: number, amplitude: number): Float32Array {
  const length = Math.round((ms * rateHz) / 1000);
  const ramp = (rampMs * rateHz) / 1000;
  return Float32Array.from({ length }, (_, n) => {
    const edge = Math.min(1, n / ramp, (length - 1 - n) / ramp);
    const phase = (2 * Math.PI * hz * n) / rateHz;
    const envelope = (1 - Math.cos(Math.PI * edge)) / 2;
    return amplitude * envelope * (Math.sin(phase) + octave * Math.sin(2 * phase));
  });
}
